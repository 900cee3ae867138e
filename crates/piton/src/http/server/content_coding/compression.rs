//! Compresses responses for clients that accept it.

use std::io;
use std::sync::Arc;

use async_compression::Level;
use async_compression::brotli::EncoderParams;
use async_compression::tokio::bufread::{BrotliEncoder, GzipEncoder};
use axum::Router;
use axum::body::{Body, BodyDataStream};
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::{Stream, TryStreamExt, stream};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use tokio::io::AsyncRead;
use tokio_util::io::{ReaderStream, StreamReader};

use super::accept_encoding::preferred;
use super::coding::Coding;
use super::compressed_tags;
use super::compressible::is_compressible;
use super::zstd;
use crate::error::BoxError;
use crate::handle::Handle;
use crate::http::server::body_limit_errors::budget_exhausted;
use crate::http::server::response_body;
use crate::memory::MemoryBudget;

/// Size of the pieces of a compressed body in bytes.
const PIECE_SIZE: usize = 8 << 10;

/// Binary logarithm of the window in bytes: 256 KiB instead of brotli's 4 MiB and zstd's 2 MiB. The
/// window is memory that every response in flight takes.
const WINDOW_LOG: u32 = 18;

/// Compresses the router's responses, if `wanted`.
pub(crate) fn compressed(
    router: Router<Handle>,
    wanted: bool,
    budget: &Arc<MemoryBudget>,
) -> Router<Handle> {
    if !wanted {
        return router;
    }
    let budget = budget.clone();
    router
        .layer(from_fn(move |request: Request, next: Next| respond(request, next, budget.clone())))
}

async fn respond(mut request: Request, next: Next, budget: Arc<MemoryBudget>) -> Response {
    let coding = preferred(request.headers());
    let known = compressed_tags::restore(request.headers_mut());
    let method = request.method().clone();
    let mut response = next.run(request).await;
    if response.status() == StatusCode::NOT_MODIFIED {
        // A 304 has the `Vary` and the tag of the 200 (RFC 9110, section 15.4.5).
        add_vary(response.headers_mut());
        if let Some(coding) = known {
            compressed_tags::weaken(response.headers_mut(), coding);
        }
        return response;
    }
    if !is_compressible(&response) {
        return response;
    }
    add_vary(response.headers_mut());
    match coding {
        Some(coding) => compress(response, coding, &method, &budget),
        None => response,
    }
}

fn compress(
    response: Response,
    coding: Coding,
    method: &Method,
    budget: &Arc<MemoryBudget>,
) -> Response {
    // Charged before compression, which hides the size. The result of a POST must always be sent,
    // because the client would repeat it otherwise.
    let charged = response_body::charge(response, budget, method.is_safe());
    let Ok(response) = charged else { return budget_exhausted().into_response() };
    let (mut head, body) = response.into_parts();
    compressed_tags::weaken(&mut head.headers, coding);
    head.headers.remove(header::CONTENT_LENGTH);
    head.headers.remove(header::ACCEPT_RANGES);
    head.headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding.name()));
    // The response to HEAD has the head of the one to GET, and no body that could be compressed. Its size
    // is unknown, because axum would announce it as that of the compressed body.
    let body = match *method {
        Method::HEAD => Body::from_stream(stream::empty::<Result<Bytes, BoxError>>()),
        _ => encode(body, coding),
    };
    Response::from_parts(head, body)
}

/// Adds `Vary: accept-encoding`, unless it is there.
fn add_vary(headers: &mut HeaderMap) {
    let lines = headers.get_all(header::VARY).iter().filter_map(|line| line.to_str().ok());
    let mut names = lines.flat_map(|line| line.split(',')).map(str::trim);
    if !names.any(|name| name == "*" || name.eq_ignore_ascii_case("accept-encoding")) {
        headers.append(header::VARY, HeaderValue::from_static("accept-encoding"));
    }
}

/// Compresses a body as it is sent. What has been compressed is sent whenever the body pauses, so that
/// a slow stream arrives piece by piece.
fn encode(body: Body, coding: Coding) -> Body {
    let plain = StreamReader::new(as_io(body.into_data_stream()));
    match coding {
        Coding::Zstd => in_pieces(zstd::encoder(plain, WINDOW_LOG)),
        Coding::Brotli => {
            let window = i32::try_from(WINDOW_LOG).unwrap_or_default();
            let params = EncoderParams::default().quality(Level::Precise(4)).window_size(window);
            in_pieces(BrotliEncoder::with_params(plain, params))
        }
        Coding::Gzip | Coding::Deflate => {
            in_pieces(GzipEncoder::with_quality(plain, Level::Precise(6)))
        }
    }
}

fn as_io(body: BodyDataStream) -> impl Stream<Item = io::Result<Bytes>> {
    body.map_err(|error| io::Error::other(error.into_inner()))
}

fn in_pieces(reader: impl AsyncRead + Send + 'static) -> Body {
    Body::from_stream(ReaderStream::with_capacity(reader, PIECE_SIZE).map_err(error_of_body))
}

/// Returns the error of the plain body as it was, for the log to find its place in the code.
fn error_of_body(error: io::Error) -> BoxError {
    let kind = error.kind();
    error.into_inner().unwrap_or_else(|| io::Error::from(kind).into())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::AsyncReadExt;
    use tokio::sync::mpsc;

    use super::*;
    use crate::http::server::content_coding::coding::OFFERED;
    use crate::http::server::content_coding::decoding;

    /// Returns a reader of the plain body, decoded as it arrives.
    fn read(body: Body, coding: Coding) -> impl AsyncRead + Unpin {
        let request = http::Request::builder().header("content-encoding", coding.name());
        let decoded = decoding::decode(request.body(body).unwrap(), usize::MAX).unwrap();
        let pieces = http_body_util::BodyStream::new(decoded.into_body());
        StreamReader::new(
            pieces.map_ok(|frame| frame.into_data().unwrap()).map_err(io::Error::other),
        )
    }

    #[tokio::test]
    async fn a_piece_arrives_before_the_next_one_is_made() {
        for coding in OFFERED {
            let (pieces, mut queue) = mpsc::channel::<io::Result<Bytes>>(1);
            let stream = futures_util::stream::poll_fn(move |cx| queue.poll_recv(cx));
            let mut reader = read(encode(Body::from_stream(stream), *coding), *coding);
            for text in ["first", "second"] {
                pieces.send(Ok(text.into())).await.unwrap();
                let mut read = vec![0; text.len()];
                let arrived = reader.read_exact(&mut read);
                tokio::time::timeout(Duration::from_secs(60), arrived)
                    .await
                    .expect("held back")
                    .unwrap();
                assert_eq!(read, text.as_bytes());
            }
            drop(pieces);
            assert_eq!(reader.read_to_end(&mut Vec::new()).await.unwrap(), 0);
        }
    }

    #[tokio::test]
    async fn a_failing_body_fails_compressed() {
        for coding in OFFERED {
            let pieces = [Ok("text"), Err(io::Error::other("broken"))];
            let body = Body::from_stream(futures_util::stream::iter(pieces));
            let mut reader = read(encode(body, *coding), *coding);
            let error = reader.read_to_end(&mut Vec::new()).await.unwrap_err();
            assert!(error.to_string().contains("broken"), "{error}");
        }
    }
}
