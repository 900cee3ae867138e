//! The response `Download`: a file, bytes or a stream for the client to save.

use std::fs::File;
use std::io;
use std::path::Path;
use std::time::SystemTime;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::TryStream;
use http::{HeaderValue, StatusCode, header};

use super::content_disposition::{DispositionType, content_disposition};
use super::media_type;
use super::representation::Representation;
use crate::error::box_error::BoxError;
use crate::error::{Error, Result};
use crate::http::extract::entity_tag::ETag;
use crate::http::routing::operation::{Operation, Output};

/// A file, bytes or a stream for the client to save, or with [`inline`](Self::inline) to show.
///
/// A file is read in pieces of 64 KiB as the client takes them. Downloads of files and of bytes honour `Range` with
/// `If-Range` (206, 416; of several ranges the whole is sent), `If-None-Match` and `If-Modified-Since` (304),
/// `If-Match` and `If-Unmodified-Since` (412), and `HEAD`. They have the headers `ETag`, `Last-Modified` and
/// `Accept-Ranges`; a file's tag is made of its time of change and its length.
///
/// ```
/// use piton::http::Download;
/// use piton::prelude::*;
///
/// #[get("/invoices/{number}")]
/// async fn invoice(Path(number): Path<u32>) -> Result<Download> {
///     let file = Download::file(format!("invoices/{number}.pdf")).await?;
///     Ok(file.name(format!("Invoice {number}.pdf")))
/// }
/// # fn main() {}
/// ```
///
/// The path is the handler's: a name that comes from the client must not be part of it unchecked, because `..` would
/// lead out of the folder. A number or an id of the service's own is safe.
#[derive(Debug)]
pub struct Download {
    content: DownloadBody,
    name: Option<String>,
    disposition: DispositionType,
    content_type: HeaderValue,
}

#[derive(Debug)]
enum DownloadBody {
    Representation(Representation),
    Stream { body: Body, size: Option<u64> },
}

impl Download {
    /// Opens a file. Its name and media type are those of the path, unless [`name`](Self::name) and
    /// [`content_type`](Self::content_type) set others.
    ///
    /// # Errors
    /// 404 if there is no such file, or it is a folder or a device; 500 if it cannot be read. The log has the cause.
    pub async fn file(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref().to_owned();
        let (name, content_type) = (
            path.file_name().map(|name| name.to_string_lossy().into_owned()),
            media_type::of_name(&path),
        );
        let opened = tokio::task::spawn_blocking(move || open(&path)).await?;
        let content = match opened {
            Ok(Some(representation)) => DownloadBody::Representation(representation),
            Ok(None) => return Err(Error::not_found("there is no such file")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(Error::not_found("there is no such file"));
            }
            Err(error) => return Err(Error::internal(error)),
        };
        Ok(Self { content, name, ..Self::new(Bytes::new()) }.typed(content_type))
    }

    /// Sends bytes from memory. The media type is `application/octet-stream`, or by the [`name`](Self::name).
    #[must_use]
    pub fn bytes(bytes: impl Into<Bytes>) -> Self {
        Self::new(bytes.into())
    }

    /// Sends what a stream yields, which need not be in memory as a whole. It has no ranges, because it can be read
    /// only once. [`size`](Self::size) gives the client a progress bar.
    #[must_use]
    pub fn stream<S>(stream: S) -> Self
    where
        S: TryStream<Ok: Into<Bytes>, Error: Into<BoxError>> + Send + 'static,
    {
        let content = DownloadBody::Stream { body: Body::from_stream(stream), size: None };
        Self { content, ..Self::new(Bytes::new()) }
    }

    fn new(bytes: Bytes) -> Self {
        Self {
            content: DownloadBody::Representation(Representation::of_bytes(bytes)),
            name: None,
            disposition: DispositionType::Attachment,
            content_type: media_type::BYTES,
        }
    }

    fn typed(self, content_type: HeaderValue) -> Self {
        Self { content_type, ..self }
    }

    /// Sets the name that the client saves it under, in any language. Sets the media type by the name's end, unless
    /// the name has none that is known.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        let name = name.into();
        let by_name = media_type::of_name(Path::new(&name));
        if by_name != media_type::BYTES {
            self.content_type = by_name;
        }
        self.name = Some(name);
        self
    }

    /// Shows it in the browser instead of saving it. Only for files of the service's own: an HTML or SVG file that a
    /// user has uploaded would run its scripts with the rights of this site.
    #[must_use]
    pub fn inline(mut self) -> Self {
        self.disposition = DispositionType::Inline;
        self
    }

    /// Sets the media type.
    ///
    /// # Panics
    /// If it is not the value of a header.
    #[must_use]
    pub fn content_type(self, content_type: &str) -> Self {
        self.typed(HeaderValue::from_str(content_type).expect("a media type is a header's value"))
    }

    /// Sets the number of bytes of a stream: the header `Content-Length`. A stream that yields another number is cut
    /// off, and the client knows it. No effect on files and bytes.
    #[must_use]
    pub fn size(mut self, bytes: u64) -> Self {
        if let DownloadBody::Stream { size, .. } = &mut self.content {
            *size = Some(bytes);
        }
        self
    }

    /// Sets the entity tag, in place of that of the file. No effect on streams.
    #[must_use]
    pub fn etag(mut self, etag: ETag) -> Self {
        if let DownloadBody::Representation(whole) = &mut self.content {
            whole.etag = Some(etag);
        }
        self
    }

    /// Sets the time of the last change, in place of that of the file. No effect on streams.
    #[must_use]
    pub fn last_modified(mut self, modified: SystemTime) -> Self {
        if let DownloadBody::Representation(whole) = &mut self.content {
            whole.modified = Some(modified);
        }
        self
    }
}

/// Opens a regular file. Returns `None` for anything else, such as a FIFO, on which `open` would wait.
fn open(path: &Path) -> io::Result<Option<Representation>> {
    if !std::fs::metadata(path)?.is_file() {
        return Ok(None);
    }
    let file = File::open(path)?;
    // Asked of the open file, because another may have taken its place.
    let metadata = file.metadata()?;
    Ok(metadata.is_file().then(|| Representation::of_file(file, &metadata, "")))
}

impl IntoResponse for Download {
    fn into_response(self) -> Response {
        let mut response = match self.content {
            DownloadBody::Representation(whole) => whole.into_response(),
            DownloadBody::Stream { body, size } => {
                let mut response = Response::new(body);
                if let Some(size) = size {
                    response.headers_mut().insert(header::CONTENT_LENGTH, size.into());
                }
                response
            }
        };
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, self.content_type);
        let disposition = content_disposition(self.disposition, self.name.as_deref());
        headers.insert(header::CONTENT_DISPOSITION, disposition);
        response
    }
}

impl Output for Download {
    fn describe(operation: &mut Operation) {
        const BYTES: &str = "application/octet-stream";
        operation.sends_downloads();
        operation.response_any(StatusCode::OK, BYTES);
        operation.response_any(StatusCode::PARTIAL_CONTENT, BYTES);
        operation.response_empty(StatusCode::NOT_MODIFIED);
        operation.response_header(StatusCode::OK, "ETag", "The entity tag of this version.");
        let disposition = "The name to save it under.";
        operation.response_header(StatusCode::OK, "Content-Disposition", disposition);
        let range = "The bytes that follow, and the number of all.";
        operation.response_header(StatusCode::PARTIAL_CONTENT, "Content-Range", range);
        operation.error(StatusCode::RANGE_NOT_SATISFIABLE, "The range is beyond the end.");
    }
}
