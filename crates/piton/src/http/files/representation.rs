//! Bytes with their validators, and the response that a request with conditions and a range gets from them.

use std::fs::{File, Metadata};
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};

use super::byte_range::content_range;
use super::file_body::FileBody;
use crate::http::extract::entity_tag::ETag;

/// Time for which the tag of a changed file is weak: within it the file may change again without another time of
/// change, which some file systems count in steps of a second or two.
const CHANGE_GRACE: Duration = Duration::from_secs(2);

/// The bytes of a representation. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) enum ByteSource {
    File(Arc<File>),
    Bytes(Bytes),
}

/// A representation: its bytes and its validators (RFC 9110, section 8.8).
#[derive(Clone, Debug)]
pub(super) struct Representation {
    pub content: ByteSource,
    pub length: u64,
    pub etag: Option<ETag>,
    pub modified: Option<SystemTime>,
}

impl Representation {
    /// Returns the representation of an open file. `variant` tells its tag from those of other forms of the same file.
    pub fn of_file(file: File, metadata: &Metadata, variant: &str) -> Self {
        let modified = metadata.modified().ok();
        Self {
            content: ByteSource::File(Arc::new(file)),
            length: metadata.len(),
            etag: modified
                .map(|modified| file_tag(modified, metadata.len(), variant, SystemTime::now())),
            modified,
        }
    }

    pub fn of_bytes(bytes: Bytes) -> Self {
        let length = bytes.len() as u64;
        Self { content: ByteSource::Bytes(bytes), length, etag: None, modified: None }
    }

    /// Returns the response with the whole representation, which [`Conditions`](super::Conditions) may still replace
    /// by a part of it.
    pub fn into_response(self) -> Response {
        let mut response = Response::new(self.body(0..self.length));
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_LENGTH, self.length.into());
        headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        self.add_validators(headers);
        response.extensions_mut().insert(self);
        response
    }

    /// Changes a response with the whole to one with a part.
    pub fn respond_with_part(&self, response: &mut Response, part: Range<u64>) {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_RANGE, content_range(&part, self.length));
        headers.insert(header::CONTENT_LENGTH, (part.end - part.start).into());
        *response.body_mut() = self.body(part);
    }

    fn body(&self, range: Range<u64>) -> Body {
        match &self.content {
            ByteSource::File(file) => Body::new(FileBody::new(file.clone(), range)),
            // Never beyond the length, which is a `usize`.
            ByteSource::Bytes(bytes) => {
                bytes.slice(range.start as usize..range.end as usize).into()
            }
        }
    }

    fn add_validators(&self, headers: &mut HeaderMap) {
        if let Some(etag) = &self.etag {
            headers.insert(header::ETAG, etag.as_header().clone());
        }
        if let Some(modified) = self.modified {
            headers.insert(header::LAST_MODIFIED, http_date(modified));
        }
    }
}

/// Returns the tag of a file by its time of change and its length, as Apache and nginx make it. Weak while the file is
/// so new that it could change unnoticed (RFC 9110, section 8.8.1).
fn file_tag(modified: SystemTime, length: u64, variant: &str, now: SystemTime) -> ETag {
    let since_epoch = modified.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    let version = format!("{since_epoch:x}-{length:x}{variant}");
    let is_old = now.duration_since(modified).is_ok_and(|age| age >= CHANGE_GRACE);
    if is_old { ETag::strong(version) } else { ETag::weak(version) }
}

/// Returns a time as the headers of HTTP write it, in whole seconds.
pub(super) fn http_date(time: SystemTime) -> HeaderValue {
    HeaderValue::try_from(httpdate::fmt_http_date(time.max(UNIX_EPOCH)))
        .expect("a date is a header's value")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tag_of_a_file_that_may_still_change_unnoticed_is_weak() {
        let modified = UNIX_EPOCH + Duration::from_secs(1000);
        let tag = |length, variant, now| file_tag(modified, length, variant, now).to_string();
        let after = |age| modified + Duration::from_secs(age);
        assert_eq!(tag(5, "", after(0)), "W/\"e8d4a51000-5\"");
        assert_eq!(tag(5, "-br", after(3)), "\"e8d4a51000-5-br\"");
        assert!(tag(5, "", UNIX_EPOCH).starts_with("W/"), "a time of change in the future");
        assert_ne!(tag(6, "", after(3)), tag(5, "", after(3)));
    }
}
