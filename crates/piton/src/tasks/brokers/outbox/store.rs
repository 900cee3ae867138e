//! [`OutboxStore`]: the entries in the database.

use std::time::Duration;

use super::entry::{OutboxEntry, Refusal, StoredEntry};
use super::tables::Statements;
use crate::db::{Db, FromRow, Tx};
use crate::tasks::brokers::records::{OutboxStats, RefusedTask};
use crate::tasks::clock::{Clock, millis};
use crate::tasks::error::BrokerError;

/// Maximum number of entries that are relayed at once.
pub(super) const MAX_BATCH: usize = 500;

/// Number of bytes from which on no further entry joins a batch, so that memory is bounded.
const MAX_BATCH_BYTES: usize = 4 << 20;

/// Time after which another process may take the lease of one that does not renew it.
const LEASE_TIMEOUT: Duration = Duration::from_secs(3);

/// Number of refused entries from which on the outbox is full.
pub(super) const MAX_REFUSED: u64 = 100_000;

/// Number of refused entries that one transaction moves back.
const MOVED_AT_ONCE: usize = 500;

/// Reads the oldest entries with an id greater than `$1`.
const READ: &str = "SELECT id, entry FROM (
        SELECT id, entry, sum(bytes) OVER (ORDER BY id) - bytes AS bytes_before FROM (
            SELECT id, entry, bytes FROM piton_task_outbox WHERE id > $1 ORDER BY id LIMIT $2
        ) AS oldest
    ) AS batch WHERE bytes_before < $3 ORDER BY id";

const MEASURE: &str = "SELECT id, created_at_ms, (SELECT max(id) FROM piton_task_outbox) AS last_id
    FROM piton_task_outbox WHERE id > $1 ORDER BY id LIMIT 1";

const COUNT_REFUSED: &str =
    "SELECT count(*) FROM (SELECT 1 FROM piton_task_outbox_refused LIMIT $1) AS refused";

const FIND: &str = "SELECT entry, NULL AS reason FROM piton_task_outbox WHERE task_id = $1
    UNION ALL SELECT entry, reason FROM piton_task_outbox_refused WHERE task_id = $1 LIMIT 1";

const REFUSE: &str =
    "INSERT INTO piton_task_outbox_refused (id, task_id, created_at_ms, bytes, entry, reason)
    SELECT id, task_id, created_at_ms, bytes, entry, $2 FROM piton_task_outbox WHERE id = $1";

const LIST_REFUSED: &str = "SELECT task_id, entry, created_at_ms, reason FROM piton_task_outbox_refused ORDER BY id LIMIT $1";

/// Chooses refused entries; `$1` is a task's id, or NULL for all.
const CHOOSE_REFUSED: &str = "SELECT id FROM piton_task_outbox_refused
    WHERE task_id = coalesce($1, task_id) AND id <= $2 ORDER BY id LIMIT $3";

const TAKE_REFUSED: &str =
    "DELETE FROM piton_task_outbox_refused WHERE id = $1 RETURNING task_id, entry";

const PURGE: &str = "DELETE FROM piton_task_outbox_refused WHERE task_id = coalesce($1, task_id)";

const RELEASE: &str = "UPDATE piton_task_outbox_relay SET process = NULL WHERE process = $1";

/// Stores entries, and gives them to one process at a time.
pub(super) struct OutboxStore {
    db: Db,
    statements: &'static Statements,
    clock: Clock,
}

/// The entries of one batch.
pub(super) struct Batch {
    pub entries: Vec<StoredEntry>,
    /// Entries that this program cannot read.
    pub unreadable: Vec<Refusal>,
    /// True if there was nothing behind it.
    pub is_last: bool,
}

/// The oldest entry, and the ids between which all are.
#[derive(FromRow)]
struct Extent {
    id: i64,
    created_at_ms: i64,
    last_id: i64,
}

#[derive(FromRow)]
struct EntryRow {
    id: i64,
    entry: String,
}

#[derive(FromRow)]
struct FoundRow {
    entry: String,
    reason: Option<String>,
}

#[derive(FromRow)]
struct TakenRow {
    task_id: String,
    entry: String,
}

#[derive(FromRow)]
struct RefusedRow {
    task_id: String,
    entry: String,
    created_at_ms: i64,
    reason: String,
}

impl OutboxStore {
    pub fn new(db: Db, clock: Clock) -> Self {
        Self { statements: Statements::of(&db), db, clock }
    }

    pub async fn prepare(&self) -> Result<(), BrokerError> {
        self.statements.create_tables(&self.db, self.clock.now_ms()).await
    }

    /// Stores an entry in the caller's transaction.
    pub async fn add(&self, tx: &mut Tx, entry: &OutboxEntry) -> Result<(), BrokerError> {
        let Some(task) = entry.tracked_task() else { return Ok(()) };
        insert(tx, &task.id, self.clock.now_ms(), entry.to_json()?).await
    }

    /// Takes the lease for a process, or renews it. Returns the id of the outbox, or `None` if another process holds it.
    ///
    /// # Errors
    /// Also if the row of the lease is missing, as if its table were.
    pub async fn lease(&self, process: &str) -> Result<Option<String>, BrokerError> {
        // Alone, not in a transaction: a process that is frozen in one would hold the row for longer than the lease.
        let lease = (process, millis(LEASE_TIMEOUT));
        let outbox: Option<String> = self.db.one(self.statements.lease, lease).await?;
        if outbox.is_none() {
            self.statements.require_row(&self.db).await?;
        }
        Ok(outbox)
    }

    /// Reads the oldest entries with an id greater than `after`.
    pub async fn next_batch(&self, after: i64) -> Result<Batch, BrokerError> {
        let rows: Vec<EntryRow> = self.db.all(READ, (after, MAX_BATCH, MAX_BATCH_BYTES)).await?;
        let bytes: usize = rows.iter().map(|row| row.entry.len()).sum();
        let is_last = rows.len() < MAX_BATCH && bytes < MAX_BATCH_BYTES;
        let mut batch = Batch { entries: Vec::new(), unreadable: Vec::new(), is_last };
        for EntryRow { id, entry } in rows {
            match serde_json::from_str(&entry) {
                Ok(entry) => batch.entries.push(StoredEntry { id, entry }),
                Err(error) => {
                    // Without its text, which may quote the entry.
                    let (line, column) = (error.line(), error.column());
                    let reason = format!(
                        "this version of the program cannot read it: line {line}, column {column}"
                    );
                    batch.unreadable.push(Refusal { id, reason });
                }
            }
        }
        Ok(batch)
    }

    /// Returns whether there is an entry with an id greater than `after`.
    pub async fn has_entries(&self, after: i64) -> Result<bool, BrokerError> {
        let sql = "SELECT id FROM piton_task_outbox WHERE id > $1 ORDER BY id LIMIT 1";
        Ok(self.db.one::<i64>(sql, (after,)).await?.is_some())
    }

    /// Removes entries that were relayed, and puts those that were refused aside.
    pub async fn remove(&self, relayed: &[i64], refusals: &[Refusal]) -> Result<(), BrokerError> {
        let refused = refusals.iter().map(|refusal| refusal.id);
        let ids: Vec<i64> = relayed.iter().copied().chain(refused).collect();
        let ids = serde_json::to_string(&ids).expect("numbers are JSON");
        if refusals.is_empty() {
            self.db.run(self.statements.remove, (ids,)).await?;
            return Ok(());
        }
        let mut tx = self.db.begin().await?;
        for Refusal { id, reason } in refusals {
            tx.run(REFUSE, (*id, reason)).await?;
        }
        tx.run(self.statements.remove, (ids,)).await?;
        Ok(tx.commit().await?)
    }

    /// Ends the lease of a process.
    pub async fn release(&self, process: &str) -> Result<(), BrokerError> {
        self.db.run(RELEASE, (process,)).await?;
        Ok(())
    }

    /// Returns the numbers of the outbox, and the id of the oldest entry. Looks for entries among those with an id greater
    /// than `after`.
    pub async fn measure(&self, after: i64) -> Result<(OutboxStats, Option<i64>), BrokerError> {
        let extent: Option<Extent> = self.db.one(MEASURE, (after,)).await?;
        let refused: i64 = self.db.scalar(COUNT_REFUSED, (MAX_REFUSED,)).await?;
        let age_ms = |extent: &Extent| self.clock.now_ms().saturating_sub(extent.created_at_ms);
        let stats = OutboxStats {
            // Ids have gaps where transactions were rolled back. To count the entries would read all of them.
            waiting: extent.as_ref().map_or(0, |it| (it.last_id - it.id).unsigned_abs() + 1),
            oldest_ms: extent.as_ref().map(age_ms),
            refused: refused.unsigned_abs(),
        };
        Ok((stats, extent.map(|extent| extent.id)))
    }

    /// Returns the entry by whose task a caller asks, and the reason if it was refused.
    pub async fn find(
        &self,
        id: &str,
    ) -> Result<Option<(OutboxEntry, Option<String>)>, BrokerError> {
        let row: Option<FoundRow> = self.db.one(FIND, (id,)).await?;
        Ok(row.and_then(|row| Some((serde_json::from_str(&row.entry).ok()?, row.reason))))
    }

    pub async fn refused(&self, limit: usize) -> Result<Vec<RefusedTask>, BrokerError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows: Vec<RefusedRow> = self.db.all(LIST_REFUSED, (limit,)).await?;
        Ok(rows.into_iter().map(RefusedRow::into_task).collect())
    }

    /// Moves a refused entry back, or all, by the id of its task. Returns the number.
    pub async fn retry(&self, task: Option<&str>) -> Result<u64, BrokerError> {
        // Entries that are refused again meanwhile have greater ids.
        let last_id: Option<i64> =
            self.db.scalar("SELECT max(id) FROM piton_task_outbox_refused", ()).await?;
        let mut total = 0;
        loop {
            let mut tx = self.db.begin().await?;
            let ids: Vec<i64> = tx.all(CHOOSE_REFUSED, (task, last_id, MOVED_AT_ONCE)).await?;
            for id in &ids {
                // Deleted before it is inserted, so that two commands at the same time do not both send it.
                let taken: Option<TakenRow> = tx.one(TAKE_REFUSED, (*id,)).await?;
                if let Some(TakenRow { task_id, entry }) = taken {
                    insert(&mut tx, &task_id, self.clock.now_ms(), entry).await?;
                    total += 1;
                }
            }
            tx.commit().await?;
            if ids.len() < MOVED_AT_ONCE {
                return Ok(total);
            }
        }
    }

    /// Removes a refused entry, or all, by the id of its task. Returns the number.
    pub async fn purge(&self, task: Option<&str>) -> Result<u64, BrokerError> {
        Ok(self.db.run(PURGE, (task,)).await?)
    }
}

async fn insert(
    tx: &mut Tx,
    task_id: &str,
    created_at_ms: i64,
    entry: String,
) -> Result<(), BrokerError> {
    let bytes = i32::try_from(entry.len()).unwrap_or(i32::MAX);
    let sql = "INSERT INTO piton_task_outbox (task_id, created_at_ms, bytes, entry) VALUES ($1, $2, $3, $4)";
    tx.run(sql, (task_id, created_at_ms, bytes, entry)).await?;
    Ok(())
}

impl RefusedRow {
    fn into_task(self) -> RefusedTask {
        let entry: Option<OutboxEntry> = serde_json::from_str(&self.entry).ok();
        let task = entry.as_ref().and_then(OutboxEntry::tracked_task);
        RefusedTask {
            id: self.task_id,
            name: task.map(|task| task.name.clone()).unwrap_or_default(),
            queue: task.map(|task| task.queue.clone()).unwrap_or_default(),
            created_at_ms: self.created_at_ms,
            reason: self.reason,
        }
    }
}
