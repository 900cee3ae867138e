//! The conditions and the range of a request, and their effect on a response, in the order of RFC 9110, section 13.2.2.

use std::time::{SystemTime, UNIX_EPOCH};

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};

use super::byte_range::{RequestedRange, unsatisfied_range};
use super::representation::Representation;
use crate::error::Error;
use crate::http::extract::entity_tag::{ETag, ETagList};

/// The conditional headers and the `Range` of a request (RFC 9110, sections 13 and 14).
pub(crate) struct Conditions {
    method: Method,
    headers: HeaderMap,
}

/// Headers that a 304 keeps from the 200 (RFC 9110, section 15.4.5).
const KEPT_IN_304: [HeaderName; 6] = [
    header::ETAG,
    header::LAST_MODIFIED,
    header::CACHE_CONTROL,
    header::EXPIRES,
    header::VARY,
    header::CONTENT_LOCATION,
];

/// The result of a request's conditions.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Whole,
    Range,
    NotModified,
    Failed,
}

impl Conditions {
    /// Copies the conditions of a request.
    pub fn of(head: &Parts) -> Self {
        let names = [
            header::IF_MATCH,
            header::IF_UNMODIFIED_SINCE,
            header::IF_NONE_MATCH,
            header::IF_MODIFIED_SINCE,
            header::IF_RANGE,
            header::RANGE,
        ];
        let mut headers = HeaderMap::new();
        for name in names {
            for value in head.headers.get_all(&name) {
                headers.append(&name, value.clone());
            }
        }
        Self { method: head.method.clone(), headers }
    }

    /// Replaces a response with a representation by what the request asks of it: 304, 412, 206 or 416. Other responses
    /// stay as they are.
    pub fn apply(&self, mut response: Response) -> Response {
        let Some(whole) = response.extensions_mut().remove::<Representation>() else {
            return response;
        };
        if self.headers.is_empty()
            || response.status() != StatusCode::OK
            || !matches!(self.method, Method::GET | Method::HEAD)
        {
            return response;
        }
        match self.outcome(&whole) {
            Outcome::Whole => response,
            Outcome::NotModified => not_modified(response),
            Outcome::Failed => precondition_failed(&whole),
            Outcome::Range => self.respond_with_range(response, &whole),
        }
    }

    fn outcome(&self, whole: &Representation) -> Outcome {
        if self.fails(whole) {
            Outcome::Failed
        } else if self.is_not_modified(whole) {
            Outcome::NotModified
        // A range is defined for GET alone (section 14.2).
        } else if self.method == Method::GET && self.wants_range(whole) {
            Outcome::Range
        } else {
            Outcome::Whole
        }
    }

    /// Returns whether `If-Match`, or else `If-Unmodified-Since`, is not met.
    fn fails(&self, whole: &Representation) -> bool {
        match ETagList::read(&self.headers, &header::IF_MATCH) {
            Ok(Some(list)) => {
                let tag = whole.etag.as_ref().map(ToString::to_string).unwrap_or_default();
                !list.matches_strongly(&tag)
            }
            // A malformed list matches nothing.
            Err(_) => true,
            Ok(None) => match (self.date(&header::IF_UNMODIFIED_SINCE), whole.modified) {
                (Some(since), Some(modified)) => in_seconds(modified) > in_seconds(since),
                _ => false,
            },
        }
    }

    /// Returns whether the client has this version, by `If-None-Match`, or else by `If-Modified-Since`.
    fn is_not_modified(&self, whole: &Representation) -> bool {
        match ETagList::read(&self.headers, &header::IF_NONE_MATCH) {
            Ok(Some(list)) => {
                whole.etag.as_ref().is_some_and(|tag| list.matches_weakly(&tag.to_string()))
            }
            // The whole response is always right.
            Err(_) => false,
            Ok(None) => match (self.date(&header::IF_MODIFIED_SINCE), whole.modified) {
                (Some(since), Some(modified)) => in_seconds(modified) <= in_seconds(since),
                _ => false,
            },
        }
    }

    /// Returns whether there is a `Range`, and `If-Range`, if it is there, names this version. It compares strongly,
    /// because parts of two versions would be joined (section 13.1.5).
    fn wants_range(&self, whole: &Representation) -> bool {
        if !self.headers.contains_key(header::RANGE) {
            return false;
        }
        let Some(wanted) = self.headers.get(header::IF_RANGE) else { return true };
        let is_tag = wanted.as_bytes().starts_with(b"\"") || wanted.as_bytes().starts_with(b"W/");
        if is_tag {
            let tag = whole.etag.as_ref().map(ETag::as_header);
            return tag.is_some_and(|tag| tag == wanted && tag.as_bytes().starts_with(b"\""));
        }
        // A date is strong only where the tag is: where the file cannot have changed twice in its second.
        let is_strong =
            whole.etag.as_ref().is_none_or(|tag| tag.as_header().as_bytes().starts_with(b"\""));
        match (self.date(&header::IF_RANGE), whole.modified) {
            (Some(date), Some(modified)) => is_strong && in_seconds(modified) == in_seconds(date),
            _ => false,
        }
    }

    fn respond_with_range(&self, mut response: Response, whole: &Representation) -> Response {
        let range =
            self.headers.get(header::RANGE).map(|header| RequestedRange::of(header, whole.length));
        match range {
            None | Some(RequestedRange::Whole) => response,
            Some(RequestedRange::Part(part)) => {
                whole.respond_with_part(&mut response, part);
                response
            }
            Some(RequestedRange::Unsatisfiable) => {
                let detail =
                    format!("the range is beyond the end: the content has {} bytes", whole.length);
                Error::new(StatusCode::RANGE_NOT_SATISFIABLE, detail)
                    .header(header::CONTENT_RANGE, unsatisfied_range(whole.length))
                    .into_response()
            }
        }
    }

    /// Returns the date in a header. One that is not valid is ignored.
    fn date(&self, name: &HeaderName) -> Option<SystemTime> {
        self.headers
            .get(name)
            .map(HeaderValue::to_str)?
            .ok()
            .and_then(|text| httpdate::parse_http_date(text).ok())
    }
}

/// Returns the whole seconds, which dates in headers count.
fn in_seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

fn not_modified(whole: Response) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NOT_MODIFIED;
    for name in KEPT_IN_304 {
        for value in whole.headers().get_all(&name) {
            response.headers_mut().append(&name, value.clone());
        }
    }
    response
}

fn precondition_failed(whole: &Representation) -> Response {
    let error = Error::new(
        StatusCode::PRECONDITION_FAILED,
        "the current version is not the one that the request requires",
    );
    match &whole.etag {
        Some(tag) => error.header(header::ETAG, tag.as_header().clone()).into_response(),
        None => error.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use http::Request;

    use super::*;

    const MODIFIED: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const LATER: &str = "Sun, 06 Nov 1994 08:49:38 GMT";
    const EARLIER: &str = "Sun, 06 Nov 1994 08:49:36 GMT";

    fn whole(etag: ETag) -> Representation {
        let modified = httpdate::parse_http_date(MODIFIED).unwrap() + Duration::from_millis(500);
        Representation {
            etag: Some(etag),
            modified: Some(modified),
            ..Representation::of_bytes(Bytes::from_static(b"0123456789"))
        }
    }

    fn outcome_with(etag: ETag, method: &str, headers: &[(&str, &str)]) -> Outcome {
        let mut request = Request::builder().method(method);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (head, ()) = request.body(()).unwrap().into_parts();
        Conditions::of(&head).outcome(&whole(etag))
    }

    fn outcome(headers: &[(&str, &str)]) -> Outcome {
        outcome_with(ETag::strong("a"), "GET", headers)
    }

    #[test]
    fn conditions_are_evaluated_in_the_order_of_the_rfc() {
        use Outcome::{Failed, NotModified, Whole};
        for (headers, expected) in [
            (&[][..], Whole),
            (&[("if-match", "\"a\"")], Whole),
            (&[("if-match", "*")], Whole),
            (&[("if-match", "\"b\"")], Failed),
            (&[("if-match", "W/\"a\"")], Failed),
            (&[("if-match", "a")], Failed),
            (&[("if-match", "\"a\""), ("if-unmodified-since", EARLIER)], Whole),
            (&[("if-unmodified-since", EARLIER)], Failed),
            (&[("if-unmodified-since", MODIFIED)], Whole),
            (&[("if-unmodified-since", "yesterday")], Whole),
            (&[("if-none-match", "\"a\"")], NotModified),
            (&[("if-none-match", "W/\"a\", \"x\"")], NotModified),
            (&[("if-none-match", "*")], NotModified),
            (&[("if-none-match", "\"b\"")], Whole),
            (&[("if-none-match", "\"b\""), ("if-modified-since", LATER)], Whole),
            (&[("if-modified-since", MODIFIED)], NotModified),
            (&[("if-modified-since", LATER)], NotModified),
            (&[("if-modified-since", EARLIER)], Whole),
            (&[("if-match", "\"b\""), ("if-none-match", "\"a\"")], Failed),
        ] {
            assert_eq!(outcome(headers), expected, "{headers:?}");
        }
    }

    #[test]
    fn a_range_needs_the_same_version_by_the_strong_comparison() {
        use Outcome::{Range, Whole};
        let range = ("range", "bytes=0-1");
        for (headers, expected) in [
            (&[range][..], Range),
            (&[range, ("if-range", "\"a\"")], Range),
            (&[range, ("if-range", "\"b\"")], Whole),
            (&[range, ("if-range", "W/\"a\"")], Whole),
            (&[range, ("if-range", MODIFIED)], Range),
            (&[range, ("if-range", LATER)], Whole),
            (&[range, ("if-range", "x")], Whole),
            (&[("if-range", "\"a\"")], Whole),
        ] {
            assert_eq!(outcome(headers), expected, "{headers:?}");
        }
        let of_weak =
            |if_range| outcome_with(ETag::weak("a"), "GET", &[range, ("if-range", if_range)]);
        assert_eq!([of_weak("W/\"a\""), of_weak(MODIFIED)], [Whole, Whole]);
        assert_eq!(outcome_with(ETag::strong("a"), "HEAD", &[range]), Whole);
    }
}
