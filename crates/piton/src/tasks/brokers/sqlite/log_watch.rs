//! Notices that any process has written to the database.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::{Instant, sleep, sleep_until};
use tracing::debug;

use super::log_notifications::LogNotifications;

/// Minimum time between two reports, so that a service that writes all the time does not keep its workers busy.
const MIN_INTERVAL: Duration = Duration::from_millis(1);

/// Interval of looks at the log's index, where the system does not report changes.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// Number of bytes at the start of the log's index that change with every transaction: two copies of its header.
/// <https://www.sqlite.org/walformat.html#the_wal_index_header>
const INDEX_HEADER_BYTES: usize = 96;

/// Watches the write-ahead log of a database.
pub(super) struct LogWatch {
    database: PathBuf,
    notifications: Mutex<Option<Arc<LogNotifications>>>,
    last: Mutex<Option<Instant>>,
}

impl LogWatch {
    pub fn new(database: PathBuf) -> Self {
        Self { database, notifications: Mutex::default(), last: Mutex::default() }
    }

    /// Begins to watch, unless it has begun. Waiting begins it too, but does not notice what was written before.
    pub fn begin(&self) {
        self.notifications();
    }

    /// Waits until the log was written since the last call returned. May return without a reason.
    pub async fn changed(&self) {
        match self.notifications() {
            Some(notifications) if notifications.changed().await => {}
            Some(_) => *self.notifications.lock() = None,
            None => poll_index(&self.database).await,
        }
        let next = self.last.lock().map(|last| last + MIN_INTERVAL);
        if let Some(next) = next {
            sleep_until(next).await;
        }
        *self.last.lock() = Some(Instant::now());
    }

    fn notifications(&self) -> Option<Arc<LogNotifications>> {
        let mut notifications = self.notifications.lock();
        if notifications.is_none() {
            match LogNotifications::new(&self.database) {
                Ok(new) => *notifications = Some(Arc::new(new)),
                Err(error) => debug!(%error, "The system does not report changes of the database"),
            }
        }
        notifications.clone()
    }
}

/// Waits until a transaction has changed the log's index. Costs a few microseconds each time, and no connection.
async fn poll_index(database: &Path) {
    let before = index_header(database);
    while index_header(database) == before {
        sleep(POLL_INTERVAL).await;
    }
}

/// Reads the header of the log's index: `None` if there is no index. The file is opened each time, because it may have
/// been replaced.
fn index_header(database: &Path) -> Option<[u8; INDEX_HEADER_BYTES]> {
    let mut name = database.as_os_str().to_owned();
    name.push("-shm");
    let mut header = [0; INDEX_HEADER_BYTES];
    File::open(name).ok()?.read_exact_at(&mut header, 0).ok()?;
    Some(header)
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn write_index(database: &Path, change: u8) {
        let name = format!("{}-shm", database.display());
        std::fs::write(name, [change; INDEX_HEADER_BYTES]).unwrap();
    }

    #[tokio::test]
    async fn without_notifications_a_change_of_the_index_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("shop.db");
        let mut first = Box::pin(poll_index(&database));
        assert!((&mut first).now_or_never().is_none());
        write_index(&database, 1);
        first.await;
        let mut second = Box::pin(poll_index(&database));
        assert!((&mut second).now_or_never().is_none());
        write_index(&database, 2);
        second.await;
    }

    #[tokio::test]
    async fn a_log_is_watched_also_after_it_was_created_again() {
        let folder = tempfile::tempdir().unwrap();
        let (database, log) = (folder.path().join("shop.db"), folder.path().join("shop.db-wal"));
        std::fs::write(&database, "").unwrap();
        let watch = LogWatch::new(database.clone());
        for round in 0..3 {
            let mut changed = Box::pin(watch.changed());
            assert!((&mut changed).now_or_never().is_none(), "round {round}");
            // Another file does not count.
            std::fs::write(folder.path().join("shop.log"), "line").unwrap();
            std::fs::write(&log, "frame").unwrap();
            changed.await;
            drain(&watch).await;
            std::fs::remove_file(&log).unwrap();
        }
    }

    /// Takes the reports of what was written so far: a file that is created and written has several.
    async fn drain(watch: &LogWatch) {
        while tokio::time::timeout(MIN_INTERVAL * 20, watch.changed()).await.is_ok() {}
    }
}
