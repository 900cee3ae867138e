//! graphile-worker on PostgreSQL, measured by `bench/graphile_tasks.mjs`. It stores no results.

use std::env::consts::ARCH;
use std::process::Command;
use std::time::Duration;

use super::piton::CALLERS;
use super::program::{IdleWorker, Numbers, numbers, numbers_while_sending};
use super::storage::{Database, Storage};
use crate::bench::{Effort, killed_with_parent};
use crate::command::{Result, root};

/// Tasks sent in one call.
const BATCH: u64 = 1000;
/// Pause between two tasks at low load.
const PAUSE_MS: u64 = 10;

/// graphile-worker on PostgreSQL.
pub struct Graphile<'a> {
    storage: &'a Storage<'a>,
    url: &'a str,
}

impl<'a> Graphile<'a> {
    /// Returns it on this storage, or `None` if that is not PostgreSQL.
    pub fn on(storage: &'a Storage<'a>) -> Option<Self> {
        match &storage.database {
            Database::Postgres { url, .. } => Some(Self { storage, url }),
            Database::Sqlite { .. } => None,
        }
    }

    /// Measures everything that it has.
    ///
    /// # Errors
    /// When a program cannot be started, or fails.
    pub fn measure(&self, effort: Effort) -> Result<Numbers> {
        let mut all = self.throughput(effort.pick(10_000, 100_000))?;
        all.extend(self.latencies(effort.pick(100, 1000))?);
        let idle = IdleWorker::start(&mut self.command("idle"))?;
        all.extend(idle.measure(Duration::from_secs(effort.pick(5, 20)))?);
        Ok(all)
    }

    fn throughput(&self, count: u64) -> Result<Numbers> {
        // Makes its tables, which is not measured.
        self.run(&format!("send-batches 0 {BATCH}"))?;
        let mut all = Numbers::default();
        let send = || self.run(&format!("send-batches {count} {BATCH}"));
        let (batches, sent) = self.storage.account(count, send)?;
        let consume = || self.run(&format!("worker {count}"));
        let (consumed, ran) = self.storage.account(count, consume)?;
        all.take(&batches, &[("batches_per_second", "sent_per_second")]);
        all.extend(consumed);
        if let (Some(sent), Some(ran)) = (sent, ran) {
            all.set("server_us_per_task", ran.cpu_us);
            all.set("wal_bytes_per_task", sent.wal_bytes + ran.wal_bytes);
        }
        let few = count / 20 / CALLERS * CALLERS;
        let singly = self.run(&format!("send-singly {few} {CALLERS}"))?;
        all.take(&singly, &[("singly_per_second", "sent_per_second")]);
        self.run(&format!("worker {few}"))?;
        Ok(all)
    }

    fn latencies(&self, count: u64) -> Result<Numbers> {
        let mut all = Numbers::default();
        let one = self.run(&format!("worker {count} {PAUSE_MS}"))?;
        all.take(
            &one,
            &[("one_process_p50_ms", "latency_p50_ms"), ("one_process_p99_ms", "latency_p99_ms")],
        );
        let sender = self.command(&format!("send-timed {count} {PAUSE_MS}"));
        all.extend(numbers_while_sending(&mut self.command(&format!("worker {count}")), sender)?);
        Ok(all)
    }

    fn run(&self, arguments: &str) -> Result<Numbers> {
        numbers(&mut self.command(arguments))
    }

    fn command(&self, arguments: &str) -> Command {
        let folder = root().join("target/node/graphile");
        // As npm names processors.
        let arch = if ARCH == "aarch64" { "arm64" } else { "x64" };
        let node = folder.join(format!("node_modules/node-linux-{arch}/bin/node"));
        let mut command = killed_with_parent(&[node.display().to_string()]);
        command.arg(root().join("bench/graphile_tasks.mjs")).arg(self.url);
        command.args(arguments.split_whitespace()).current_dir(folder);
        command
    }
}
