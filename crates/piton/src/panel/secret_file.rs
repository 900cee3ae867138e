//! A value in a file of its own, as a page reads it: what is wrong with the file is part of the answer.

use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::path::Path;

use crate::config::value_file::{self, Trouble};

/// The content without the line end behind it; `None` where no file is there.
///
/// Links are followed, as every file that kubelet mounts is one, by way of `..data`.
pub(super) fn read(path: &Path) -> Result<Option<String>, String> {
    let file = match open(path) {
        // A file lies in the way of the folder.
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        other => other.map_err(|error| Trouble::Unreadable(error).to_string())?,
    };
    let is_file = file.metadata().is_ok_and(|about| about.is_file());
    if !is_file {
        return Err("is no regular file".to_owned());
    }
    value_file::text(file).map(Some).map_err(|trouble| trouble.to_string())
}

/// Without waiting: to open a pipe that nobody writes to would take for ever.
#[cfg(unix)]
fn open(path: &Path) -> std::io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;

    OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)
}

#[cfg(not(unix))]
fn open(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().read(true).open(path)
}
