//! Answers plain HTTP on a port of TLS. rustls would answer by an alert, which clients of plain HTTP show as garbage.

use std::io;
use std::time::Duration;

use http::StatusCode;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::listeners::Socket;
use super::protocol_errors::error_response;

/// Time for which the rest of the request is read and discarded, so that closing the socket does not take the response
/// away from the client (`connection_io.rs`).
const LINGER_TIMEOUT: Duration = Duration::from_secs(1);

/// Maximum number of bytes that are discarded: more than a head and a small form.
const MAX_DISCARDED_BYTES: u64 = 256 << 10;

/// Returns whether a connection begins with the method of HTTP/1, or with the preface of HTTP/2. Not cancel safe.
///
/// Reads what has arrived and keeps it for the handshake, instead of a peek: the handshake reads it from memory and
/// needs one call of the system less, so that this costs a copy of the client's first message.
pub(super) async fn is_plain_http(socket: &mut Socket) -> io::Result<bool> {
    let first = socket.first_bytes().await?;
    // The records of TLS begin with a number below 32. Methods are in capitals.
    Ok(first.first().is_some_and(u8::is_ascii_uppercase))
}

/// Responds 400, and returns the error of the connection.
#[cold]
pub(super) async fn refuse(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Error {
    let response = error_response(StatusCode::BAD_REQUEST, "this port speaks HTTPS");
    let respond = async {
        stream.write_all(&response).await?;
        stream.shutdown().await?;
        tokio::io::copy(&mut stream.take(MAX_DISCARDED_BYTES), &mut tokio::io::sink()).await
    };
    match tokio::time::timeout(LINGER_TIMEOUT, respond).await {
        Ok(Err(error)) => error,
        _ => io::Error::new(io::ErrorKind::InvalidData, "plain HTTP on a port of TLS"),
    }
}
