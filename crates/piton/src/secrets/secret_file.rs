//! Secrets in files of their own, as Docker and Kubernetes mount them: `/run/secrets/db`.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::path::Path;

/// Maximum size of a secret. A larger file is the wrong one.
const MAX_BYTES: u64 = 64 * 1024;

/// The reason why a file has no value, as a text that follows the name of the file.
pub(crate) enum SecretFileError {
    Unreadable(io::Error),
    DanglingLink,
    NotRegular,
    TooLarge,
    NotText,
}

impl fmt::Display for SecretFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(error) => write!(f, "cannot be read: {error}"),
            Self::DanglingLink => f.write_str("is a link to a file that does not exist"),
            Self::NotRegular => f.write_str("is not a regular file"),
            Self::TooLarge => f.write_str("is larger than 64KiB"),
            // Not the message of the UTF-8 error, because it quotes bytes, which may be secret.
            Self::NotText => f.write_str("is not UTF-8 text"),
        }
    }
}

/// Reads the content of a file, without the line end after it.
pub(crate) fn read_secret_file(file: File) -> Result<String, SecretFileError> {
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(SecretFileError::Unreadable)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(SecretFileError::TooLarge);
    }
    let text = String::from_utf8(bytes).map_err(|_| SecretFileError::NotText)?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    Ok(line.strip_suffix('\r').unwrap_or(line).to_owned())
}

/// Reads a file that an orchestrator may replace at any moment, without the line end after it. Returns
/// `None` if there is neither a file nor a link of that name.
///
/// Links are followed, because every file that kubelet mounts is one, through `..data`.
pub(crate) fn read_mounted_secret(path: &Path) -> Result<Option<String>, SecretFileError> {
    // A link is tried a second time, because kubelet may have replaced its target while it was followed.
    let file = match open(path) {
        Err(error) if is_absent(&error) && is_link(path) => open(path),
        other => other,
    };
    let file = match file {
        Err(error) if is_absent(&error) && is_link(path) => {
            return Err(SecretFileError::DanglingLink);
        }
        Err(error) if is_absent(&error) => return Ok(None),
        other => other.map_err(SecretFileError::Unreadable)?,
    };
    let is_file = file.metadata().is_ok_and(|about| about.is_file());
    if !is_file {
        return Err(SecretFileError::NotRegular);
    }
    read_secret_file(file).map(Some)
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
