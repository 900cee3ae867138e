//! `cargo xtask bench`: measures the cost of Piton next to its peers on this machine.
//!
//! A suite is a module that fills rows ([`report::Row`]) with measurements of contenders
//! ([`contender::Contender`]). Each contender is a package in `bench/` outside the workspace, so
//! that no feature of the workspace reaches its build. Each measurement starts a server of its own,
//! on a free port of the loopback, stopped when its guard is dropped.

mod auth;
mod builds;
mod cache;
mod client;
mod contender;
mod core;
mod db;
mod http2;
mod instructions;
mod load;
mod memory;
mod processes;
mod report;
mod server;
mod start;
mod tasks;

use std::process::ExitCode;

use crate::command::Result;
pub use server::killed_with_parent;

/// Measured packages, in `bench/`.
pub const PACKAGES: [&str; 9] = [
    "axum-hello",
    "piton-hello",
    "axum-db",
    "piton-db",
    "piton-auth",
    "piton-cache",
    "hyper-edge",
    "piton-edge",
    "piton-tasks",
];

const HELP: &str = "\
Measures Piton next to its peers on this machine.

Usage: cargo xtask bench <suite> [--quick]

Suites:
  core       the hello service next to bare axum; writes bench/results/core.md
  auth       tokens and passwords next to Gnar Gear on bjoern; writes bench/results/auth.md
  cache      cached responses next to computed ones; writes bench/results/cache.md
  http2      HTTP/2 and TLS next to bare hyper; writes bench/results/http2.md
  db         Db on PostgreSQL next to bare sqlx in bare axum; writes bench/results/db.md
  tasks      tasks on SQLite and PostgreSQL next to Celery and graphile-worker; writes
             bench/results/tasks.md; takes 40 minutes. With --broker redis on Redis, next to Celery
             and BullMQ; writes bench/results/tasks-redis.md; takes 5 minutes

  --quick    fewer runs, no builds, no file written: for a first impression of a change

Do not use the machine meanwhile: builds and requests are timed.
";

/// Thoroughness of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effort {
    Quick,
    Full,
}

impl Effort {
    /// Returns `quick` in a quick run, otherwise `full`.
    pub fn pick<T>(self, quick: T, full: T) -> T {
        match self {
            Self::Quick => quick,
            Self::Full => full,
        }
    }
}

/// `cargo xtask bench`.
///
/// # Errors
/// When something cannot be built, started or measured, and on unknown arguments. A measurement
/// beyond its limit is reported by the exit code.
pub fn main(args: &[String]) -> Result<ExitCode> {
    let mut effort = Effort::Full;
    let mut suite: Option<fn(Effort) -> Result<bool>> = None;
    let mut is_tasks = false;
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "-h" | "--help" => {
                print!("{HELP}");
                return Ok(ExitCode::SUCCESS);
            }
            "--quick" => effort = Effort::Quick,
            "core" if suite.is_none() => suite = Some(core::run),
            "auth" if suite.is_none() => suite = Some(auth::run),
            "cache" if suite.is_none() => suite = Some(cache::run),
            "http2" if suite.is_none() => suite = Some(http2::run),
            "db" if suite.is_none() => suite = Some(db::run),
            "tasks" if suite.is_none() => {
                suite = Some(tasks::run);
                is_tasks = true;
            }
            "--broker" if is_tasks => match args.next().map(String::as_str) {
                Some("redis") => suite = Some(tasks::on_redis::run),
                _ => return Err("--broker takes `redis`".into()),
            },
            other => return Err(format!("no suite or option `{other}`\n\n{HELP}").into()),
        }
    }
    let suite = suite.ok_or_else(|| format!("name a suite\n\n{HELP}"))?;
    Ok(if suite(effort)? { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Returns the median.
fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let half = sorted.len() / 2;
    match sorted.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => sorted[half],
        _ => f64::midpoint(sorted[half - 1], sorted[half]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert!((median(&[9.0, 1.0, 2.0]) - 2.0).abs() < 1e-9);
        assert!((median(&[4.0, 1.0, 2.0, 9.0]) - 3.0).abs() < 1e-9);
        assert!(median(&[]).is_nan());
    }

    #[test]
    fn a_suite_must_be_named() {
        let error = main(&["--quick".to_owned()]).unwrap_err().to_string();
        assert!(error.starts_with("name a suite"), "{error}");
    }
}
