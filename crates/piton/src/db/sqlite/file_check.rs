//! Checks before opening whether a file can be a database, because the operating system's errors are
//! exact where SQLite's is "unable to open database file".

use std::fs::{self, DirBuilder, OpenOptions};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::database_file::with_suffix;
use crate::db::error::{Error, Kind};

const FIX: &str = "set db.path or db.url to a file that the service may read and write, or change the permissions";

/// Checks the file, the files next to it and their folder. Opens no database. Blocks.
///
/// # Errors
/// [`Kind::Unavailable`]. Permanent where waiting does not help: a folder in the file's place,
/// missing permission, a read-only disk.
pub(super) fn check(path: &Path, create: bool) -> Result<(), Error> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        check_folder(folder)?;
    }
    let exists = check_file(path)?;
    if !exists && !create {
        let why = "does not exist, and `mode=rw` in db.url creates none";
        return Err(refuse(path, why).permanent());
    }
    // The target is checked, because SQLite resolves links and keeps these files next to the target.
    let target = target(path);
    for suffix in ["-wal", "-shm", "-journal"] {
        check_file(&with_suffix(&target, suffix))?;
    }
    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    // The folder must be writable, because SQLite keeps a log next to the database while it is open.
    let access = rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK;
    rustix::fs::access(folder, access)
        .map_err(|error| of_io(folder, &error.into(), "write to the folder"))
}

/// Creates the folder of the file, for the service's user only: it holds password hashes and
/// tokens. Blocks.
///
/// # Errors
/// Those of [`check`].
pub(super) fn create_folder(folder: &Path) -> Result<(), Error> {
    if folder.as_os_str().is_empty() {
        return Ok(());
    }
    check_folder(folder)?;
    let created = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    created.map_err(|error| of_io(folder, &error, "create the folder"))
}

/// Returns the file that SQLite opens or creates for `path`, with links resolved.
fn target(path: &Path) -> PathBuf {
    if let Ok(resolved) = fs::canonicalize(path) {
        return resolved;
    }
    match fs::read_link(path) {
        // A dangling link is followed, because SQLite creates its target, next to the link if it is
        // relative.
        Ok(link) => path.parent().map_or_else(|| link.clone(), |folder| folder.join(&link)),
        Err(_) => path.to_owned(),
    }
}

/// Returns whether the file exists.
fn check_file(path: &Path) -> Result<bool, Error> {
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            // A dangling link counts as missing, because SQLite creates the file at its target.
            return Ok(false);
        }
        Err(error) => return Err(of_io(path, &error, "open")),
    };
    if metadata.is_dir() {
        return Err(refuse(path, "is a folder, not a file").permanent());
    }
    if !metadata.is_file() {
        return Err(refuse(path, "is not a regular file").permanent());
    }
    match OpenOptions::new().read(true).write(true).open(path) {
        Ok(_) => Ok(true),
        Err(error) => Err(of_io(path, &error, "open for reading and writing")),
    }
}

fn check_folder(folder: &Path) -> Result<(), Error> {
    match fs::metadata(folder) {
        Ok(metadata) if metadata.is_dir() => Ok(()),
        Ok(_) => Err(refuse(folder, "is not a folder").permanent()),
        // A missing folder is accepted, because it is created next.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(of_io(folder, &error, "look into the folder")),
    }
}

fn refuse(path: &Path, why: &str) -> Error {
    Error::new(Kind::Unavailable, format!("{} {why}: {FIX}", path.display()))
}

/// Returns the error of a failed `attempt` on `path`.
fn of_io(path: &Path, error: &io::Error, attempt: &str) -> Error {
    let error_text = format!("{attempt} {}: {error}", path.display());
    if !is_permanent(error) {
        return Error::new(Kind::Unavailable, error_text);
    }
    Error::new(Kind::Unavailable, format!("{error_text}: {FIX}")).permanent()
}

/// Returns whether waiting cannot resolve it. A full disk, too many open files or a failing disk
/// may pass.
fn is_permanent(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(
            libc::EACCES
                | libc::EPERM
                | libc::EROFS
                | libc::EEXIST
                | libc::EISDIR
                | libc::ENOTDIR
                | libc::ENAMETOOLONG
                | libc::ELOOP
                | libc::EINVAL
        )
    )
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_path_that_cannot_be_a_database_is_a_permanent_error() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("folder")).unwrap();
        fs::write(at("file"), "").unwrap();
        fs::write(at("x.db"), "").unwrap();
        fs::create_dir(at("x.db-wal")).unwrap();
        symlink(at("loop"), at("loop")).unwrap();
        symlink(at("x.db"), at("link.db")).unwrap();
        let long = "x".repeat(300);
        for (path, why) in [
            (at("folder"), "is a folder, not a file"),
            (at("file/x.db"), "is not a folder"),
            (at("x.db"), "x.db-wal is a folder"),
            (at("link.db"), "x.db-wal is a folder"),
            (at("loop"), "loop"),
            (at(&long), "long"),
            ("/dev/null".into(), "is not a regular file"),
        ] {
            let error = check(&path, true).unwrap_err();
            assert!(error.is_permanent() && error.to_string().contains(why), "{error}");
        }
        assert!(check(&at("missing"), false).unwrap_err().is_permanent());
        check(&at("missing"), true).unwrap();
        check(&at("file"), false).unwrap();
    }

    #[test]
    fn faults_that_may_pass_are_not_permanent() {
        for code in
            [libc::ENOSPC, libc::EMFILE, libc::ENFILE, libc::EIO, libc::ESTALE, libc::EDQUOT]
        {
            let error = of_io(Path::new("x"), &io::Error::from_raw_os_error(code), "open");
            assert!(!error.is_permanent(), "{error}");
        }
    }
}
