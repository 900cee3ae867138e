//! A file that a client has sent, stored under a temporary name.

use std::borrow::Cow;
use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use tempfile::NamedTempFile;

use super::file_writer::{IfExists, blocking, persist_error};
use super::temporary_files;
use crate::error::{Error, Result};

/// A file that a client has sent, in `http.uploads.folder`. Deleted when dropped, unless [`persist`](Self::persist) has
/// moved it to its final path.
///
/// A field of a [`MultipartForm`](crate::http::MultipartForm), or made by
/// [`FormPart::save_to_temp_file`](crate::http::FormPart::save_to_temp_file).
#[derive(Clone, Debug)]
pub struct Upload {
    /// Shared, because a form may be read into its type several times.
    file: Arc<Mutex<Option<NamedTempFile>>>,
    path: PathBuf,
    file_name: Option<String>,
    content_type: Option<String>,
    size: u64,
}

impl Upload {
    pub(super) fn new(
        file: NamedTempFile,
        file_name: Option<String>,
        content_type: Option<String>,
        size: u64,
    ) -> Self {
        let path = file.path().to_owned();
        Self { file: Arc::new(Mutex::new(Some(file))), path, file_name, content_type, size }
    }

    /// Returns the path of the temporary file, to read it from.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the name of the file on the client's machine, made safe; see
    /// [`FormPart::file_name`](crate::http::FormPart::file_name).
    #[must_use]
    pub fn file_name(&self) -> Option<&str> {
        self.file_name.as_deref()
    }

    /// Returns the media type that the client says the file has. It may be untrue.
    #[must_use]
    pub fn content_type(&self) -> Option<&str> {
        self.content_type.as_deref()
    }

    /// Returns the number of bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Moves the file to its final path, in a folder that exists. **Replaces a file there**;
    /// [`persist_new`](Self::persist_new) does not. On another file system it is copied, and the copy has its name only
    /// once it is whole.
    ///
    /// # Errors
    /// 507 if the disk is full, 500 if the file cannot be written, as in a folder that does not exist.
    pub async fn persist(self, path: impl AsRef<Path>) -> Result<()> {
        self.move_to(path.as_ref().to_owned(), IfExists::Replace).await
    }

    /// Moves the file to its final path as [`persist`](Self::persist) does, unless there is one. The upload is deleted
    /// then.
    ///
    /// # Errors
    /// As those of [`persist`](Self::persist), and 409 if the file exists.
    pub async fn persist_new(self, path: impl AsRef<Path>) -> Result<()> {
        self.move_to(path.as_ref().to_owned(), IfExists::Fail).await
    }

    async fn move_to(self, path: PathBuf, if_exists: IfExists) -> Result<()> {
        let Some(file) = self.file.lock().take() else {
            return Err(Error::internal("the upload has been persisted already"));
        };
        let target = path.clone();
        let moved = blocking(move || move_to(file, &target, if_exists));
        moved.await.map_err(|error| persist_error(error, &path))
    }
}

/// Renames the file, or copies it to another file system. Blocks.
fn move_to(file: NamedTempFile, target: &Path, if_exists: IfExists) -> io::Result<()> {
    file.as_file().sync_data()?;
    let file = match if_exists.persist(file, target) {
        Ok(saved) => return share(&saved),
        Err(failed) if failed.error.kind() == io::ErrorKind::CrossesDevices => failed.file,
        Err(failed) => return Err(failed.error),
    };
    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut copy = temporary_files::create(folder.unwrap_or(Path::new(".")), None)?;
    io::copy(&mut file.reopen()?, &mut copy)?;
    copy.as_file().sync_data()?;
    share(&if_exists.persist(copy, target)?)
}

/// Sets the mode 0644, because a temporary file is readable by its user alone. The umask is not applied: reading it
/// would change it for the whole process.
fn share(file: &std::fs::File) -> io::Result<()> {
    file.set_permissions(Permissions::from_mode(0o644))
}

impl JsonSchema for Upload {
    fn schema_name() -> Cow<'static, str> {
        "Upload".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "binary" })
    }
}
