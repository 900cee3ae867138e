//! `cargo xtask bench tasks --broker redis`: Celery, BullMQ and Piton on one Redis server.

use std::env::consts::ARCH;
use std::process::Command;
use std::time::Duration;

use super::celery::Celery;
use super::measured;
use super::piton::{self, CALLERS};
use super::program::{IdleWorker, Numbers, numbers, numbers_while_sending};
use crate::bench::cache::Redis;
use crate::bench::report::{self, Limit, Row};
use crate::bench::{Effort, PACKAGES, killed_with_parent, processes};
use crate::command::{Result, root, say};
use crate::{install, node, python};

/// Tasks that a worker runs at the same time. Celery's has two processes.
const CONCURRENCY: u64 = 100;
/// Pause between two tasks at low load: 20 a second.
const PAUSE_MS: u64 = 50;

/// Columns of the report before Piton's. The ratio is that to the first.
const PEERS: [&str; 2] = ["Celery", "BullMQ"];

/// Measured values in the order of the report: name, description, unit, limit of Piton.
const VALUES: [(&str, &str, &str, Limit); 9] = [
    ("ignored_per_second", "run, results ignored, tasks/s", "", Limit::RatioFrom(50.0)),
    ("stored_per_second", "run and results stored, tasks/s", "", Limit::RatioFrom(40.0)),
    ("sent_one_per_second", "sent one after the other, tasks/s", "", Limit::RatioFrom(5.0)),
    ("sent_many_per_second", "sent by 64 callers, tasks/s", "", Limit::RatioFrom(40.0)),
    ("latency_p50_ms", "sent to started in another process, p50", "ms", Limit::PitonTo(2.0)),
    ("latency_p99_ms", "sent to started in another process, p99", "ms", Limit::None),
    ("idle_memory_mb", "memory of an idle worker", "MB", Limit::PitonTo(15.0)),
    ("ignored_server_us", "processor time of Redis a task, results ignored", "µs", Limit::None),
    ("stored_server_us", "processor time of Redis a task, results stored", "µs", Limit::None),
];

const NOTE: &str = "\
Everything runs on the same processors: worker, sender and one Redis server, which stores nothing on disk.

- *Celery*: a worker of two processes (prefork), `acks_late`, prefetching 100. It sends one after the other, and from 8 threads instead of 64 callers, at
  which it is about as fast as it gets. The ratio is to it.
- *BullMQ*: a worker that runs 100 tasks at a time. Without results completed jobs are removed, with results they are kept.
- A worker of Piton runs 100 tasks at a time. Low load is a task every 50 ms.
- Processor time of Redis: while tasks are run, without their sending.
- Memory of an idle worker: resident; of Celery's processes the sum of their shares (PSS).";

/// Measures, prints, and writes `bench/results/tasks-redis.md`. Returns whether all limits are met.
///
/// # Errors
/// When something cannot be built, started or measured.
pub fn run(effort: Effort) -> Result<bool> {
    install::debian(&[("redis-server", "redis-server")])?;
    python::install(&["celery"])?;
    node::install(&["bullmq"])?;
    piton::build()?;
    let celery = measured("Celery on Redis", || celery(effort))?;
    let bullmq = measured("BullMQ on Redis", || BullMq::start()?.measure(effort))?;
    let own = measured("Piton on Redis", || Own::start()?.measure(effort))?;
    let row = |(name, what, unit, limit): (&str, &str, &'static str, Limit)| {
        let row = Row::new(what.to_owned(), unit, [celery.get(name), own.get(name)], limit);
        Row { further: vec![bullmq.get(name)], ..row }
    };
    let rows: Vec<Row> = VALUES.into_iter().map(row).collect();
    say(&format!("\n{}", report::wide_table(&PEERS, &rows)));
    if effort == Effort::Full {
        let title = "Tasks on Redis next to Celery and BullMQ";
        let command = "cargo xtask bench tasks --broker redis";
        let page = report::wide_page(title, command, NOTE, &PEERS, &rows);
        report::write("tasks-redis", &page)?;
        say("written to bench/results/tasks-redis.md");
    }
    Ok(rows.iter().all(|row| row.is_ok() != Some(false)))
}

/// Adds the processor time that the server needs for each of `count` tasks while `work` is done.
fn with_server_time(
    redis: &Redis,
    name: &str,
    count: u64,
    work: impl FnOnce() -> Result<Numbers>,
) -> Result<Numbers> {
    let before = processes::cpu_time(redis.pid())?;
    let mut all = work()?;
    let time = processes::cpu_time(redis.pid())? - before;
    all.set(name, time.as_secs_f64() * 1e6 / count as f64);
    Ok(all)
}

fn celery(effort: Effort) -> Result<Numbers> {
    let count = effort.pick(2_000, 20_000).to_string();
    let redis = Redis::start()?;
    let mut all = Numbers::default();
    // The last of two options of the same name counts.
    let one = Celery::on_redis(&redis).with("--callers=1");
    let stored = numbers(one.command("run").arg(&count))?;
    all.take(
        &stored,
        &[
            ("sent_one_per_second", "singly_per_second"),
            ("stored_per_second", "consumed_per_second"),
        ],
    );
    let ignored = Celery::on_redis(&redis).with("--ignore-results");
    let ignored = numbers(ignored.command("run").arg(&count))?;
    all.take(
        &ignored,
        &[
            ("sent_many_per_second", "singly_per_second"),
            ("ignored_per_second", "consumed_per_second"),
        ],
    );
    let latency = Celery::on_redis(&redis);
    all.extend(numbers(latency.command("latency").arg(effort.pick("20", "200")))?);
    let idle = IdleWorker::start(&mut Celery::on_redis(&redis).command("worker"))?;
    all.extend(idle.measure(Duration::from_secs(effort.pick(5, 20)))?);
    Ok(all)
}

/// BullMQ with a server of its own.
struct BullMq(Redis);

impl BullMq {
    fn start() -> Result<Self> {
        Ok(Self(Redis::start()?))
    }

    fn measure(&self, effort: Effort) -> Result<Numbers> {
        // A multiple of the callers, each of which sends as many.
        let count = effort.pick(6_400, 38_400);
        let mut all = Numbers::default();
        let sent = self.run(&format!("send {count} {CALLERS}"))?;
        all.take(&sent, &[("sent_many_per_second", "sent_per_second")]);
        let work = || self.run(&format!("worker {count}"));
        let ignored = with_server_time(&self.0, "ignored_server_us", count, work)?;
        all.take(&ignored, &[("ignored_per_second", "consumed_per_second")]);
        all.set("ignored_server_us", ignored.get("ignored_server_us"));
        self.run(&format!("send {count} {CALLERS}"))?;
        let work = || self.run(&format!("worker {count} keep"));
        let stored = with_server_time(&self.0, "stored_server_us", count, work)?;
        all.take(&stored, &[("stored_per_second", "consumed_per_second")]);
        all.set("stored_server_us", stored.get("stored_server_us"));
        let few = count / 10;
        let one = self.run(&format!("send {few} 1"))?;
        all.take(&one, &[("sent_one_per_second", "sent_per_second")]);
        self.run(&format!("worker {few}"))?;
        let timed = effort.pick(50, 400);
        let sender = self.command(&format!("send-timed {timed} {PAUSE_MS}"));
        all.extend(numbers_while_sending(&mut self.command(&format!("worker {timed}")), sender)?);
        let idle = IdleWorker::start(&mut self.command("idle"))?;
        all.extend(idle.measure(Duration::from_secs(effort.pick(5, 20)))?);
        Ok(all)
    }

    fn run(&self, arguments: &str) -> Result<Numbers> {
        numbers(&mut self.command(arguments))
    }

    fn command(&self, arguments: &str) -> Command {
        let folder = root().join("target/node/bullmq");
        // As npm names processors.
        let arch = if ARCH == "aarch64" { "arm64" } else { "x64" };
        let node = folder.join(format!("node_modules/node-linux-{arch}/bin/node"));
        let mut command = killed_with_parent(&[node.display().to_string()]);
        command.arg(root().join("bench/bullmq_tasks.mjs")).arg(self.0.port.to_string());
        command.args(arguments.split_whitespace()).current_dir(folder);
        command
    }
}

/// Piton with a server of its own.
struct Own(Redis);

impl Own {
    fn start() -> Result<Self> {
        Ok(Self(Redis::start()?))
    }

    fn measure(&self, effort: Effort) -> Result<Numbers> {
        // A multiple of the callers, each of which sends as many.
        let count = effort.pick(64_000, 192_000);
        let mut all = Numbers::default();
        let sent = self.run(self.command(&format!("send-singly {count} {CALLERS}"), true))?;
        all.take(&sent, &[("sent_many_per_second", "sent_per_second")]);
        let ignored =
            with_server_time(&self.0, "ignored_server_us", count, || self.consume(count))?;
        all.take(&ignored, &[("ignored_per_second", "consumed_per_second")]);
        all.set("ignored_server_us", ignored.get("ignored_server_us"));
        self.run(self.command(&format!("send-batches {count} 1000"), false))?;
        let stored = with_server_time(&self.0, "stored_server_us", count, || self.consume(count))?;
        all.take(&stored, &[("stored_per_second", "consumed_per_second")]);
        all.set("stored_server_us", stored.get("stored_server_us"));
        let few = count / 10;
        let one = self.run(self.command(&format!("send-singly {few} 1"), true))?;
        all.take(&one, &[("sent_one_per_second", "sent_per_second")]);
        self.consume(few)?;
        let timed = effort.pick(50, 400);
        let mut worker = self.command("worker", false);
        worker.env("BENCH_CONSUME", timed.to_string());
        let sender = self.command(&format!("send-timed {timed} {PAUSE_MS}"), false);
        all.extend(numbers_while_sending(&mut worker, sender)?);
        let idle = IdleWorker::start(&mut self.command("worker", false))?;
        all.extend(idle.measure(Duration::from_secs(effort.pick(5, 20)))?);
        Ok(all)
    }

    fn consume(&self, count: u64) -> Result<Numbers> {
        let mut worker = self.command(&format!("worker --concurrency {CONCURRENCY}"), false);
        numbers(worker.env("BENCH_CONSUME", count.to_string()))
    }

    fn run(&self, mut command: Command) -> Result<Numbers> {
        numbers(&mut command)
    }

    /// Returns a command of the program. What it sends wants no result if `ignores_results`.
    fn command(&self, arguments: &str, ignores_results: bool) -> Command {
        let program = piton::package().join("target/release").join(PACKAGES[8]);
        let mut command = killed_with_parent(&[program.display().to_string()]);
        command.args(arguments.split_whitespace()).args(["--set", "tasks.broker=redis"]);
        command.env("CELERY_BROKER_URL", format!("redis://127.0.0.1:{}/0", self.0.port));
        if ignores_results {
            command.env("BENCH_IGNORE", "1");
        }
        command
    }
}
