//! `cargo xtask bench db`: `Db` on PostgreSQL next to bare sqlx in a bare axum service.
//!
//! Both use one server, each its own database with the same rows in it, with pools of the same
//! size. The limits are those of the project's third issue.

use std::process::Command;

use super::contender::Contender;
use super::load::{self, Request};
use super::report::{self, Limit, Row};
use super::{Effort, PACKAGES};
use crate::command::{Result, bold, say};
use crate::gate::postgres::{self, PostgresServer};
use crate::install;

const PROGRAMS: [(&str, &str); 2] = [("wrk", "wrk"), (postgres::PROGRAM, "postgresql-15")];

const SCHEMA: &str = "
    CREATE TABLE items (id bigint PRIMARY KEY, name text NOT NULL, cents bigint NOT NULL);
    INSERT INTO items SELECT n, 'item ' || n, n FROM generate_series(1, 2000) n;
    CREATE TABLE orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL, cents bigint NOT NULL);
    ANALYZE;
";

/// Measures, prints, and writes `bench/results/db.md`. Returns whether all limits are met.
///
/// # Errors
/// When something cannot be built, started or measured.
pub fn run(effort: Effort) -> Result<bool> {
    install::debian(&PROGRAMS)?;
    let server = PostgresServer::start()?;
    let urls = [database(server.url(), "bench_axum")?, database(server.url(), "bench_piton")?];
    let contenders = [
        Contender {
            name: "axum",
            package: PACKAGES[2],
            arguments: format!("{{port}} {}", urls[0]).into(),
            python: None,
            variables: Vec::new(),
        },
        Contender {
            name: "piton",
            package: PACKAGES[3],
            arguments: format!("--host 127.0.0.1 --port {{port}} --set db.url={}", urls[1]).into(),
            python: None,
            variables: Vec::new(),
        },
    ];
    contenders.iter().try_for_each(Contender::build)?;
    let mut rows = Vec::new();
    for (what, request) in [
        ("one row", Request::get("/one/{n}")),
        ("twenty rows", Request::get("/twenty/{n}")),
        ("insert", Request::post("/insert/{n}")),
        ("update", Request::post("/update/{n}")),
    ] {
        say(&bold(&format!("measuring requests/s, {what}")));
        let load = load::measure(&contenders, &request, effort)?;
        let rate =
            Row::new(format!("{what}: requests/s"), "", load.per_second, Limit::RatioFrom(0.9));
        rows.push(Row { ratio: load.ratio, ..rate });
        let time = format!("{what}: processor time a request");
        rows.push(Row::new(time, "µs", load.cpu, Limit::None));
    }
    say(&format!("\n{}", report::table("axum", &rows)));
    if effort == Effort::Full {
        let title = "Db on PostgreSQL next to bare sqlx in bare axum";
        report::write("db", &report::page(title, "cargo xtask bench db", "axum", &rows))?;
        say("written to bench/results/db.md");
    }
    Ok(rows.iter().all(|row| row.is_ok() != Some(false)))
}

/// Creates a database with the rows, and returns its URL.
pub(super) fn database(server: &str, name: &str) -> Result<String> {
    let url = empty_database(server, name)?;
    psql(&url, SCHEMA)?;
    Ok(url)
}

/// Creates an empty database, and returns its URL.
pub(super) fn empty_database(server: &str, name: &str) -> Result<String> {
    psql(server, &format!("CREATE DATABASE {name}"))?;
    let (address, _) = server.rsplit_once('/').ok_or("the server's URL has no path")?;
    Ok(format!("{address}/{name}"))
}

/// Runs statements on the database, and returns the rows as lines.
pub(super) fn psql(url: &str, sql: &str) -> Result<String> {
    let program = postgres::PROGRAM.replace("bin/postgres", "bin/psql");
    let output = Command::new(program)
        .args(["--quiet", "--no-psqlrc", "--tuples-only", "--no-align", "--command", sql, url])
        .output()?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    Err(format!("psql: {}", String::from_utf8_lossy(&output.stderr)).into())
}
