//! Puts the error format into the responses that hyper makes by itself: a head that is not HTTP never
//! reaches the router, and hyper responds with an empty 400, 414 or 431. A head that does not end in
//! time gets 408.
//!
//! Works on the bytes that hyper writes (`connection_io.rs`), because hyper has no hook for these responses.

use std::time::SystemTime;

use http::StatusCode;

use crate::error::problem_document;
use crate::http::server::request_context::X_REQUEST_ID;
use crate::request::RequestId;

/// Minimum size of a head with more headers than the 100 that hyper accepts: `a:` and a line's end for each.
const MIN_TOO_MANY_HEADERS: usize = 101 * 4;

/// Detail of the response to a head above `http.header_limit`.
pub(super) const HEADERS_TOO_LARGE: &str = "the request's headers are too large";

/// Returns the response to send in the place of `head`, if hyper made that. The request's head has at most
/// `head_size` bytes.
pub(super) fn replacement(head: &[u8], head_size: usize) -> Option<Vec<u8>> {
    let rest = head.strip_prefix(b"HTTP/1.1 4").or_else(|| head.strip_prefix(b"HTTP/1.0 4"))?;
    let (status, detail) = match rest.get(..2)? {
        b"00" => (StatusCode::BAD_REQUEST, "the request is not valid HTTP"),
        b"14" => (StatusCode::URI_TOO_LONG, "the request's target is too long"),
        // hyper says "headers too large" of a `Content-Length` that does not fit into its counter, too.
        b"31" if head_size < MIN_TOO_MANY_HEADERS => {
            (StatusCode::PAYLOAD_TOO_LARGE, "the request's `Content-Length` is too large")
        }
        b"31" => (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, HEADERS_TOO_LARGE),
        _ => return None,
    };
    Some(error_response(status, detail))
}

/// Returns the response to a head that did not end in time.
pub(super) fn head_timeout() -> Vec<u8> {
    error_response(StatusCode::REQUEST_TIMEOUT, "the head of the request did not arrive in time")
}

/// Returns a whole response of HTTP/1.1, after which the connection is closed.
pub(super) fn error_response(status: StatusCode, detail: &str) -> Vec<u8> {
    let id = RequestId::new();
    let date = httpdate::fmt_http_date(SystemTime::now());
    let body = problem_document::bytes(status, detail, id);
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: {}\r\ncontent-length: {}\r\n{X_REQUEST_ID}: {id}\r\nconnection: close\r\ndate: {date}\r\n\r\n",
        problem_document::MEDIA_TYPE,
        body.len(),
    );
    [head.into_bytes(), body].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status_of(head: &str, head_size: usize) -> Option<String> {
        let replacement = String::from_utf8(replacement(head.as_bytes(), head_size)?).unwrap();
        assert!(replacement.contains("\r\ncontent-type: application/problem+json\r\n"));
        assert!(replacement.contains("\r\ndate: ") && replacement.contains(" GMT\r\n"));
        assert!(replacement.ends_with('}'));
        Some(replacement[9..12].to_owned())
    }

    #[test]
    fn an_error_response_of_hyper_is_replaced() {
        let own = "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n";
        assert_eq!(status_of(own, 20).as_deref(), Some("400"));
        assert_eq!(status_of("HTTP/1.1 404 Not Found\r\n\r\n", 20), None);
    }

    #[test]
    fn a_small_head_is_not_too_large() {
        let own = "HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\n\r\n";
        assert_eq!(status_of(own, 9_999).as_deref(), Some("431"));
        assert_eq!(status_of(own, 60).as_deref(), Some("413"));
    }
}
