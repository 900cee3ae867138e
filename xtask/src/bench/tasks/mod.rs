//! `cargo xtask bench tasks`: tasks of a Piton service on SQLite and on PostgreSQL, next to Celery on the
//! same database and on Redis, and to graphile-worker on PostgreSQL.
//!
//! Engine, load and database share the machine, as the workers of a small service do.

mod celery;
mod graphile;
mod naive;
pub mod on_redis;
mod piton;
mod program;
mod snapshot;
mod storage;

use super::Effort;
use super::cache::Redis;
use super::report::{self, Limit, Row};
use crate::command::{Result, bold, say};
use crate::gate::postgres::{self, PostgresServer};
use crate::{install, node, python};

use celery::Celery;
use graphile::Graphile;
use piton::Piton;
use program::Numbers;
use storage::Storage;

const PROGRAMS: [(&str, &str); 2] =
    [("redis-server", "redis-server"), (postgres::PROGRAM, "postgresql-15")];

/// Columns of the report before Piton's. The ratio is that to the first.
const PEERS: [&str; 4] = ["Celery", "Celery on Redis", "graphile-worker", "naive loop"];

/// Measured values in the order of the report: name in the programs' output, description, unit.
const VALUES: [(&str, &str, &str); 22] = [
    ("consumed_per_second", "run and results stored, tasks/s", ""),
    ("cpu_us_per_task", "processor time of the worker a task", "µs"),
    ("server_us_per_task", "processor time of PostgreSQL a task", "µs"),
    ("batches_per_second", "sent in batches of 1,000, tasks/s", ""),
    ("parallel_batches_per_second", "sent in such batches by four callers, tasks/s", ""),
    ("singly_per_second", "sent one by one by 64 callers, tasks/s", ""),
    ("one_process_p50_ms", "sent to started in one process, p50", "ms"),
    ("one_process_p99_ms", "sent to started in one process, p99", "ms"),
    ("latency_p50_ms", "sent to started in another process, p50", "ms"),
    ("latency_p99_ms", "sent to started in another process, p99", "ms"),
    ("wal_bytes_per_task", "WAL a task", "bytes"),
    ("written_bytes_per_task", "written to log and file a task", "bytes"),
    ("dead_rows", "next to a snapshot: dead rows of the tasks' table at the end", ""),
    ("table_mb", "next to a snapshot: size of the tasks' table at the end", "MB"),
    ("log_mb", "next to a snapshot: size of the log at the end", "MB"),
    ("log_bytes_per_task", "next to a snapshot: log a task", "bytes"),
    ("first_p50_ms", "next to a snapshot: sent to started at first, p50", "ms"),
    ("last_p50_ms", "next to a snapshot: sent to started at last, p50", "ms"),
    ("last_p99_ms", "next to a snapshot: sent to started at last, p99", "ms"),
    ("unfinished_tasks", "next to a snapshot: tasks not run a minute later", ""),
    ("idle_memory_mb", "memory of an idle worker", "MB"),
    ("idle_cpu_percent", "processor time of an idle worker", "% of a core"),
];

const NOTE: &str = "\
Everything runs on the same processors: engine, sender and database. PostgreSQL's commits wait for the disk (`fsync` and
`synchronous_commit` are on).

- *Celery* is on the database of its row, by its SQLAlchemy transport (`sqla+sqlite`, `sqla+postgresql`) and result backend (`db+`); SQLite's file
  has a log and the same `synchronous` as Piton's. It has no call that sends many, and sends from 8 threads instead of 64 callers. It polls once a
  second. The ratio is to it. *Celery on Redis* has two worker processes as well; it stores nothing on disk.
- *graphile-worker* runs 100 tasks at a time with the batches of its documentation (`localQueue`, `completeJobBatchDelay`). It stores no results.
- *naive loop* is a loop in Python with one table, batches of 100, and none of an engine's guarantees: what the machine allows on SQLite.
- A worker of Piton runs 100 tasks at a time. Low load is a task every 10 ms.
- WAL a task: how far PostgreSQL's log has moved while tasks were sent in batches and run, images of whole pages included. Written a task, on
  SQLite: what sender and worker wrote (`wchar` of `/proc/self/io`): the log, and the file at checkpoints.
- Next to a snapshot: 500 tasks per second for ten minutes, while another connection keeps a transaction open that has read the tasks' table
  before. First and last are the minutes of the sending.
- Memory of an idle worker: resident; of Celery's processes the sum of their shares (PSS).";

/// Measures, prints, and writes `bench/results/tasks.md`. Returns whether all limits are met.
///
/// # Errors
/// When something cannot be built, started or measured.
pub fn run(effort: Effort) -> Result<bool> {
    install::debian(&PROGRAMS)?;
    python::install(&["celery", "celery_sql"])?;
    node::install(&["graphile"])?;
    piton::build()?;
    let server = PostgresServer::start_durable()?;
    let redis = Redis::start()?;
    let on_redis = measured("Celery on Redis", || Celery::on_redis(&redis).measure(effort, None))?;
    let piton = Storage::all(&server, "piton")?;
    let celery = Storage::all(&server, "celery")?;
    let graphile = Storage::all(&server, "graphile")?;
    let naive = Storage::all(&server, "naive")?;
    let mut rows = Vec::new();
    for (((piton, celery), graphile), naive) in piton.iter().zip(&celery).zip(&graphile).zip(&naive)
    {
        let name = piton.name;
        let naive = naive::measure(naive, effort)?;
        let own = measured(&format!("Piton on {name}"), || Piton(piton).measure(effort))?;
        let same = measured(&format!("Celery on {name}"), || {
            Celery::on(celery)?.measure(effort, Some(celery))
        })?;
        let other = Graphile::on(graphile).map(|graphile| {
            measured(&format!("graphile-worker on {name}"), || graphile.measure(effort))
        });
        let peers = [same, on_redis.clone(), other.transpose()?.unwrap_or_default(), naive];
        rows.extend(rows_of(piton, &own, &peers));
    }
    say(&format!("\n{}", report::wide_table(&PEERS, &rows)));
    if effort == Effort::Full {
        let title = "Tasks on SQLite and PostgreSQL next to Celery and graphile-worker";
        let page = report::wide_page(title, "cargo xtask bench tasks", NOTE, &PEERS, &rows);
        report::write("tasks", &page)?;
        say("written to bench/results/tasks.md");
    }
    Ok(rows.iter().all(|row| row.is_ok() != Some(false)))
}

fn measured(what: &str, measure: impl FnOnce() -> Result<Numbers>) -> Result<Numbers> {
    say(&bold(&format!("measuring {what}")));
    measure()
}

/// Returns a row for each value that Piton has on this storage, or should have.
fn rows_of(storage: &Storage<'_>, piton: &Numbers, peers: &[Numbers; 4]) -> Vec<Row> {
    let row = |(name, what, unit): (&str, &str, &'static str)| {
        let [first, further @ ..] = peers.each_ref().map(|peer| peer.get(name));
        let values = [first, piton.get(name)];
        let row = Row::new(format!("{}: {what}", storage.name), unit, values, storage.limit(name));
        Row { further: further.to_vec(), ..row }
    };
    let rows = VALUES.into_iter().map(row);
    rows.filter(|row| !row.piton.is_nan() || row.limit != Limit::None).collect()
}
