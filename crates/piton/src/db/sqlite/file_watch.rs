//! Watches the SQLite file, and opens it again when it was replaced.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use sqlx::{AssertSqlSafe, Connection, Executor};
use tracing::warn;

use super::database_file::FileChange;
use super::statement::close;
use super::store::Store;
use crate::db::error::{Error, Kind};
use crate::stop_signal::Stop;

/// Interval of checks of the file.
const CHECK_INTERVAL: Duration = Duration::from_millis(500);

/// Maximum time for statements on a replaced file to finish.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);

/// Interval of attempts to close another connection.
const DRAIN_INTERVAL: Duration = Duration::from_millis(10);

/// Minimum free space on a disk that was full, because the service would otherwise become ready for
/// a single page.
const MIN_FREE_BYTES: u64 = 64 * 1024;

impl Store {
    /// Checks whether the file is still the opened one and can be written: every half second, and
    /// when a fault is suspected. Ends at `stop`.
    pub async fn watch(&self, stop: Stop) {
        loop {
            tokio::select! {
                () = tokio::time::sleep(CHECK_INTERVAL) => {}
                () = self.file.suspected() => {}
                () = stop.stopped() => return,
            }
            tokio::select! {
                () = self.check_file() => {}
                () = stop.stopped() => return,
            }
        }
    }

    async fn check_file(&self) {
        match self.file.compare() {
            FileChange::Unchanged => self.file.make_available(),
            FileChange::Missing(why) => {
                if self.file.make_unavailable(&why) || self.log_is_busy.load(Ordering::Relaxed) {
                    // The log is written to the file, wherever it is now, because it may hold
                    // acknowledged writes.
                    self.write_log_back().await;
                }
            }
            // The log is not written back, because it holds some pages only and cannot restore the
            // file.
            FileChange::Emptied(why) => {
                self.file.make_unavailable(&why);
            }
            FileChange::Replaced => self.reopen(&self.file.replaced()).await,
            FileChange::LogReplaced => self.reopen(&self.file.log_replaced()).await,
            FileChange::Relocated => self.reopen(&self.file.relocated()).await,
        }
        if self.file.is_unwritable() && self.probe_write().await.is_ok() {
            self.file.record_write();
        }
    }

    /// Closes all connections, and opens the file that is at the path now.
    async fn reopen(&self, why: &str) {
        if self.file.require_available().is_ok() {
            self.file.make_unavailable(why);
        }
        self.write_log_back().await;
        if self.log_is_busy.load(Ordering::Relaxed) {
            self.file.make_unavailable(&format!(
                "{why}, and another program still reads the earlier state: waiting for it to finish, \
                 to write the acknowledged writes from the log into the file"
            ));
            return;
        }
        if !self.drain().await {
            return;
        }
        if let Some(keeper) = self.keeper.lock().await.take() {
            close(keeper).await;
        }
        if self.file.compare() == FileChange::Replaced
            && let Some(log) = self.file.stale_log()
        {
            self.file.make_unavailable(&self.file.next_to_stale_log(&log));
            return;
        }
        match self.open_replacement().await {
            Ok(()) => warn!("Opened {} again: {why}", self.file.path().display()),
            Err(error) => {
                self.file.make_unavailable(&format!("{why}, and cannot be opened again: {error}"));
            }
        }
    }

    /// Writes the log into the opened file, wherever that is now, and records whether another
    /// program prevents that.
    async fn write_log_back(&self) {
        let mut keeper = self.keeper.lock().await;
        let Some(keeper) = keeper.as_mut() else { return };
        // The first of three columns is read: busy, pages in the log, pages written from it.
        let written =
            sqlx::query_scalar("PRAGMA wal_checkpoint(TRUNCATE)").fetch_optional(keeper).await;
        let is_busy = written.unwrap_or_else(|error| {
            warn!(%error, "Could not write the log back into the database file");
            None::<i64>
        });
        self.log_is_busy.store(is_busy.is_some_and(|busy| busy != 0), Ordering::Relaxed);
    }

    /// Closes the pools' connections as they become free. Returns whether all are closed.
    async fn drain(&self) -> bool {
        let deadline = Instant::now() + DRAIN_TIMEOUT;
        let pools = [&self.pool, &self.internal_pool, &self.batch_pool];
        while pools.iter().any(|pool| pool.size() > 0) {
            match pools.iter().find_map(|pool| pool.try_acquire()) {
                Some(connection) => {
                    let _ = connection.close().await;
                }
                None if Instant::now() >= deadline => return false,
                None => tokio::time::sleep(DRAIN_INTERVAL).await,
            }
        }
        true
    }

    /// Writes one page, by setting the user version to its present value.
    async fn probe_write(&self) -> Result<(), Error> {
        let folder = self.file.path().parent().filter(|it| !it.as_os_str().is_empty());
        let free = rustix::fs::statvfs(folder.unwrap_or(Path::new(".")));
        if free.is_ok_and(|free| free.f_bavail.saturating_mul(free.f_frsize) < MIN_FREE_BYTES) {
            return Err(Error::new(Kind::Unavailable, "the disk is full"));
        }
        let mut keeper = self.keeper.lock().await;
        let Some(keeper) = keeper.as_mut() else {
            return Err(Error::new(Kind::Unavailable, "no connection is open"));
        };
        let mut transaction = keeper.begin_with("BEGIN IMMEDIATE").await?;
        let version: i64 =
            sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut *transaction).await?;
        let same = AssertSqlSafe(format!("PRAGMA user_version = {version}"));
        transaction.execute(same).await?;
        Ok(transaction.commit().await?)
    }
}
