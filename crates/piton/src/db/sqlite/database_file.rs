//! Detects that the file on disk behind the open connections was moved, replaced or deleted.
//!
//! SQLite continues with such a file, and its writes are then lost. So the file's identity is
//! recorded when it is opened, and compared with the file at its path before a write is
//! acknowledged, by the health check, and every half second.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use tracing::{info, warn};

use crate::db::error::{Error, FaultScope, Kind};

/// A database's file, its identity when it was opened, and its faults.
pub(super) struct DatabaseFile {
    path: PathBuf,
    opened: Mutex<Option<Arc<OpenedFiles>>>,
    /// The reason why statements are refused; `None` while they are run.
    unavailable: watch::Sender<Option<String>>,
    faults: Mutex<FileFaults>,
    suspicion: Notify,
}

/// The names and identities of the files when they were opened.
struct OpenedFiles {
    /// The path without symbolic links. SQLite resolves links too, and keeps the log and its index
    /// next to the file itself.
    resolved: PathBuf,
    file: FileId,
    log: LogFile,
    /// The log's index, `-shm`.
    index: LogFile,
}

/// A file that SQLite keeps next to the database.
struct LogFile {
    path: PathBuf,
    /// The identity when it was opened. `None` where there was no such file.
    id: Option<FileId>,
}

impl LogFile {
    fn next_to(database: &Path, suffix: &str) -> Self {
        let path = with_suffix(database, suffix);
        Self { id: FileId::of(&path).ok(), path }
    }

    /// Returns whether the file existed, and was deleted or replaced since.
    fn is_replaced(&self) -> bool {
        self.id.is_some() && FileId::of(&self.path).ok() != self.id
    }
}

/// The identity of a file, which stays the same when the file is renamed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FileId {
    device: rustix::fs::Dev,
    inode: u64,
}

impl FileId {
    /// Reads the identities from the operating system.
    fn of(path: &Path) -> io::Result<Self> {
        Ok(rustix::fs::stat(path)?.into())
    }
}

impl From<rustix::fs::Stat> for FileId {
    fn from(stat: rustix::fs::Stat) -> Self {
        Self { device: stat.st_dev, inode: stat.st_ino }
    }
}

/// Faults that the database itself reported.
#[derive(Default)]
struct FileFaults {
    /// The reason why the last write failed.
    unwritable: Option<String>,
    /// The report of a damaged page. Cleared only by another file, or by a restart after a repair.
    damaged: Option<String>,
}

/// The change of the file at the path since it was opened.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum FileChange {
    Unchanged,
    /// The file is the same, but its write-ahead log or that log's index was deleted or replaced.
    LogReplaced,
    /// The file is the same, but now reached by a symbolic link to another place, where SQLite would
    /// look for another log.
    Relocated,
    Replaced,
    /// No file is at the path, or it cannot be examined.
    Missing(String),
    /// The file is the same, and has been emptied.
    Emptied(String),
}

impl DatabaseFile {
    pub fn new(path: PathBuf) -> Self {
        Self {
            path,
            opened: Mutex::default(),
            unavailable: watch::Sender::new(None),
            faults: Mutex::default(),
            suspicion: Notify::new(),
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Records the file at the path as the opened one, without faults.
    ///
    /// # Errors
    /// [`Kind::Unavailable`] if it no longer exists.
    pub fn record_opened(&self) -> Result<(), Error> {
        let resolved = std::fs::canonicalize(&self.path).map_err(|error| self.lost(&error))?;
        let opened = OpenedFiles {
            file: FileId::of(&resolved).map_err(|error| self.lost(&error))?,
            log: LogFile::next_to(&resolved, "-wal"),
            index: LogFile::next_to(&resolved, "-shm"),
            resolved,
        };
        *self.opened.lock() = Some(Arc::new(opened));
        *self.faults.lock() = FileFaults::default();
        self.unavailable.send_replace(None);
        Ok(())
    }

    fn opened(&self) -> Option<Arc<OpenedFiles>> {
        self.opened.lock().clone()
    }

    /// Compares the file at the path with the opened one.
    pub fn compare(&self) -> FileChange {
        let compared = self.compare_file_and_log();
        let (FileChange::Unchanged, Some(opened)) = (&compared, self.opened()) else {
            return compared;
        };
        if std::fs::canonicalize(&self.path).is_ok_and(|now| now != opened.resolved) {
            return FileChange::Relocated;
        }
        // Checked last, because no write is lost by another index: other processes would only lock
        // another one than this process.
        if opened.index.is_replaced() { FileChange::LogReplaced } else { FileChange::Unchanged }
    }

    /// Compares the parts that a write needs. Costs two calls of `stat`: 3 µs, where an insert
    /// takes SQLite alone 23 µs.
    fn compare_file_and_log(&self) -> FileChange {
        let Some(opened) = self.opened() else { return FileChange::Unchanged };
        match rustix::fs::stat(&self.path) {
            Err(error) => return FileChange::Missing(self.lost(&error.into()).to_string()),
            Ok(stat) if FileId::from(stat) != opened.file => return FileChange::Replaced,
            // A file with a log was not empty when it was opened, because the journal mode is stored
            // on its first page.
            Ok(stat) if stat.st_size == 0 && opened.log.id.is_some() => {
                let path = self.path.display();
                let why = format!(
                    "{path} was emptied while it was in use: put a copy of the data in its place"
                );
                return FileChange::Emptied(why);
            }
            Ok(_) => {}
        }
        if opened.log.is_replaced() { FileChange::LogReplaced } else { FileChange::Unchanged }
    }

    /// Returns an error if the file is not the opened one.
    ///
    /// # Errors
    /// [`Kind::Unavailable`], with the reason.
    pub fn verify(&self) -> Result<(), Error> {
        self.require_same(self.compare_file_and_log())
    }

    /// Returns an error if a connection that is opened now could use another file or log than those
    /// before it.
    ///
    /// # Errors
    /// [`Kind::Unavailable`], with the reason.
    pub fn verify_new_connection(&self) -> Result<(), Error> {
        self.require_same(self.compare())
    }

    fn require_same(&self, compared: FileChange) -> Result<(), Error> {
        let why = match compared {
            FileChange::Unchanged => return Ok(()),
            FileChange::Missing(why) | FileChange::Emptied(why) => why,
            FileChange::Replaced => self.replaced(),
            FileChange::LogReplaced => self.log_replaced(),
            FileChange::Relocated => self.relocated(),
        };
        self.suspicion.notify_one();
        Err(Error::new(Kind::Unavailable, why))
    }

    /// Does the same as [`verify`](Self::verify) after a write, which must not be acknowledged if
    /// it went to another file.
    ///
    /// # Errors
    /// Those of [`verify`](Self::verify).
    pub fn verify_write(&self) -> Result<(), Error> {
        self.verify()
            .map_err(|error| error.while_doing("whether this write is kept is not known"))?;
        self.record_write();
        Ok(())
    }

    /// Returns an error if statements are refused now.
    ///
    /// # Errors
    /// [`Kind::Unavailable`], with the reason.
    pub fn require_available(&self) -> Result<(), Error> {
        match &*self.unavailable.borrow() {
            None => Ok(()),
            Some(why) => Err(Error::new(Kind::Unavailable, why.clone())),
        }
    }

    /// Waits until statements are refused, and returns the reason.
    pub async fn unavailable(&self) -> Error {
        let mut reason = self.unavailable.subscribe();
        let why = reason.wait_for(Option::is_some).await.ok().and_then(|why| why.clone());
        Error::new(Kind::Unavailable, why.unwrap_or_default())
    }

    /// Returns an error if the database cannot do its work.
    ///
    /// # Errors
    /// [`Kind::Unavailable`] or [`Kind::Other`], with the reason.
    pub fn check(&self) -> Result<(), Error> {
        self.require_available()?;
        self.verify()?;
        let faults = self.faults.lock();
        match (&faults.damaged, &faults.unwritable) {
            (Some(why), _) => {
                Err(Error::new(Kind::Other, format!("{} is damaged: {why}", self.path.display())))
            }
            (None, Some(why)) => {
                Err(Error::new(Kind::Unavailable, format!("the last write failed: {why}")))
            }
            (None, None) => Ok(()),
        }
    }

    /// Begins to refuse statements. Returns whether the reason is new.
    pub fn make_unavailable(&self, why: &str) -> bool {
        let is_new = self.unavailable.borrow().as_deref() != Some(why);
        if is_new {
            warn!("The database cannot be used, requests that need it get 503: {why}");
            self.unavailable.send_replace(Some(why.to_owned()));
        }
        is_new
    }

    /// Allows statements again, because the opened file is at its path.
    pub fn make_available(&self) {
        if self.unavailable.borrow().is_some() {
            self.unavailable.send_replace(None);
            info!("The database file {} is back", self.path.display());
        }
    }

    /// Records an error about the file.
    pub fn record_fault(&self, error: &Error) {
        let mut faults = self.faults.lock();
        let recorded = match error.scope() {
            FaultScope::FileUnwritable => &mut faults.unwritable,
            FaultScope::FileDamaged => &mut faults.damaged,
            _ => return,
        };
        if recorded.is_none() {
            warn!(%error, "The database file has a fault: the service is not ready until it is repaired");
            *recorded = Some(error.to_string());
        }
        drop(faults);
        self.suspicion.notify_one();
    }

    /// Returns whether the last write failed.
    pub fn is_unwritable(&self) -> bool {
        self.faults.lock().unwritable.is_some()
    }

    /// Records a successful write.
    pub fn record_write(&self) {
        let mut faults = self.faults.lock();
        if faults.unwritable.take().is_some() {
            info!("The database can be written again");
        }
    }

    /// Waits until a fault is suspected.
    pub async fn suspected(&self) {
        self.suspicion.notified().await;
    }

    /// Returns the log next to the file at the path if that log belongs to the opened file and is
    /// not empty. Another file must not be opened next to it, because SQLite would apply the log to
    /// that file.
    pub fn stale_log(&self) -> Option<PathBuf> {
        let opened = self.opened()?;
        let log = with_suffix(&std::fs::canonicalize(&self.path).ok()?, "-wal");
        let is_empty = std::fs::metadata(&log).is_ok_and(|log| log.len() == 0);
        let is_stale = opened.log.id.is_some() && opened.log.id == FileId::of(&log).ok();
        (is_stale && !is_empty).then_some(log)
    }

    /// Returns the reason to report when another file is at the path.
    pub fn replaced(&self) -> String {
        format!("{} was replaced by another file while it was in use", self.path.display())
    }

    /// Returns the reason to report when the log or its index is no longer the opened one.
    pub fn log_replaced(&self) -> String {
        let path = self.path.display();
        format!("the write-ahead log of {path} was deleted or replaced while it was in use")
    }

    /// Returns the reason to report when the path leads to the same file at another place.
    pub fn relocated(&self) -> String {
        let path = self.path.display();
        format!(
            "{path} became a link to another place, or a link to it changed, while it was in use"
        )
    }

    /// Returns the reason to report when another file is next to `log`, that of the earlier one.
    pub fn next_to_stale_log(&self, log: &Path) -> String {
        format!(
            "{}, and {} still belongs to the earlier one: stop the service and remove that log",
            self.replaced(),
            log.display()
        )
    }

    fn lost(&self, error: &io::Error) -> Error {
        let path = self.path.display();
        let why = if error.kind() == io::ErrorKind::NotFound {
            format!(
                "{path} was moved or deleted while it was in use: put it back, or restart the service to create a new one"
            )
        } else {
            format!("{path} cannot be examined any more: {error}")
        };
        Error::new(Kind::Unavailable, why)
    }
}

/// Returns the path of a file that SQLite keeps next to the database.
pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_of_the_file_are_distinguished() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let write = |name: &str| std::fs::write(at(name), "x").unwrap();
        write("a.db");
        write("a.db-wal");
        write("a.db-shm");
        let file = DatabaseFile::new(at("a.db"));
        assert_eq!(file.compare(), FileChange::Unchanged, "nothing is opened yet");
        file.record_opened().unwrap();
        assert_eq!(file.compare(), FileChange::Unchanged);
        assert!(file.stale_log().is_some());

        std::fs::rename(at("a.db-shm"), at("index")).unwrap();
        assert_eq!(file.compare(), FileChange::LogReplaced);
        file.verify_write().unwrap();
        std::fs::rename(at("index"), at("a.db-shm")).unwrap();

        std::fs::rename(at("a.db-wal"), at("log")).unwrap();
        assert_eq!(file.compare(), FileChange::LogReplaced);
        assert!(file.verify_write().is_err());
        write("a.db-wal");
        assert_eq!(file.compare(), FileChange::LogReplaced);
        std::fs::rename(at("log"), at("a.db-wal")).unwrap();
        assert_eq!(file.compare(), FileChange::Unchanged);

        std::fs::rename(at("a.db"), at("b.db")).unwrap();
        assert!(matches!(file.compare(), FileChange::Missing(_)));
        assert!(file.verify_write().unwrap_err().to_string().contains("was moved or deleted"));
        write("a.db");
        assert_eq!(file.compare(), FileChange::Replaced);
        std::fs::rename(at("b.db"), at("a.db")).unwrap();
        assert_eq!(file.compare(), FileChange::Unchanged);

        std::fs::File::create(at("a.db")).unwrap();
        assert!(matches!(file.compare(), FileChange::Emptied(_)));
    }

    #[test]
    fn the_log_of_a_link_is_next_to_its_target() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in ["real", "other"] {
            std::fs::create_dir(at(name)).unwrap();
        }
        for name in ["real/y.db", "real/y.db-wal", "real/y.db-shm"] {
            std::fs::write(at(name), "x").unwrap();
        }
        std::os::unix::fs::symlink("real/y.db", at("x.db")).unwrap();
        let file = DatabaseFile::new(at("x.db"));
        file.record_opened().unwrap();
        assert!(file.stale_log().unwrap().ends_with("real/y.db-wal"));
        std::fs::rename(at("real/y.db-wal"), at("log")).unwrap();
        assert_eq!(file.compare(), FileChange::LogReplaced);
        assert!(file.verify_write().is_err());
        std::fs::rename(at("log"), at("real/y.db-wal")).unwrap();
        std::fs::remove_file(at("real/y.db-shm")).unwrap();
        assert_eq!(file.compare(), FileChange::LogReplaced);
        std::fs::write(at("real/y.db-shm"), "x").unwrap();
        file.record_opened().unwrap();
        assert_eq!(file.compare(), FileChange::Unchanged);

        // The same file at another place: a new connection would use a log there.
        std::fs::rename(at("real/y.db"), at("other/y.db")).unwrap();
        std::fs::remove_file(at("x.db")).unwrap();
        std::os::unix::fs::symlink("other/y.db", at("x.db")).unwrap();
        assert_eq!(file.compare(), FileChange::Relocated);
        assert!(file.verify_new_connection().is_err());
        assert_eq!(file.stale_log(), None);
    }
}
