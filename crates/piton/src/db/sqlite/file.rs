//! Watches the file on disk behind the open connections.
//!
//! SQLite goes on with a file that was moved, replaced or deleted, and its writes are then lost. So
//! the file's identity is remembered when it is opened, and compared with the file at its path
//! before a write is acknowledged, by the health check, and every half second.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use tokio::sync::{Notify, watch};
use tracing::{info, warn};

use crate::db::error::{Error, Kind, StorageFault};

/// A database's file, its identity when it was opened, and its faults.
pub(super) struct DatabaseFile {
    path: PathBuf,
    log: PathBuf,
    index: PathBuf,
    opened: Mutex<Option<Opened>>,
    /// The reason why statements are refused; `None` while they are run.
    gone: watch::Sender<Option<String>>,
    faults: Mutex<Faults>,
    suspicion: Notify,
}

/// The identities of the files when they were opened.
#[derive(Clone, Copy)]
struct Opened {
    file: FileId,
    /// The write-ahead log. `None` where there is none.
    log: Option<FileId>,
    /// The log's index, `-shm`.
    index: Option<FileId>,
}

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
struct Faults {
    /// The reason why the last write failed.
    unwritable: Option<String>,
    /// The report of a damaged page. Cleared only by another file, or by a restart after a repair.
    damaged: Option<String>,
}

/// The result of comparing the path with the opened file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Same,
    /// The file is the same, but its write-ahead log or that log's index was deleted or replaced.
    LogReplaced,
    Replaced,
    /// No file is at the path, or it cannot be examined.
    Missing(String),
    /// The file is the same, and has been emptied.
    Emptied(String),
}

impl DatabaseFile {
    pub fn new(path: PathBuf) -> Self {
        Self {
            log: beside(&path, "-wal"),
            index: beside(&path, "-shm"),
            path,
            opened: Mutex::default(),
            gone: watch::Sender::new(None),
            faults: Mutex::default(),
            suspicion: Notify::new(),
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Remembers the file at the path as the opened one, without faults.
    ///
    /// # Errors
    /// [`Kind::Unavailable`] if it no longer exists.
    pub fn remember(&self) -> Result<(), Error> {
        let file = FileId::of(&self.path).map_err(|error| self.lost(&error))?;
        let (log, index) = (FileId::of(&self.log).ok(), FileId::of(&self.index).ok());
        let opened = Opened { file, log, index };
        *self.opened.lock().unwrap_or_else(PoisonError::into_inner) = Some(opened);
        *self.faults.lock().unwrap_or_else(PoisonError::into_inner) = Faults::default();
        self.gone.send_replace(None);
        Ok(())
    }

    /// Compares the file at the path with the opened one.
    pub fn compare(&self) -> Comparison {
        let index =
            self.opened.lock().unwrap_or_else(PoisonError::into_inner).and_then(|it| it.index);
        match self.compare_file_and_log() {
            // Other processes would lock another index than this one. No write is lost by that, so
            // it is reported last.
            Comparison::Same if index.is_some() && FileId::of(&self.index).ok() != index => {
                Comparison::LogReplaced
            }
            compared => compared,
        }
    }

    /// Compares the parts that a write needs. Costs two calls of `stat`: 3 µs, where an insert
    /// takes SQLite alone 23 µs.
    fn compare_file_and_log(&self) -> Comparison {
        let opened = *self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(opened) = opened else { return Comparison::Same };
        match rustix::fs::stat(&self.path) {
            Err(error) => return Comparison::Missing(self.lost(&error.into()).to_string()),
            Ok(stat) if FileId::from(stat) != opened.file => return Comparison::Replaced,
            // The journal mode is stored on the first page, so a file with a log was not empty when
            // it was opened.
            Ok(stat) if stat.st_size == 0 && opened.log.is_some() => {
                let path = self.path.display();
                let why = format!(
                    "{path} was emptied while it was in use: put a copy of the data in its place"
                );
                return Comparison::Emptied(why);
            }
            Ok(_) => {}
        }
        match opened.log {
            Some(log) if FileId::of(&self.log).ok() != Some(log) => Comparison::LogReplaced,
            _ => Comparison::Same,
        }
    }

    /// Returns an error if the file is not the opened one.
    ///
    /// # Errors
    /// [`Kind::Unavailable`], with the reason.
    pub fn verify(&self) -> Result<(), Error> {
        let why = match self.compare_file_and_log() {
            Comparison::Same => return Ok(()),
            Comparison::Missing(why) | Comparison::Emptied(why) => why,
            Comparison::Replaced => self.replaced(),
            Comparison::LogReplaced => {
                format!("{} was deleted or replaced while it was in use", self.log.display())
            }
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
        self.written();
        Ok(())
    }

    /// Returns an error if statements are refused now.
    ///
    /// # Errors
    /// [`Kind::Unavailable`], with the reason.
    pub fn usable(&self) -> Result<(), Error> {
        match &*self.gone.borrow() {
            None => Ok(()),
            Some(why) => Err(Error::new(Kind::Unavailable, why.clone())),
        }
    }

    /// Waits until statements are refused, and returns the reason.
    pub async fn unusable(&self) -> Error {
        let mut gone = self.gone.subscribe();
        let why = gone.wait_for(Option::is_some).await.ok().and_then(|why| why.clone());
        Error::new(Kind::Unavailable, why.unwrap_or_default())
    }

    /// Returns an error if the database cannot do its work.
    ///
    /// # Errors
    /// [`Kind::Unavailable`] or [`Kind::Other`], with the reason.
    pub fn check(&self) -> Result<(), Error> {
        self.usable()?;
        self.verify()?;
        let faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
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
    pub fn give_up(&self, why: &str) -> bool {
        let new = self.gone.borrow().as_deref() != Some(why);
        if new {
            warn!("The database cannot be used, requests that need it get 503: {why}");
            self.gone.send_replace(Some(why.to_owned()));
        }
        new
    }

    /// Allows statements again, because the opened file is at its path.
    pub fn is_back(&self) {
        if self.gone.borrow().is_some() {
            self.gone.send_replace(None);
            info!("The database file {} is back", self.path.display());
        }
    }

    /// Records an error about the file.
    pub fn note(&self, error: &Error) {
        let Some(fault) = error.storage() else { return };
        let mut faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        let noted = match fault {
            StorageFault::Unwritable => &mut faults.unwritable,
            StorageFault::Damaged => &mut faults.damaged,
        };
        if noted.is_none() {
            warn!(%error, "The database file has a fault: the service is not ready until that is mended");
            *noted = Some(error.to_string());
        }
        drop(faults);
        self.suspicion.notify_one();
    }

    /// Returns whether the last write failed.
    pub fn is_unwritable(&self) -> bool {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner).unwritable.is_some()
    }

    /// Records a successful write.
    pub fn written(&self) {
        let mut faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        if faults.unwritable.take().is_some() {
            info!("The database can be written again");
        }
    }

    /// Waits until a fault is suspected.
    pub async fn suspected(&self) {
        self.suspicion.notified().await;
    }

    /// Returns whether the log at the path belongs to the opened file and is not empty. Another
    /// file must not be opened next to it, because SQLite would apply the log to that file.
    pub fn has_stale_log(&self) -> bool {
        let opened = *self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        let is_empty = std::fs::metadata(&self.log).is_ok_and(|log| log.len() == 0);
        !is_empty
            && opened.is_some_and(|it| it.log.is_some() && it.log == FileId::of(&self.log).ok())
    }

    /// Returns the reason to report when another file is at the path.
    pub fn replaced(&self) -> String {
        format!("{} was replaced by another file while it was in use", self.path.display())
    }

    /// Returns the reason to report when another file is next to the earlier one's log.
    pub fn stale_log(&self) -> String {
        format!(
            "{}, and {} still belongs to the earlier one: stop the service and remove that log",
            self.replaced(),
            self.log.display()
        )
    }

    fn lost(&self, error: &io::Error) -> Error {
        let path = self.path.display();
        let why = if error.kind() == io::ErrorKind::NotFound {
            format!(
                "{path} was moved or deleted while it was in use: put it back, or restart the service to begin a new one"
            )
        } else {
            format!("{path} cannot be looked at any more: {error}")
        };
        Error::new(Kind::Unavailable, why)
    }
}

/// Returns the path of a file that SQLite keeps next to the database.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happens_to_the_file_is_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let write = |name: &str| std::fs::write(at(name), "x").unwrap();
        write("a.db");
        write("a.db-wal");
        write("a.db-shm");
        let file = DatabaseFile::new(at("a.db"));
        assert_eq!(file.compare(), Comparison::Same, "nothing is opened yet");
        file.remember().unwrap();
        assert_eq!(file.compare(), Comparison::Same);
        assert!(file.has_stale_log());

        std::fs::rename(at("a.db-shm"), at("index")).unwrap();
        assert_eq!(file.compare(), Comparison::LogReplaced);
        file.verify_write().unwrap();
        std::fs::rename(at("index"), at("a.db-shm")).unwrap();

        std::fs::rename(at("a.db-wal"), at("log")).unwrap();
        assert_eq!(file.compare(), Comparison::LogReplaced);
        assert!(file.verify_write().is_err());
        write("a.db-wal");
        assert_eq!(file.compare(), Comparison::LogReplaced);
        std::fs::rename(at("log"), at("a.db-wal")).unwrap();
        assert_eq!(file.compare(), Comparison::Same);

        std::fs::rename(at("a.db"), at("b.db")).unwrap();
        assert!(matches!(file.compare(), Comparison::Missing(_)));
        assert!(file.verify_write().unwrap_err().to_string().contains("was moved or deleted"));
        write("a.db");
        assert_eq!(file.compare(), Comparison::Replaced);
        std::fs::rename(at("b.db"), at("a.db")).unwrap();
        assert_eq!(file.compare(), Comparison::Same);

        std::fs::File::create(at("a.db")).unwrap();
        assert!(matches!(file.compare(), Comparison::Emptied(_)));
    }
}
