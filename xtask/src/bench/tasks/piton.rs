//! Piton's tasks, measured by the programs of `bench/piton-tasks`.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use super::program::{IdleWorker, Numbers, numbers, numbers_while_sending};
use super::snapshot::Reader;
use super::storage::{Database, Storage};
use crate::bench::{Effort, PACKAGES, killed_with_parent};
use crate::command::{Cmd, Result, root};

/// Tasks sent in one call.
const BATCH: u64 = 1000;
/// Concurrent callers that send one task each.
pub const CALLERS: u64 = 64;
/// Tasks that a worker runs at the same time.
const CONCURRENCY: u64 = 100;
/// Pause between two tasks at low load.
const PAUSE_MS: u64 = 10;
/// Tasks per second next to a reader.
const STEADY_RATE: u64 = 500;
/// Seconds after the last one was sent in which they must be run.
const STEADY_GRACE_S: u64 = 60;

/// Builds the program.
///
/// # Errors
/// When it does not compile.
pub fn build() -> Result<()> {
    Cmd::new("cargo build --release --quiet --target-dir target").dir(&package()).run()
}

pub fn package() -> PathBuf {
    root().join("bench").join(PACKAGES[8])
}

/// Piton on a storage.
pub struct Piton<'a>(pub &'a Storage<'a>);

impl Piton<'_> {
    /// Measures everything.
    ///
    /// # Errors
    /// When a program cannot be started, or fails.
    pub fn measure(&self, effort: Effort) -> Result<Numbers> {
        let mut all = self.throughput(effort.pick(20_000, 200_000))?;
        all.extend(self.latencies(effort.pick(200, 1000))?);
        let idle = IdleWorker::start(&mut self.command("worker"))?;
        all.extend(idle.measure(Duration::from_secs(effort.pick(5, 20)))?);
        // Last, because it leaves a long log.
        all.extend(self.next_to_snapshot(effort.pick(20, 600))?);
        Ok(all)
    }

    fn throughput(&self, count: u64) -> Result<Numbers> {
        let mut all = Numbers::default();
        let (batches, sent) =
            self.0.account(count, || self.run(&format!("send-batches {count} {BATCH}")))?;
        let (consumed, ran) = self.0.account(count, || self.consume(count))?;
        all.take(&batches, &[("batches_per_second", "sent_per_second")]);
        all.take(
            &consumed,
            &[
                ("consumed_per_second", "consumed_per_second"),
                ("cpu_us_per_task", "cpu_us_per_task"),
            ],
        );
        if let (Some(sent), Some(ran)) = (sent, ran) {
            all.set("server_us_per_task", ran.cpu_us);
            all.set("wal_bytes_per_task", sent.wal_bytes + ran.wal_bytes);
        } else {
            let written = batches.get("written_bytes") + consumed.get("written_bytes");
            all.set("written_bytes_per_task", written / count as f64);
        }
        let parallel = self.run(&format!("send-parallel-batches {count} {BATCH}"))?;
        all.take(&parallel, &[("parallel_batches_per_second", "sent_per_second")]);
        self.consume(count)?;
        let few = count / 10 / CALLERS * CALLERS;
        let singly = self.run(&format!("send-singly {few} {CALLERS}"))?;
        all.take(&singly, &[("singly_per_second", "sent_per_second")]);
        self.consume(few)?;
        Ok(all)
    }

    fn latencies(&self, count: u64) -> Result<Numbers> {
        let goal = count.to_string();
        let mut all = Numbers::default();
        let mut one = self.command("worker");
        one.env("BENCH_CONSUME", &goal).env("BENCH_SEND", format!("{count} {PAUSE_MS}"));
        all.take(
            &numbers(&mut one)?,
            &[("one_process_p50_ms", "latency_p50_ms"), ("one_process_p99_ms", "latency_p99_ms")],
        );
        let mut worker = self.command("worker");
        worker.env("BENCH_CONSUME", &goal);
        let sender = self.command(&format!("send-timed {count} {PAUSE_MS}"));
        all.take(
            &numbers_while_sending(&mut worker, sender)?,
            &[("latency_p50_ms", "latency_p50_ms"), ("latency_p99_ms", "latency_p99_ms")],
        );
        Ok(all)
    }

    /// Measures a steady load while another connection reads from a snapshot. `full` of SQLite is left
    /// out: its log grows as with `normal`.
    fn next_to_snapshot(&self, seconds: u64) -> Result<Numbers> {
        if matches!(self.0.database, Database::Sqlite { synchronous: "full", .. }) {
            return Ok(Numbers::default());
        }
        let reader = Reader::start(&self.0.database)?;
        let mut worker = self.command(&format!("worker --concurrency {CONCURRENCY}"));
        worker.env("BENCH_CONSUME", (STEADY_RATE * seconds).to_string());
        worker.env("BENCH_DEADLINE_S", (seconds + STEADY_GRACE_S).to_string());
        let sender = self.command(&format!("send-steadily {STEADY_RATE} {seconds}"));
        let steady = numbers_while_sending(&mut worker, sender)?;
        let mut all = reader.leftovers((STEADY_RATE * seconds) as f64)?;
        let names = ["first_p50_ms", "last_p50_ms", "last_p99_ms", "unfinished_tasks"];
        all.take(&steady, &names.map(|name| (name, name)));
        Ok(all)
    }

    fn consume(&self, count: u64) -> Result<Numbers> {
        let mut worker = self.command(&format!("worker --concurrency {CONCURRENCY}"));
        numbers(worker.env("BENCH_CONSUME", count.to_string()))
    }

    fn run(&self, arguments: &str) -> Result<Numbers> {
        numbers(&mut self.command(arguments))
    }

    fn command(&self, arguments: &str) -> Command {
        let program = package().join("target/release").join(PACKAGES[8]);
        let mut command = killed_with_parent(&[program.display().to_string()]);
        command.args(arguments.split_whitespace());
        match &self.0.database {
            Database::Sqlite { file, synchronous } => command
                .args(["--set", &format!("db.path={}", file.display())])
                .args(["--set", &format!("db.synchronous={synchronous}")]),
            Database::Postgres { url, .. } => command.args(["--set", &format!("db.url={url}")]),
        };
        command
    }
}
