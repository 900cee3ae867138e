//! Secrets in files that an orchestrator mounts and may replace while the service runs.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind};
use std::path::Path;

use super::secret_file::{SecretFileError, read_secret_file};

/// The reason why a mounted file has no value, as a text that follows the name of the file.
pub(crate) enum MountedSecretError {
    DanglingLink,
    NotRegular,
    File(SecretFileError),
}

impl fmt::Display for MountedSecretError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DanglingLink => f.write_str("is a link to a file that does not exist"),
            Self::NotRegular => f.write_str("is not a regular file"),
            Self::File(error) => error.fmt(f),
        }
    }
}

impl From<SecretFileError> for MountedSecretError {
    fn from(error: SecretFileError) -> Self {
        Self::File(error)
    }
}

/// Reads a file that an orchestrator may replace at any moment, without the line end after it. Returns
/// `None` if there is neither a file nor a link of that name.
///
/// Links are followed, because every file that kubelet mounts is one, through `..data`.
pub(crate) fn read_mounted_secret(path: &Path) -> Result<Option<String>, MountedSecretError> {
    // A link is tried a second time, because kubelet may have replaced its target while it was followed.
    let file = match open(path) {
        Err(error) if is_absent(&error) && is_link(path) => open(path),
        other => other,
    };
    let file = match file {
        Err(error) if is_absent(&error) && is_link(path) => {
            return Err(MountedSecretError::DanglingLink);
        }
        Err(error) if is_absent(&error) => return Ok(None),
        other => other.map_err(SecretFileError::Unreadable)?,
    };
    let is_file = file.metadata().is_ok_and(|about| about.is_file());
    if !is_file {
        return Err(MountedSecretError::NotRegular);
    }
    Ok(Some(read_secret_file(file)?))
}

/// Returns whether the file does not exist, or its folder is a file.
fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

fn is_link(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|about| about.is_symlink())
}

#[cfg(unix)]
fn open(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;

    // Opening a named pipe without a writer would otherwise block indefinitely.
    OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)
}

#[cfg(not(unix))]
fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).open(path)
}
