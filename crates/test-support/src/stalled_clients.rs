//! Clients that do not finish: bodies without their last byte, responses that are not read.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;

/// The outcome of a flood of requests.
#[derive(Clone, Copy, Debug, Default)]
pub struct StalledOutcome {
    /// 503, as a problem document and with `Retry-After`.
    pub refused: usize,
    /// Any other response.
    pub answered: usize,
    /// Connections that ended without a response.
    pub lost: usize,
}

/// Sends `count` requests at once, each with a JSON body of `size` bytes whose last byte is never
/// sent, and waits for the responses.
///
/// # Panics
/// If a connection cannot be made, or a refusal is not a 503 problem document with `Retry-After`.
pub async fn send_unfinished_bodies(
    port: u16,
    path: &str,
    count: usize,
    size: usize,
) -> StalledOutcome {
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {size}\r\n\r\n{{\"x\":\""
    );
    let request: Arc<[u8]> = [head.as_bytes(), &vec![b'x'; size.saturating_sub(7)]].concat().into();
    let mut clients = JoinSet::new();
    for _ in 0..count {
        let request = request.clone();
        clients.spawn(async move {
            let stream = TcpStream::connect(("127.0.0.1", port)).await.expect("it listens");
            let (mut reader, mut writer) = stream.into_split();
            let sending = tokio::spawn(async move {
                // Errors are ignored, because the service may close before all is sent.
                let _ = writer.write_all(&request).await;
                writer
            });
            let mut answer = Vec::new();
            let read =
                tokio::time::timeout(Duration::from_secs(120), reader.read_to_end(&mut answer));
            let read: io::Result<_> = read.await.expect("an answer within two minutes");
            sending.abort();
            (read.is_ok() || !answer.is_empty())
                .then(|| String::from_utf8_lossy(&answer).into_owned())
        });
    }
    let mut outcome = StalledOutcome::default();
    while let Some(answer) = clients.join_next().await {
        match answer.expect("a client does not panic") {
            Some(answer) if answer.starts_with("HTTP/1.1 503") => {
                let told = answer.contains("\r\nretry-after: ")
                    && answer.contains("application/problem+json");
                assert!(told, "{answer}");
                outcome.refused += 1;
            }
            Some(answer) if answer.starts_with("HTTP/1.1 ") => outcome.answered += 1,
            _ => outcome.lost += 1,
        }
    }
    outcome
}

/// Requests each path on a connection of its own, and reads no response.
///
/// # Errors
/// Those of the sockets.
pub async fn leave_responses_unread(
    port: u16,
    paths: impl IntoIterator<Item = String>,
) -> io::Result<Vec<TcpStream>> {
    let mut streams = Vec::new();
    for path in paths {
        let socket = TcpSocket::new_v4()?;
        // A small window, because the system would otherwise take the response out of the service's
        // memory.
        socket.set_recv_buffer_size(8 << 10)?;
        let mut stream = socket.connect(([127, 0, 0, 1], port).into()).await?;
        let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        streams.push(stream);
    }
    Ok(streams)
}
