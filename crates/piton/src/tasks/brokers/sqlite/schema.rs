//! The tables of tasks.
//!
//! `piton_tasks` has only tasks that have not ended, so that it and its indices stay small however long the history
//! is. A later feature that needs more of a task adds a column that may be NULL and a partial index of the rows where
//! it is not: tasks that do not use the feature cost nothing then.
//!
//! A task that has no time before which it must not start stands in one of two tables of numbers: `piton_task_ready`
//! or, once a worker has it, `piton_task_claims`. A claim moves it from one to the other and does not write the row of
//! the task again, which has the message. Triggers keep both true whoever inserts, moves or deletes tasks.

use sqlx::Row;

use super::statements::{fetch, no_arguments};
use crate::db::{SqliteInternal, Tx};
use crate::tasks::brokers::database::error::other_version;
use crate::tasks::error::BrokerError;

/// The version of the tables below.
const VERSION: i64 = 2;

/// The partial indices stand for the sets that statements look for, such as by queue what is due next. The message is
/// the last column, because SQLite reads a row from its start.
const TABLES: [&str; 18] = [
    "CREATE TABLE piton_tasks (
        key INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        name TEXT NOT NULL,
        queue TEXT NOT NULL,
        priority INTEGER NOT NULL,
        state INTEGER NOT NULL, -- 0 ready or claimed, 1 scheduled
        due_at_ms INTEGER,
        expires_at_ms INTEGER,
        created_at_ms INTEGER NOT NULL,
        retries INTEGER NOT NULL,
        losses INTEGER NOT NULL DEFAULT 0,
        revoked INTEGER NOT NULL DEFAULT 0,
        error TEXT,
        progress TEXT,
        parent_id TEXT,
        group_id TEXT,
        group_index INTEGER,
        message TEXT NOT NULL
    ) STRICT",
    "CREATE INDEX piton_tasks_scheduled ON piton_tasks (queue, due_at_ms) WHERE state = 1",
    "CREATE INDEX piton_tasks_revoked ON piton_tasks (revoked) WHERE revoked = 1",
    "CREATE INDEX piton_tasks_parent ON piton_tasks (parent_id) WHERE parent_id IS NOT NULL",
    "CREATE TABLE piton_task_ready (
        queue TEXT NOT NULL,
        priority INTEGER NOT NULL,
        key INTEGER NOT NULL,
        PRIMARY KEY (queue, priority, key)
    ) STRICT, WITHOUT ROWID",
    "CREATE TABLE piton_task_claims (key INTEGER PRIMARY KEY, worker INTEGER NOT NULL) STRICT",
    "CREATE TRIGGER piton_tasks_inserted AFTER INSERT ON piton_tasks WHEN NEW.state = 0 BEGIN
        INSERT INTO piton_task_ready (queue, priority, key) VALUES (NEW.queue, NEW.priority, NEW.key);
    END",
    "CREATE TRIGGER piton_tasks_due AFTER UPDATE OF state ON piton_tasks WHEN OLD.state = 1 AND NEW.state = 0 BEGIN
        INSERT INTO piton_task_ready (queue, priority, key) VALUES (NEW.queue, NEW.priority, NEW.key);
    END",
    "CREATE TRIGGER piton_tasks_moved AFTER UPDATE OF queue, priority ON piton_tasks WHEN NEW.state = 0 BEGIN
        UPDATE piton_task_ready SET queue = NEW.queue, priority = NEW.priority
        WHERE queue = OLD.queue AND priority = OLD.priority AND key = NEW.key;
    END",
    "CREATE TRIGGER piton_tasks_deleted AFTER DELETE ON piton_tasks WHEN OLD.state = 0 BEGIN
        DELETE FROM piton_task_ready WHERE queue = OLD.queue AND priority = OLD.priority AND key = OLD.key;
        DELETE FROM piton_task_claims WHERE key = OLD.key;
    END",
    "CREATE TABLE piton_task_results (
        id TEXT NOT NULL PRIMARY KEY,
        name TEXT NOT NULL,
        queue TEXT NOT NULL,
        state INTEGER NOT NULL, -- 3 success, 4 failure, 5 revoked
        priority INTEGER NOT NULL,
        retries INTEGER NOT NULL,
        losses INTEGER NOT NULL,
        created_at_ms INTEGER NOT NULL,
        due_at_ms INTEGER,
        started_at_ms INTEGER,
        finished_at_ms INTEGER NOT NULL,
        result TEXT,
        traceback TEXT,
        progress TEXT,
        parent_id TEXT,
        group_id TEXT,
        group_index INTEGER,
        worker TEXT,
        message TEXT
    ) STRICT, WITHOUT ROWID",
    "CREATE INDEX piton_task_results_finished ON piton_task_results (state, finished_at_ms)",
    "CREATE INDEX piton_task_results_group ON piton_task_results (group_id) WHERE group_id IS NOT NULL",
    "CREATE TABLE piton_task_workers (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL,
        queues TEXT NOT NULL,
        concurrency INTEGER NOT NULL,
        started_at_ms INTEGER NOT NULL,
        lease_until_ms INTEGER NOT NULL
    ) STRICT",
    "CREATE TABLE piton_task_queues (name TEXT NOT NULL PRIMARY KEY, paused_at_ms INTEGER) STRICT",
    "CREATE TABLE piton_task_crons (
        name TEXT NOT NULL PRIMARY KEY,
        last_tick_ms INTEGER NOT NULL,
        paused_at_ms INTEGER
    ) STRICT",
    "CREATE TABLE piton_task_groups (
        id TEXT NOT NULL PRIMARY KEY,
        size INTEGER NOT NULL,
        done INTEGER NOT NULL,
        summary TEXT NOT NULL,
        created_at_ms INTEGER NOT NULL
    ) STRICT",
    "CREATE TABLE piton_task_schema (version INTEGER NOT NULL) STRICT",
];

/// Creates the tables, unless they exist.
pub(super) async fn prepare(internal: &SqliteInternal) -> Result<(), BrokerError> {
    if is_current(internal).await? {
        return Ok(());
    }
    let mut tx = internal.begin().await?;
    create(&mut tx).await?;
    Ok(tx.commit().await?)
}

/// Returns whether the tables exist.
///
/// # Errors
/// They are those of another version.
async fn is_current(internal: &SqliteInternal) -> Result<bool, BrokerError> {
    let known = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'piton_task_schema')";
    let mut connection = internal.connection().await?;
    let rows = fetch(&mut connection, known, no_arguments()).await;
    let rows = rows.map_err(|error| internal.error(error))?;
    if !rows.first().is_some_and(|row| row.get_unchecked(0)) {
        return Ok(false);
    }
    let rows =
        fetch(&mut connection, "SELECT version FROM piton_task_schema", no_arguments()).await;
    let rows = rows.map_err(|error| internal.error(error))?;
    match rows.first().map_or(0, |row| row.get_unchecked(0)) {
        VERSION => Ok(true),
        version => Err(other_version(version, VERSION)),
    }
}

async fn create(tx: &mut Tx) -> Result<(), BrokerError> {
    // Another process may have been first while this one waited to write.
    let exists: i64 = tx
        .scalar("SELECT count(*) FROM sqlite_schema WHERE name = 'piton_task_schema'", ())
        .await?;
    if exists > 0 {
        return Ok(());
    }
    for table in TABLES {
        tx.run(table, ()).await?;
    }
    tx.run("INSERT INTO piton_task_schema (version) VALUES ($1)", (VERSION,)).await?;
    Ok(())
}
