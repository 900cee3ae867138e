//! Creates temporary files, and deletes those of processes that were killed.
//!
//! A process keeps its temporary files locked, and the lock ends with the process. So a file that can be locked was left
//! by a process that has ended.

use std::collections::HashSet;
use std::fs::{self, DirEntry, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::{Duration, SystemTime};

use parking_lot::Mutex;
use rustix::fs::OFlags;
use tempfile::{Builder, NamedTempFile};
use tracing::{info, warn};

const PREFIX: &str = ".upload-";
const SUFFIX: &str = ".part";

/// Minimum age of a file that is deleted. A new file is not locked yet for a moment.
const MIN_AGE: Duration = Duration::from_secs(60);

/// Maximum number of folders that are cleaned by one process.
const MAX_FOLDERS: usize = 256;

static CLEANED: LazyLock<Mutex<HashSet<PathBuf>>> = LazyLock::new(Mutex::default);

/// Creates a temporary file in `folder`, readable by the user of this process alone unless `permissions` say otherwise.
/// Blocks.
pub(super) fn create(folder: &Path, permissions: Option<Permissions>) -> io::Result<NamedTempFile> {
    let mut builder = Builder::new();
    builder.prefix(PREFIX).suffix(SUFFIX);
    if let Some(permissions) = permissions {
        builder.permissions(permissions);
    }
    let file = builder.tempfile_in(folder)?;
    lock(file.as_file());
    Ok(file)
}

/// Locks a temporary file for as long as it is open.
fn lock(file: &File) {
    // Ignored, because on a file system without locks no file can be locked, and none is deleted.
    let _ = file.try_lock();
}

/// Deletes the temporary files in `folder` that no process has locked, in the background, the first time that the
/// folder is used.
pub(super) fn clean_once(folder: &Path) {
    let mut cleaned = CLEANED.lock();
    if cleaned.len() >= MAX_FOLDERS || cleaned.contains(folder) {
        return;
    }
    cleaned.insert(folder.to_owned());
    drop(cleaned);
    let folder = folder.to_owned();
    tokio::task::spawn_blocking(move || match clean(&folder) {
        Ok(0) => {}
        Ok(count) => {
            let folder = folder.display();
            info!(count, "Deleted unfinished uploads of a process that was killed, in {folder}");
        }
        Err(error) => {
            warn!(%error, "Could not look for unfinished uploads in {}", folder.display());
        }
    });
}

/// Deletes the temporary files in `folder` that no process has locked. Returns their number.
fn clean(folder: &Path) -> io::Result<usize> {
    let mut deleted = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if is_stale(&entry) && fs::remove_file(entry.path()).is_ok() {
            deleted += 1;
        }
    }
    Ok(deleted)
}

fn is_stale(entry: &DirEntry) -> bool {
    let name = entry.file_name();
    let is_temporary = name
        .to_str()
        .is_some_and(|name| name.strip_prefix(PREFIX).is_some_and(|rest| rest.ends_with(SUFFIX)));
    is_temporary && is_old(entry).unwrap_or(false) && is_unlocked(&entry.path())
}

fn is_old(entry: &DirEntry) -> io::Result<bool> {
    let modified = entry.metadata()?.modified()?;
    let age = SystemTime::now().duration_since(modified).unwrap_or_default();
    Ok(age >= MIN_AGE)
}

fn is_unlocked(path: &Path) -> bool {
    // Another user of `/tmp` may have put a pipe or a link there.
    let flags = (OFlags::NONBLOCK | OFlags::NOFOLLOW).bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path);
    file.is_ok_and(|file| file.try_lock().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn create(folder: &Path, name: &str, age: Duration) -> File {
        let file = File::create(folder.join(name)).unwrap();
        file.set_modified(SystemTime::now() - age).unwrap();
        file
    }

    #[test]
    fn only_old_temporary_files_without_a_lock_are_deleted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        drop(create(path, ".upload-left.part", MIN_AGE * 2));
        drop(create(path, ".upload-new.part", Duration::ZERO));
        drop(create(path, "upload-other.part", MIN_AGE * 2));
        let locked = create(path, ".upload-locked.part", MIN_AGE * 2);
        lock(&locked);
        let copy = locked.try_clone().unwrap();
        drop(locked);
        assert_eq!(clean(path).unwrap(), 1);
        assert!(!path.join(".upload-left.part").exists());
        drop(copy);
        assert_eq!(clean(path).unwrap(), 1, "its process has closed it");
        assert_eq!(fs::read_dir(path).unwrap().count(), 2);
    }
}
