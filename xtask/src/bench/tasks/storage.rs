//! Databases that tasks are stored in, and the limits that each must meet.

use std::fs;
use std::path::{Path, PathBuf};

use super::program::{Numbers, empty_folder};
use crate::bench::db::{empty_database, psql};
use crate::bench::processes;
use crate::bench::report::Limit;
use crate::command::Result;
use crate::gate::postgres::PostgresServer;

/// A database, empty at first, for one engine.
pub struct Storage<'a> {
    pub name: &'static str,
    pub database: Database<'a>,
}

pub enum Database<'a> {
    Sqlite { file: PathBuf, synchronous: &'static str },
    Postgres { server: &'a PostgresServer, url: String },
}

impl<'a> Storage<'a> {
    /// Returns an empty one for each kind of storage. `engine` names their files and databases.
    ///
    /// # Errors
    /// When one cannot be made.
    pub fn all(server: &'a PostgresServer, engine: &str) -> Result<[Self; 3]> {
        Ok([
            Self::sqlite("SQLite, normal", engine, "normal")?,
            Self::sqlite("SQLite, full", engine, "full")?,
            Self { name: "PostgreSQL", database: Database::postgres(server, engine)? },
        ])
    }

    fn sqlite(name: &'static str, engine: &str, synchronous: &'static str) -> Result<Self> {
        let file = empty_folder(&format!("{engine}-{synchronous}"))?.join("tasks.db");
        Ok(Self { name, database: Database::Sqlite { file, synchronous } })
    }

    /// Returns the limits of Piton on this storage, by the name of the value: those of the project's
    /// issue about tasks.
    pub fn limit(&self, name: &str) -> Limit {
        let [consumed, batches, latency_ms] = match &self.database {
            Database::Sqlite { synchronous: "normal", .. } => [40_000.0, 100_000.0, 2.0],
            Database::Sqlite { .. } => [25_000.0, 100_000.0, 2.0],
            Database::Postgres { .. } => [25_000.0, 30_000.0, 5.0],
        };
        match name {
            "consumed_per_second" => Limit::PitonFrom(consumed),
            "batches_per_second" => Limit::PitonFrom(batches),
            "one_process_p50_ms" | "latency_p50_ms" => Limit::PitonTo(latency_ms),
            "idle_memory_mb" => Limit::PitonTo(15.0),
            "idle_cpu_percent" => Limit::PitonTo(1.0),
            _ => Limit::None,
        }
    }

    /// Runs `work`, and returns its numbers with the database's own part of it: WAL and processor time
    /// per task. Nothing is added for SQLite, which runs in the process of its user.
    ///
    /// # Errors
    /// When `work` fails, or the database does not respond.
    pub fn account(
        &self,
        count: u64,
        work: impl FnOnce() -> Result<Numbers>,
    ) -> Result<(Numbers, Option<Share>)> {
        let Database::Postgres { server, url } = &self.database else { return Ok((work()?, None)) };
        let now = || {
            Ok::<_, Box<dyn std::error::Error>>((
                wal_bytes(url)?,
                processes::cpu_time(server.pid())?,
            ))
        };
        let (wal, cpu) = now()?;
        let numbers = work()?;
        let (wal_after, cpu_after) = now()?;
        let per_task = |value: f64| value / count as f64;
        let share = Share {
            wal_bytes: per_task(wal_after - wal),
            cpu_us: per_task((cpu_after - cpu).as_secs_f64() * 1e6),
        };
        Ok((numbers, Some(share)))
    }

    /// Returns the size of SQLite's log in bytes.
    ///
    /// # Errors
    /// When it is not there.
    pub fn log_size(file: &Path) -> Result<f64> {
        let log = file.with_extension("db-wal");
        let size = fs::metadata(&log).map_err(|error| format!("{}: {error}", log.display()))?.len();
        Ok(size as f64)
    }
}

impl<'a> Database<'a> {
    /// Creates a database on the server.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn postgres(server: &'a PostgresServer, engine: &str) -> Result<Self> {
        let url = empty_database(server.url(), &format!("bench_{engine}"))?;
        Ok(Self::Postgres { server, url })
    }
}

/// The database's part of the work for one task.
#[derive(Clone, Copy, Debug)]
pub struct Share {
    pub wal_bytes: f64,
    pub cpu_us: f64,
}

// The position of insertion, because what is written may not be flushed yet.
fn wal_bytes(url: &str) -> Result<f64> {
    Ok(psql(url, "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')")?.parse()?)
}
