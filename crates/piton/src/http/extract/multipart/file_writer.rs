//! Writes a file under a temporary name, in pieces, on threads for blocking calls.

use std::fs::{File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::{NamedTempFile, PersistError};

use super::errors::disk_error;
use super::temporary_files;
use crate::error::{Error, Result};

/// Number of bytes that are collected before they are written: each write is a change of threads.
const WRITE_SIZE: usize = 64 << 10;

/// The permissions of a new file, less those that the process's umask takes away.
const FILE_MODE: u32 = 0o666;

/// The treatment of a file that has the name already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum IfExists {
    Replace,
    /// Keeps it, and responds with 409.
    Fail,
}

impl IfExists {
    /// Gives `file` its name.
    pub fn persist(self, file: NamedTempFile, target: &Path) -> Result<File, PersistError> {
        match self {
            Self::Replace => file.persist(target),
            Self::Fail => file.persist_noclobber(target),
        }
    }
}

/// Returns the response for a file that cannot have the name `path`: 409 if another has it, and must keep it.
#[cold]
pub(super) fn persist_error(error: io::Error, path: &Path) -> Error {
    match error.kind() {
        io::ErrorKind::AlreadyExists => {
            Error::conflict("a file of this name exists").caused_by(error)
        }
        _ => disk_error(error, "save", path),
    }
}

/// A file that is being written. Dropped unfinished, it is deleted.
pub(super) struct FileWriter {
    file: NamedTempFile,
    /// The same file, for the threads that write it.
    writer: Arc<File>,
    buffer: Vec<u8>,
}

impl FileWriter {
    /// Creates a file with a temporary name in `folder`. With `is_private`, only the user of this process may read it.
    pub async fn create(folder: &Path, is_private: bool) -> Result<Self> {
        temporary_files::clean_once(folder);
        let path = folder.to_owned();
        let created = blocking(move || {
            let permissions = (!is_private).then(|| Permissions::from_mode(FILE_MODE));
            let file = temporary_files::create(&path, permissions)?;
            let writer = Arc::new(file.as_file().try_clone()?);
            Ok(Self { file, writer, buffer: Vec::with_capacity(WRITE_SIZE) })
        });
        created.await.map_err(|error| disk_error(error, "create a file in", folder))
    }

    /// Appends a piece.
    pub async fn write(&mut self, piece: &[u8]) -> Result<()> {
        self.buffer.extend_from_slice(piece);
        if self.buffer.len() >= WRITE_SIZE { self.flush().await } else { Ok(()) }
    }

    async fn flush(&mut self) -> Result<()> {
        let (writer, buffer) = (self.writer.clone(), std::mem::take(&mut self.buffer));
        let written = blocking(move || {
            (&*writer).write_all(&buffer)?;
            Ok(buffer)
        });
        let path = self.file.path();
        self.buffer = written.await.map_err(|error| disk_error(error, "write", path))?;
        self.buffer.clear();
        Ok(())
    }

    /// Ends the file and gives it its name, which it has only once its content is on the disk.
    pub async fn persist(mut self, path: PathBuf, if_exists: IfExists) -> Result<()> {
        self.flush().await?;
        let Self { file, writer, .. } = self;
        let target = path.clone();
        let persisted = blocking(move || {
            // Before the name: after a crash of the system, the name would be that of an empty file.
            writer.sync_data()?;
            if_exists.persist(file, &target).map(drop).map_err(io::Error::from)
        });
        persisted.await.map_err(|error| persist_error(error, &path))
    }

    /// Ends the file, which keeps its temporary name.
    pub async fn finish(mut self) -> Result<NamedTempFile> {
        self.flush().await?;
        Ok(self.file)
    }
}

/// Runs `work` on a thread for blocking calls.
pub(super) async fn blocking<R: Send + 'static>(
    work: impl FnOnce() -> io::Result<R> + Send + 'static,
) -> io::Result<R> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}
