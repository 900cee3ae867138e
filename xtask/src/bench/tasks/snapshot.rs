//! Holds a snapshot of the database, as a long report or a backup does, and reads what cannot be
//! removed because of it.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::program::Numbers;
use super::storage::{Database, Storage};
use crate::bench::db::psql;
use crate::bench::killed_with_parent;
use crate::command::{Result, pause};
use crate::gate::postgres;

const POSTGRES: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM piton_tasks;\n";

/// Program for Python, whose library has SQLite. It ends when its input does.
const SQLITE: &str = "\
import sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.execute('BEGIN')
print(database.execute('SELECT count(*) FROM piton_tasks').fetchone()[0], flush=True)
sys.stdin.read()";

/// Time in which PostgreSQL's processes report what they have counted.
const STATISTICS_DELAY: Duration = Duration::from_secs(2);

/// A connection with an open transaction that has read the tasks. Closed when dropped.
pub struct Reader<'a> {
    child: Child,
    database: &'a Database<'a>,
}

impl<'a> Reader<'a> {
    /// Opens the transaction and reads. The table must exist.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn start(database: &'a Database<'a>) -> Result<Self> {
        let mut command = match database {
            Database::Sqlite { file, .. } => {
                let mut python = killed_with_parent(&[super::celery::python("celery_sql")]);
                python.args(["-c", SQLITE]).arg(file);
                python
            }
            Database::Postgres { url, .. } => {
                // As autovacuum does every minute, so that a short run is planned as a long one: with
                // the statistics of a table that is empty between two bursts.
                psql(url, "VACUUM ANALYZE piton_tasks")?;
                psql_reading_its_input(url)
            }
        };
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut reader = Self { child, database };
        if let (Database::Postgres { .. }, Some(input)) = (database, reader.child.stdin.as_mut()) {
            input.write_all(POSTGRES.as_bytes())?;
        }
        let mut line = String::new();
        if let Some(output) = reader.child.stdout.take() {
            BufReader::new(output).read_line(&mut line)?;
        }
        let _: u64 = line.trim().parse().map_err(|_| "the snapshot's reader has failed")?;
        Ok(reader)
    }

    /// Returns what is left after so many tasks, while the snapshot is held.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn leftovers(&self, tasks: f64) -> Result<Numbers> {
        let mut numbers = Numbers::default();
        match self.database {
            Database::Sqlite { file, .. } => {
                let bytes = Storage::log_size(file)?;
                numbers.set("log_mb", bytes / 1e6);
                numbers.set("log_bytes_per_task", bytes / tasks);
            }
            Database::Postgres { url, .. } => {
                pause(STATISTICS_DELAY);
                let dead =
                    "SELECT n_dead_tup FROM pg_stat_user_tables WHERE relname = 'piton_tasks'";
                numbers.set("dead_rows", psql(url, dead)?.parse()?);
                let size = psql(url, "SELECT pg_total_relation_size('piton_tasks')")?;
                numbers.set("table_mb", size.parse::<f64>()? / 1e6);
            }
        }
        Ok(numbers)
    }
}

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        // Errors are ignored, because both fail only after its exit.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn psql_reading_its_input(url: &str) -> Command {
    let program = postgres::PROGRAM.replace("bin/postgres", "bin/psql");
    let mut command = killed_with_parent(&[program]);
    command.args(["--quiet", "--no-psqlrc", "--tuples-only", "--no-align", url]);
    command
}
