//! Reads request bodies into memory, and knows their media types.

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use http_body::Body as _;
use http_body_util::{BodyExt, LengthLimitError};

use crate::context;
use crate::error::BoxError;
use crate::error::handler_error::Error;
use crate::http::server::body_limit_errors::{
    BodyExceedsBudget, BudgetExhausted, InvalidCoding, body_above_limit, body_too_large,
    budget_exhausted,
};
use crate::request::body_state::BodyReader;

/// Returns the media type of the body in `Content-Type`, without parameters such as `charset`.
pub(super) fn media_type(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    Some(value.split(';').next().unwrap_or_default().trim())
}

/// Returns 415 for a body that is not of the media type `expected`. The header `Accept` names it (RFC 9110, section
/// 15.5.16).
#[cold]
pub(super) fn unsupported_media_type(headers: &HeaderMap, expected: &'static str) -> Error {
    let detail = match headers.get(header::CONTENT_TYPE) {
        Some(_) => format!("the body must be `{expected}`, but its `content-type` is another"),
        None => format!("the request has no `content-type`: send `content-type: {expected}`"),
    };
    Error::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail)
        .header(header::ACCEPT, HeaderValue::from_static(expected))
}

/// Reads the whole body. The stack has limited its size, and charges its memory.
///
/// # Errors
/// 413 if the body is too large, 503 if `http.memory_budget` is used up, 400 if the body is incomplete.
pub(crate) async fn read_body(mut body: Body) -> Result<Bytes, Error> {
    context::announce_body_reader(BodyReader { buffers: true });
    let Some(first) = next_piece(&mut body).await? else { return Ok(Bytes::new()) };
    // A body in one piece is returned as it is, to avoid a copy: nearly every body arrives so.
    if body.is_end_stream() {
        return Ok(first);
    }
    let mut chunks = ChunkedBuffer::default();
    chunks.push(&first);
    drop(first);
    while let Some(piece) = next_piece(&mut body).await? {
        chunks.push(&piece);
    }
    Ok(chunks.join())
}

/// A buffer of equal chunks for a body that arrives in pieces.
///
/// A single buffer that grows would leave holes in the heap that later ones do not fit into. With it, five floods of 400
/// bodies of 2 MiB, in a budget of 64 MiB, raised the process from 166 MB to 223 MB.
#[derive(Default)]
struct ChunkedBuffer(Vec<Vec<u8>>);

impl ChunkedBuffer {
    /// Size of a chunk in bytes.
    const SIZE: usize = 64 << 10;

    fn push(&mut self, mut piece: &[u8]) {
        while !piece.is_empty() {
            let space = self.0.last().map_or(0, |last| Self::SIZE - last.len());
            if space == 0 {
                self.0.push(Vec::with_capacity(Self::SIZE));
                continue;
            }
            let (fitting, rest) = piece.split_at(space.min(piece.len()));
            if let Some(last) = self.0.last_mut() {
                last.extend_from_slice(fitting);
            }
            piece = rest;
        }
    }

    fn join(mut self) -> Bytes {
        if self.0.len() == 1 {
            return self.0.pop().unwrap_or_default().into();
        }
        let mut whole = Vec::with_capacity(self.0.iter().map(Vec::len).sum());
        // Each chunk is freed once it is copied, so that the body is not in memory twice.
        for chunk in self.0 {
            whole.extend_from_slice(&chunk);
        }
        whole.into()
    }
}

/// Returns the next data frame.
async fn next_piece(body: &mut Body) -> Result<Option<Bytes>, Error> {
    while let Some(frame) = body.frame().await {
        if let Ok(piece) = frame.map_err(body_error)?.into_data() {
            return Ok(Some(piece));
        }
    }
    Ok(None)
}

/// Returns the response for a body that could not be read.
#[cold]
fn body_error(error: axum::Error) -> Error {
    read_error(error.into_inner())
}

/// Returns the response for an error of reading a body.
#[cold]
pub(super) fn read_error(error: BoxError) -> Error {
    if error.is::<LengthLimitError>() {
        return context::body_limit().map_or_else(body_too_large, body_above_limit);
    }
    if error.is::<BodyExceedsBudget>() {
        return body_too_large();
    }
    if error.is::<BudgetExhausted>() {
        return budget_exhausted();
    }
    if error.is::<InvalidCoding>() {
        return Error::bad_request("the body is not what its `content-encoding` says")
            .caused_by(error);
    }
    Error::bad_request("the body ended before it was complete").caused_by(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_body_in_pieces_of_any_size_is_read_whole() {
        for sizes in [vec![], vec![0, 1], vec![1; 100], vec![65_536; 3], vec![65_535, 2, 200_000]] {
            let text: Vec<u8> = (0..sizes.iter().sum()).map(|at: usize| at as u8).collect();
            let mut from = 0;
            let pieces = sizes.iter().map(|size| {
                from += size;
                Ok::<_, std::io::Error>(Bytes::copy_from_slice(&text[from - size..from]))
            });
            let pieces: Vec<_> = pieces.collect();
            let body = Body::from_stream(futures_util::stream::iter(pieces));
            assert_eq!(read_body(body).await.unwrap(), text, "{sizes:?}");
        }
    }
}
