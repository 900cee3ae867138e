//! `cargo xtask bench cache`: a cached response next to one that is computed each time.
//!
//! Each pair of rounds compares two routes of one program: plain JSON or a row of PostgreSQL, and
//! the same row cached in memory or in Redis. Redis and PostgreSQL run on the loopback, without
//! limits on processors.

use std::borrow::Cow;
use std::net::TcpStream;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use super::contender::Contender;
use super::db::database;
use super::load::{self, Request};
use super::report::{self, Limit, Row};
use super::server::{free_port, killed_with_parent, scratch};
use super::{Effort, PACKAGES};
use crate::command::{Result, bold, pause, say};
use crate::gate::postgres::{self, PostgresServer};
use crate::install;

const PROGRAMS: [(&str, &str); 3] =
    [("wrk", "wrk"), (postgres::PROGRAM, "postgresql-15"), ("redis-server", "redis-server")];

/// Comparisons: name of the row, the two paths, whether Redis is the backend, whether the client
/// already has the response (`If-None-Match`), and the limit.
const PAIRS: [(&str, [&str; 2], bool, bool, Limit); 5] = [
    (
        "memory next to plain JSON",
        ["/plain/{n}", "/cached/{n}"],
        false,
        false,
        Limit::RatioFrom(0.8),
    ),
    ("memory next to PostgreSQL", ["/row/{n}", "/cached/{n}"], false, false, Limit::RatioFrom(2.0)),
    ("304 next to PostgreSQL", ["/row/7", "/cached/7"], false, true, Limit::RatioFrom(2.0)),
    ("Redis next to PostgreSQL", ["/row/{n}", "/cached/{n}"], true, false, Limit::RatioFrom(1.0)),
    ("Redis next to plain JSON", ["/plain/{n}", "/cached/{n}"], true, false, Limit::None),
];

/// Measures, prints, and writes `bench/results/cache.md`. Returns whether all limits are met.
///
/// # Errors
/// When something cannot be built, started or measured.
pub fn run(effort: Effort) -> Result<bool> {
    install::debian(&PROGRAMS)?;
    let server = PostgresServer::start()?;
    let redis = Redis::start()?;
    let url = database(server.url(), "bench_cache")?;
    let memory = contender("without", format!("--set db.url={url}"));
    let in_redis = format!("--set cache.host=127.0.0.1 --set cache.port={}", redis.port);
    let shared = contender("piton", format!("--set db.url={url} {in_redis}"));
    memory.build()?;

    let mut rows = Vec::new();
    for (what, [one, other], by_redis, known, limit) in PAIRS {
        say(&bold(&format!("measuring requests/s, {what}")));
        let remembering = if by_redis { shared.clone() } else { memory.clone() };
        let mut request = Request::get(other);
        if known {
            // Any tag matches, because the measurement is of responses without a body.
            request = request.header("if-none-match", "*");
        }
        let both = [memory.clone(), remembering];
        let load = load::measure_each(&both, [&Request::get(one), &request], effort)?;
        let rate = Row::new(format!("{what}: requests/s"), "", load.per_second, limit);
        rows.push(Row { ratio: load.ratio, ..rate });
        let time = format!("{what}: processor time a request");
        rows.push(Row::new(time, "µs", load.cpu, Limit::None));
    }
    say(&format!("\n{}", report::table("the other", &rows)));
    if effort == Effort::Full {
        let title = "Cached responses next to computed ones";
        let page = report::page(title, "cargo xtask bench cache", "the other", &rows);
        report::write("cache", &page)?;
        say("written to bench/results/cache.md");
    }
    Ok(rows.iter().all(|row| row.is_ok() != Some(false)))
}

fn contender(name: &'static str, more: String) -> Contender {
    Contender {
        name,
        package: PACKAGES[5],
        arguments: Cow::Owned(format!("--host 127.0.0.1 --port {{port}} {more}")),
        python: None,
        variables: Vec::new(),
    }
}

/// A private Redis server. Stopped when dropped.
pub(super) struct Redis {
    child: Child,
    pub(super) port: u16,
}

impl Redis {
    /// Starts the server on a free port.
    ///
    /// # Errors
    /// It does not start.
    pub(super) fn start() -> Result<Self> {
        let port = free_port()?;
        let child = killed_with_parent(&["redis-server".to_owned()])
            .args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--save", ""])
            .current_dir(scratch("redis")?)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()?;
        let redis = Self { child, port };
        let begin = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if begin.elapsed() > Duration::from_secs(10) {
                return Err("redis-server did not start".into());
            }
            pause(Duration::from_millis(10));
        }
        Ok(redis)
    }
}

impl Redis {
    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        // Errors are ignored, because it has nothing to save and may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
