//! A part of a form: a field, or a file.

use std::fmt;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use http::HeaderMap;

use super::errors::{parse_error, part_too_large};
use super::extractor::Multipart;
use super::file_name::sanitize;
use super::file_writer::{FileWriter, IfExists};
use super::upload::Upload;
use crate::config::ByteSize;
use crate::context;
use crate::error::{Error, Result};
use crate::http::server::body_limit_errors::{body_too_large, budget_exhausted};
use crate::http::upload_settings::UploadSettings;
use context::MemoryRefusal;

/// A part of a [`Multipart`] form. It can be read once: into memory, to a file, or piece by piece. The rest of a part
/// that is dropped is skipped.
///
/// # Errors
/// Each method that reads: 413 if the part is larger than its limit or the body than its own, 400 if the part is
/// incomplete, 503 if `http.memory_budget` is used up; those that write: 507 if the disk is full, 500 if the file cannot
/// be written.
pub struct FormPart<'a> {
    field: multer::Field<'static>,
    name: String,
    file_name: Option<String>,
    limit: Option<ByteSize>,
    received: u64,
    progress: Option<Box<dyn FnMut(u64) + Send>>,
    settings: &'a UploadSettings,
    /// The form, which has one part at a time.
    form: PhantomData<&'a mut Multipart>,
}

impl<'a> FormPart<'a> {
    pub(super) fn new(
        field: multer::Field<'static>,
        name: String,
        settings: &'a UploadSettings,
    ) -> Self {
        let file_name = field.file_name().and_then(sanitize);
        let (limit, progress) = (None, None);
        Self { field, name, file_name, limit, received: 0, progress, settings, form: PhantomData }
    }

    /// Returns the name of the field.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the name of the file on the client's machine, if this is a file: without a path, and without
    /// characters that file systems or terminals read as something else. Two files may have the same name.
    #[must_use]
    pub fn file_name(&self) -> Option<&str> {
        self.file_name.as_deref()
    }

    /// Returns whether this is a file. A form's empty file input is one without a name.
    #[must_use]
    pub fn is_file(&self) -> bool {
        self.field.file_name().is_some()
    }

    /// Returns the media type that the client says the part has. It may be untrue.
    #[must_use]
    pub fn content_type(&self) -> Option<&str> {
        self.field.headers().get(http::header::CONTENT_TYPE)?.to_str().ok()
    }

    /// Returns the headers of the part.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        self.field.headers()
    }

    /// Sets the maximum size of the part. Without it, a part in memory has `http.uploads.field_limit`, and a file the
    /// limit of the body.
    #[must_use]
    pub fn limit(mut self, limit: ByteSize) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Calls `report` with the number of bytes received so far, after each piece.
    #[must_use]
    pub fn on_progress(mut self, report: impl FnMut(u64) + Send + 'static) -> Self {
        self.progress = Some(Box::new(report));
        self
    }

    /// Returns the next piece, or `None` at the end of the part.
    ///
    /// Cancel safe: a piece is returned or still to come.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>> {
        let chunk = self.field.chunk().await;
        let Some(piece) = chunk.map_err(|error| parse_error(error, Some(&self.name)))? else {
            return Ok(None);
        };
        self.received += piece.len() as u64;
        if let Some(limit) = self.limit
            && self.received > limit.as_u64()
        {
            return Err(part_too_large(&self.name, limit));
        }
        if let Some(report) = &mut self.progress {
            report(self.received);
        }
        Ok(Some(piece))
    }

    /// Reads the part into memory.
    pub async fn bytes(mut self) -> Result<Bytes> {
        self.limit = self.limit.or(Some(self.settings.field_limit));
        let mut whole = Vec::new();
        while let Some(piece) = self.chunk().await? {
            charge(piece.len() as u64)?;
            whole.extend_from_slice(&piece);
        }
        Ok(whole.into())
    }

    /// Reads the part into memory as text, which is UTF-8.
    ///
    /// # Errors
    /// As those of the type, and 400 if it is not UTF-8.
    pub async fn text(self) -> Result<String> {
        let name = self.name.clone();
        let bytes = self.bytes().await?;
        String::from_utf8(bytes.into())
            .map_err(|_| Error::bad_request(format!("the part `{name}` is not UTF-8")))
    }

    /// Saves the part to a file, in place of one that is there. Returns the number of bytes.
    ///
    /// The file has its name only once it is whole and on the disk; until then it is `.upload-*.part` in the same
    /// folder. If the client goes away, an error occurs or the time is up, neither file is left. Not cancel safe in its
    /// last step: a request that is cancelled during the rename may leave the whole file.
    pub async fn save_to(self, path: impl AsRef<Path>) -> Result<u64> {
        self.save(path.as_ref().to_owned(), IfExists::Replace).await
    }

    /// Saves the part to a file as [`save_to`](Self::save_to) does, unless there is one.
    ///
    /// # Errors
    /// As those of the type, and 409 if the file exists.
    pub async fn save_new(self, path: impl AsRef<Path>) -> Result<u64> {
        self.save(path.as_ref().to_owned(), IfExists::Fail).await
    }

    async fn save(mut self, path: PathBuf, if_exists: IfExists) -> Result<u64> {
        // An empty parent is the working directory.
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let mut file = FileWriter::create(folder.unwrap_or(Path::new(".")), false).await?;
        self.copy_to(&mut file).await?;
        file.persist(path, if_exists).await?;
        Ok(self.received)
    }

    /// Saves the part to a temporary file in `http.uploads.folder`, which is deleted when the [`Upload`] is dropped.
    pub async fn save_to_temp_file(mut self) -> Result<Upload> {
        let folder = self.settings.folder.clone().unwrap_or_else(std::env::temp_dir);
        let mut file = FileWriter::create(&folder, true).await?;
        self.copy_to(&mut file).await?;
        let content_type = self.content_type().map(str::to_owned);
        Ok(Upload::new(file.finish().await?, self.file_name, content_type, self.received))
    }

    async fn copy_to(&mut self, file: &mut FileWriter) -> Result<()> {
        while let Some(piece) = self.chunk().await? {
            file.write(&piece).await?;
        }
        Ok(())
    }
}

/// Charges bytes that stay in memory to `http.memory_budget`.
fn charge(bytes: u64) -> Result<()> {
    context::hold_memory(bytes).map_err(|refusal| match refusal {
        MemoryRefusal::Full => budget_exhausted(),
        MemoryRefusal::TooMuch(_) => body_too_large(),
    })
}

impl fmt::Debug for FormPart<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FormPart")
            .field("name", &self.name)
            .field("file_name", &self.file_name)
            .finish_non_exhaustive()
    }
}
