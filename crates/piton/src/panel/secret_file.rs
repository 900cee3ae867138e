//! A value in a file of its own, as a page reads it: what is wrong with the file is part of the answer.

use std::fs::{File, OpenOptions};
use std::io::{Error, ErrorKind};
use std::path::Path;

use crate::config::value_file::{self, Trouble};

/// The content without the line end behind it; `None` where no file is there, and no link either.
///
/// Links are followed, as every file that kubelet mounts is one, by way of `..data`.
pub(super) fn read(path: &Path) -> Result<Option<String>, String> {
    // Once more for a link: kubelet may have exchanged what it led to while it was followed.
    let file = match open(path) {
        Err(error) if is_absent(&error) && is_link(path) => open(path),
        other => other,
    };
    let file = match file {
        Err(error) if is_absent(&error) && is_link(path) => {
            return Err("is a link to what is not there".to_owned());
        }
        Err(error) if is_absent(&error) => return Ok(None),
        other => other.map_err(|error| Trouble::Unreadable(error).to_string())?,
    };
    let is_file = file.metadata().is_ok_and(|about| about.is_file());
    if !is_file {
        return Err("is no regular file".to_owned());
    }
    value_file::text(file).map(Some).map_err(|trouble| trouble.to_string())
}

/// Also where a file lies in the way of the folder.
fn is_absent(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

fn is_link(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|about| about.is_symlink())
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
