//! Decodes the bodies of requests. Nothing is decoded ahead of the handler that reads, so a small body
//! that decodes to gigabytes takes no more memory than `http.body_limit`.

use std::io;

use async_compression::tokio::bufread::{BrotliDecoder, GzipDecoder, ZlibDecoder};
use bytes::Bytes;
use futures_util::TryStreamExt;
use http::{HeaderMap, Request, header};
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, BodyStream, Limited, StreamBody};
use tokio::io::{AsyncBufRead, AsyncRead};
use tokio_util::io::{ReaderStream, StreamReader};

use super::coding::Coding;
use super::coding_input::CodingInput;
use super::encoded_requests::codings;
use super::zstd;
pub(super) use super::zstd::DECODED;
use crate::config::ByteSize;
use crate::error::BoxError;
use crate::http::server::body_limit_errors::InvalidCoding;
use crate::request::body_state::BodyRefusal;

/// Size of the pieces of a decoded body in bytes.
const PIECE_SIZE: usize = 8 << 10;

type DecodedBody = UnsyncBoxBody<Bytes, BoxError>;

/// Returns the request with a plain body. The compressed body is limited to `limit` bytes, too.
///
/// A body with two codings is refused: that has no use, and nothing would limit what passes from one to
/// the other. 39 kB of gzip hold 40 MB of gzip members that are all empty, which take 20 s.
///
/// # Errors
/// A coding is not supported, there are several, or the compressed body is larger than `limit`.
pub(super) fn decode<B>(
    request: Request<B>,
    limit: usize,
) -> Result<Request<DecodedBody>, BodyRefusal>
where
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + Unpin + 'static,
{
    let (mut head, body) = request.into_parts();
    let coding = only_coding(&head.headers).ok_or(BodyRefusal::UnsupportedCoding)?;
    if body.size_hint().lower() > limit as u64 {
        return Err(BodyRefusal::AboveLimit(ByteSize::bytes(limit as u64)));
    }
    head.headers.remove(header::CONTENT_ENCODING);
    head.headers.remove(header::CONTENT_LENGTH);
    let encoded = CodingInput::new(bytes_of(Limited::new(body, limit)));
    let pieces = ReaderStream::with_capacity(decoder(encoded, coding), PIECE_SIZE);
    let frames = pieces.map_ok(Frame::data).map_err(read_error);
    Ok(Request::from_parts(head, StreamBody::new(frames).boxed_unsync()))
}

/// Returns the coding of a body, if it has one and no other, and this build decodes it.
fn only_coding(headers: &HeaderMap) -> Option<Coding> {
    let mut names = codings(headers).filter(|name| !name.eq_ignore_ascii_case("identity"));
    let coding = Coding::of_name(names.next()?)?;
    names.next().is_none().then_some(coding)
}

/// Returns the bytes of a body. Trailers are dropped, as by every extractor.
fn bytes_of<B>(body: Limited<B>) -> impl AsyncBufRead + Send + Unpin
where
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + Unpin + 'static,
{
    let body = body.map_err(|error| io::Error::other(RawBodyError(error)));
    let pieces = BodyStream::new(body).try_filter_map(async |frame| Ok(frame.into_data().ok()));
    StreamReader::new(Box::pin(pieces))
}

fn decoder(
    reader: impl AsyncBufRead + Send + Unpin + 'static,
    coding: Coding,
) -> Box<dyn AsyncRead + Send + Unpin> {
    match coding {
        Coding::Zstd => Box::new(zstd::decoder(reader)),
        Coding::Brotli => Box::new(BrotliDecoder::new(reader)),
        Coding::Gzip => {
            let mut decoder = GzipDecoder::new(reader);
            // RFC 1952, section 2.2: a file is a series of members.
            decoder.multiple_members(true);
            Box::new(decoder)
        }
        Coding::Deflate => Box::new(ZlibDecoder::new(reader)),
    }
}

/// An error of the compressed body itself, on its way through a decoder.
#[derive(Debug)]
struct RawBodyError(BoxError);

impl std::fmt::Display for RawBodyError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for RawBodyError {}

/// Returns the error of the compressed body as it was; any other is a decoder's.
fn read_error(error: io::Error) -> BoxError {
    match error.downcast::<RawBodyError>() {
        Ok(RawBodyError(error)) => error,
        Err(error) => InvalidCoding(error).into(),
    }
}
