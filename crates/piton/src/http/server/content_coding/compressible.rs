//! Decides which responses are worth compressing, whatever the client accepts.

use axum::response::Response;
use http::{HeaderMap, StatusCode, header};
use http_body::Body as _;

use crate::http::server::error_format::is_failure;

/// Minimum size of a body that is compressed, in bytes. A smaller one fits into one packet with its
/// head, so that fewer bytes arrive no earlier.
const MIN_SIZE: u64 = 1 << 10;

/// Media types that are not compressed: compressed already, or of unknown content. A `/` at the end
/// stands for all subtypes.
const EXCLUDED_TYPES: [&str; 15] = [
    "application/gzip",
    "application/grpc",
    "application/octet-stream",
    "application/pdf",
    "application/vnd.rar",
    "application/x-7z-compressed",
    "application/zip",
    "application/zstd",
    "audio/",
    "font/woff",
    "font/woff2",
    "image/",
    "multipart/",
    // Its events are small, and each has to arrive at once.
    "text/event-stream",
    "video/",
];

/// Media types that are compressed although [`EXCLUDED_TYPES`] has them.
const INCLUDED_TYPES: [&str; 2] = ["image/bmp", "image/svg+xml"];

/// Returns whether the response may be compressed. Such a response varies by `Accept-Encoding`.
pub(super) fn is_compressible(response: &Response) -> bool {
    let headers = response.headers();
    let has_whole_body = !is_failure(response.status())
        && !matches!(
            response.status(),
            StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED | StatusCode::PARTIAL_CONTENT
        );
    has_whole_body
        && !headers.contains_key(header::CONTENT_ENCODING)
        && !headers.contains_key(header::CONTENT_RANGE)
        && size(response).is_none_or(|size| size >= MIN_SIZE)
        && has_compressible_type(headers)
        && !forbids_transformation(headers)
}

/// Returns the size of the body, or that of the same response to a GET: the body of a HEAD is empty, and
/// its `Content-Length` tells the size.
fn size(response: &Response) -> Option<u64> {
    let announced = response.headers().get(header::CONTENT_LENGTH);
    let announced = announced.and_then(|length| length.to_str().ok()?.parse().ok());
    announced.or_else(|| response.body().size_hint().exact())
}

fn has_compressible_type(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(header::CONTENT_TYPE) else { return true };
    let Ok(value) = value.to_str() else { return false };
    let media_type = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let is_excluded = |excluded: &&str| match excluded.strip_suffix('/') {
        Some(kind) => media_type.split('/').next() == Some(kind),
        None => media_type == **excluded,
    };
    INCLUDED_TYPES.contains(&&*media_type) || !EXCLUDED_TYPES.iter().any(is_excluded)
}

/// Returns whether `Cache-Control` has `no-transform` (RFC 9111, section 5.2.2.6).
fn forbids_transformation(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(header::CACHE_CONTROL).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).any(|it| it.trim().eq_ignore_ascii_case("no-transform"))
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn with(status: u16, length: usize, headers: &[(&str, &str)]) -> bool {
        let mut response = Response::builder().status(status);
        for (name, value) in headers {
            response = response.header(*name, *value);
        }
        is_compressible(&response.body(Body::from("x".repeat(length))).unwrap())
    }

    #[test]
    fn text_of_some_size_is_compressible_and_what_is_compressed_already_is_not() {
        assert!(with(200, 1024, &[]) && !with(200, 1023, &[]));
        for media_type in
            ["text/html; charset=utf-8", "application/json", "image/svg+xml", "font/ttf"]
        {
            assert!(with(201, 2000, &[("content-type", media_type)]), "{media_type}");
        }
        for media_type in [
            "image/png",
            "IMAGE/PNG",
            "video/mp4",
            "text/event-stream",
            "text/event-stream; charset=utf-8",
            "application/zip",
            "font/woff2",
            "multipart/byteranges; boundary=x",
        ] {
            assert!(!with(200, 2000, &[("content-type", media_type)]), "{media_type}");
        }
        for header in [
            ("content-encoding", "br"),
            ("content-range", "bytes 0-1/2"),
            ("cache-control", "max-age=5, No-Transform"),
        ] {
            assert!(!with(200, 2000, &[header]), "{header:?}");
        }
        for status in [206, 304, 404, 500] {
            assert!(!with(status, 2000, &[]), "{status}");
        }
    }

    #[test]
    fn the_response_to_head_counts_by_its_announced_length() {
        assert!(with(200, 0, &[("content-length", "5000")]));
        assert!(!with(200, 0, &[("content-length", "500")]) && !with(200, 0, &[]));
    }
}
