//! `cargo xtask bench tasks`: tasks of a Piton service on SQLite and on PostgreSQL, next to Celery on Redis.
//!
//! Engine, load and database share the machine, as the workers of a small service do.

use std::collections::HashMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::cache::Redis;
use super::report::{self, Limit, Row};
use super::server::scratch;
use super::{Effort, PACKAGES, db, killed_with_parent};
use crate::command::{Cmd, Result, bold, pause, root, say};
use crate::gate::postgres::{self, PostgresServer};
use crate::{install, python};

const PROGRAMS: [(&str, &str); 2] =
    [("redis-server", "redis-server"), (postgres::PROGRAM, "postgresql-15")];

/// The numbers that a program has printed, by name.
type Numbers = HashMap<String, f64>;

/// A database of Piton's, as settings.
struct Storage {
    name: &'static str,
    settings: Vec<String>,
    /// Tasks/s consumed, and sent in batches, that it must reach.
    consumed: f64,
    sent: f64,
    /// Milliseconds from sending to the start, in the median.
    latency_ms: f64,
}

/// Measures, prints, and writes `bench/results/tasks.md`. Returns whether all limits are met.
///
/// # Errors
/// When something cannot be built, started or measured.
pub fn run(effort: Effort) -> Result<bool> {
    install::debian(&PROGRAMS)?;
    python::install(&["celery"])?;
    let package = root().join("bench").join(PACKAGES[8]);
    Cmd::new("cargo build --release --quiet --target-dir target").dir(&package).run()?;
    let program = package.join("target/release").join(PACKAGES[8]);
    let server = PostgresServer::start()?;
    let redis = Redis::start()?;
    let count = effort.pick(20_000, 200_000);
    let celery = celery(&redis, effort.pick(2_000, 10_000))?;
    let mut rows = Vec::new();
    for storage in storages(server.url())? {
        say(&bold(&format!("measuring {}", storage.name)));
        rows.extend(measure(&program, &storage, count, &celery)?);
    }
    say(&format!("\n{}", report::table("celery", &rows)));
    if effort == Effort::Full {
        let title = "Tasks on SQLite and PostgreSQL next to Celery 5.7 on Redis";
        report::write("tasks", &report::page(title, "cargo xtask bench tasks", "celery", &rows))?;
        say("written to bench/results/tasks.md");
    }
    Ok(rows.iter().all(|row| row.is_ok() != Some(false)))
}

fn storages(server: &str) -> Result<Vec<Storage>> {
    let file = |name: &str| -> Result<String> {
        Ok(format!("db.path={}", scratch(name)?.join("tasks.db").display()))
    };
    let storage = |name, settings, [consumed, sent, latency_ms]: [f64; 3]| Storage {
        name,
        settings,
        consumed,
        sent,
        latency_ms,
    };
    let url = db::empty_database(server, "bench_tasks")?;
    Ok(vec![
        storage("SQLite, normal", vec![file("tasks-normal")?], [40_000.0, 100_000.0, 2.0]),
        storage(
            "SQLite, full",
            vec![file("tasks-full")?, "db.synchronous=full".to_owned()],
            [25_000.0, 100_000.0, 2.0],
        ),
        storage("PostgreSQL", vec![format!("db.url={url}")], [25_000.0, 30_000.0, 5.0]),
    ])
}

fn measure(program: &Path, storage: &Storage, count: u64, celery: &Numbers) -> Result<Vec<Row>> {
    let call = |arguments: &str, goal: u64| {
        let settings = storage.settings.iter().flat_map(|setting| ["--set", setting]);
        let mut command = killed_with_parent(&[program.display().to_string()]);
        command.args(arguments.split_whitespace()).args(settings);
        command.env("BENCH_CONSUME", goal.to_string());
        numbers(&mut command)
    };
    let name = storage.name;
    let batches = call(&format!("send-batches {count} 1000"), 0)?;
    let consumed = call("worker --concurrency 100", count)?;
    let few = count / 640 * 64;
    let singly = call(&format!("send-singly {few} 64"), 0)?;
    call("worker --concurrency 100", few)?;
    let (timed, sent) = (count.min(1000), format!("send-timed {} 10", count.min(1000)));
    let settings: Vec<String> = storage.settings.clone();
    let (program, arguments) = (program.to_owned(), sent);
    // A second process sends, while the first one runs what comes.
    let sender = std::thread::spawn(move || {
        pause(Duration::from_millis(500));
        let settings = settings.iter().flat_map(|setting| ["--set", setting]);
        let mut command = killed_with_parent(&[program.display().to_string()]);
        command.args(arguments.split_whitespace()).args(settings).status().is_ok()
    });
    let latency = call("worker", timed)?;
    sender.join().map_err(|_| "the sender has failed")?;
    let of = |numbers: &Numbers, name: &str| numbers.get(name).copied().unwrap_or(f64::NAN);
    let row = |what: &str, unit, peer, value, limit| {
        Row::new(format!("{name}: {what}"), unit, [peer, value], limit)
    };
    let peer_sent = of(celery, "sent_per_second");
    Ok(vec![
        row(
            "run and results stored, tasks/s",
            "",
            of(celery, "consumed_per_second"),
            of(&consumed, "consumed_per_second"),
            Limit::PitonFrom(storage.consumed),
        ),
        row(
            "sent in batches of 1,000, tasks/s",
            "",
            f64::NAN,
            of(&batches, "sent_per_second"),
            Limit::PitonFrom(storage.sent),
        ),
        row(
            "sent one by one by 64 callers, tasks/s",
            "",
            peer_sent,
            of(&singly, "sent_per_second"),
            Limit::None,
        ),
        row(
            "sent to started in another process, p50",
            "ms",
            f64::NAN,
            of(&latency, "latency_p50_ms"),
            Limit::PitonTo(storage.latency_ms),
        ),
        row(
            "sent to started in another process, p99",
            "ms",
            f64::NAN,
            of(&latency, "latency_p99_ms"),
            Limit::None,
        ),
    ])
}

fn celery(redis: &Redis, count: u64) -> Result<Numbers> {
    say(&bold("measuring Celery"));
    let python = root().join("target/python/celery/bin/python");
    let url = format!("redis://127.0.0.1:{}/0", redis.port);
    let call = |what: &str| {
        let mut command = Command::new(&python);
        command.arg(root().join("bench/celery_tasks.py")).args([&url, what, &count.to_string()]);
        numbers(&mut command)
    };
    let mut all = call("run")?;
    all.extend(call("send")?);
    Ok(all)
}

/// Runs a program to its end, and returns what it prints: a name and a number a line.
fn numbers(command: &mut Command) -> Result<Numbers> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        return Err(format!("{command:?} has failed: {}", output.status).into());
    }
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let pairs = text.lines().filter_map(|line| line.split_once(' '));
    Ok(pairs.filter_map(|(name, number)| Some((name.to_owned(), number.parse().ok()?))).collect())
}
