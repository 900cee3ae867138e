//! Errors of forms with files: of the form, of the client's connection, and of the disk.

use std::fmt;
use std::io;
use std::path::Path;

use http::{HeaderValue, StatusCode, header};

use crate::config::ByteSize;
use crate::error::Error;
use crate::http::extract::request_body::read_error;

/// The media type of forms with files.
pub(super) const MULTIPART: &str = "multipart/form-data";

/// The error of a part whose headers are too large.
#[derive(Debug)]
pub(super) struct HeadersTooLarge;

impl fmt::Display for HeadersTooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the headers of a part are too large")
    }
}

impl std::error::Error for HeadersTooLarge {}

/// Returns 415 for a body that is not a form with files, or 400 for one without a boundary, or whose `content_type` is
/// not valid.
#[cold]
pub(super) fn not_multipart(error: &multer::Error, content_type: &[u8]) -> Error {
    let (status, detail) = match error {
        multer::Error::NoBoundary => {
            (StatusCode::BAD_REQUEST, "the `content-type` has no `boundary`".to_owned())
        }
        _ if is_multipart(content_type) => (
            StatusCode::BAD_REQUEST,
            "the `boundary` of the `content-type` is not valid".to_owned(),
        ),
        _ => (StatusCode::UNSUPPORTED_MEDIA_TYPE, format!("the body must be `{MULTIPART}`")),
    };
    Error::new(status, detail).header(header::ACCEPT, HeaderValue::from_static(MULTIPART))
}

fn is_multipart(content_type: &[u8]) -> bool {
    let media_type = content_type.split(|byte| *byte == b';').next().unwrap_or_default();
    media_type.trim_ascii().eq_ignore_ascii_case(MULTIPART.as_bytes())
}

/// Returns the response to a form that cannot be read, in or after the part named `part`.
#[cold]
pub(super) fn parse_error(error: multer::Error, part: Option<&str>) -> Error {
    let place = part.map_or_else(|| "the form".to_owned(), |name| format!("the part `{name}`"));
    match error {
        multer::Error::StreamReadFailed(error) if error.is::<HeadersTooLarge>() => {
            Error::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, HeadersTooLarge.to_string())
        }
        multer::Error::StreamReadFailed(error) => read_error(error),
        multer::Error::IncompleteFieldData { .. }
        | multer::Error::IncompleteHeaders
        | multer::Error::IncompleteStream => {
            Error::bad_request(format!("{place} ended before it was complete")).caused_by(error)
        }
        error => Error::bad_request(format!("{place} is not valid `{MULTIPART}`")).caused_by(error),
    }
}

/// Returns 413 for a part above its limit.
#[cold]
pub(super) fn part_too_large(name: &str, limit: ByteSize) -> Error {
    let detail = format!("the part `{name}` is larger than {limit}");
    Error::new(StatusCode::PAYLOAD_TOO_LARGE, detail)
}

/// Returns 413 for a form with too many parts.
#[cold]
pub(super) fn too_many_parts(limit: u32) -> Error {
    let detail = format!("the form has more than {limit} parts");
    Error::new(StatusCode::PAYLOAD_TOO_LARGE, detail)
}

/// Returns 400 for a part without a name, which RFC 7578 (section 4.2) requires.
#[cold]
pub(super) fn unnamed_part(number: u32) -> Error {
    Error::bad_request(format!(
        "part {number} of the form has no `name` in its `content-disposition`"
    ))
}

/// Returns 507 if the disk is full, else 500. The log has the cause and the absolute path, because a relative one is below
/// the working directory, which the reader of a log may not know.
#[cold]
pub(super) fn disk_error(error: io::Error, doing: &str, path: &Path) -> Error {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    let is_full = matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge);
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let fix = match error.kind() {
        io::ErrorKind::NotFound => "; create the folder first",
        _ => "",
    };
    let cause = format!("{doing} {}: {error}{fix}", path.display());
    let cause = io::Error::new(error.kind(), cause);
    if is_full {
        let detail = "the service has no space left for uploads";
        return Error::new(StatusCode::INSUFFICIENT_STORAGE, detail).caused_by(cause);
    }
    Error::internal(cause)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_507_and_another_fault_of_the_disk_500() {
        let of = |kind: io::ErrorKind| disk_error(kind.into(), "write", Path::new("/x/y"));
        assert_eq!(of(io::ErrorKind::StorageFull).status(), StatusCode::INSUFFICIENT_STORAGE);
        assert_eq!(of(io::ErrorKind::QuotaExceeded).status(), StatusCode::INSUFFICIENT_STORAGE);
        let other = of(io::ErrorKind::PermissionDenied);
        assert_eq!(other.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert!(other.chain()[0].starts_with("write /x/y: "), "{:?}", other.chain());
        let missing = disk_error(io::ErrorKind::NotFound.into(), "save", Path::new("photos/7"));
        let here = std::env::current_dir().unwrap();
        let cause = &missing.chain()[0];
        assert!(cause.starts_with(&format!("save {}/photos/7: ", here.display())), "{cause}");
        assert!(cause.ends_with("; create the folder first"), "{cause}");
    }
}
