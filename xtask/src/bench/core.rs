//! `cargo xtask bench core`: the hello service with the whole production stack next to bare axum.
//!
//! The limits are those of the project's second issue.

use std::borrow::Cow;

use super::contender::Contender;
use super::report::{self, Limit, Row};
use super::{Effort, PACKAGES, builds, instructions, load, memory, start};
use crate::cargo_tree;
use crate::command::{Cmd, Result, bold, say};
use crate::install;

const AXUM: Contender = Contender {
    name: "axum",
    package: PACKAGES[0],
    arguments: Cow::Borrowed("{port}"),
    python: None,
    variables: Vec::new(),
};
const PITON: Contender = Contender {
    name: "piton",
    package: PACKAGES[1],
    arguments: Cow::Borrowed("--host 127.0.0.1 --port {port}"),
    python: None,
    variables: Vec::new(),
};

const PROGRAMS: [(&str, &str); 2] = [("wrk", "wrk"), ("valgrind", "valgrind")];

/// Measures, prints, and writes `bench/results/core.md`. Returns whether all limits are met.
///
/// # Errors
/// When something cannot be built, started or measured.
pub fn run(effort: Effort) -> Result<bool> {
    install::debian(&PROGRAMS)?;
    let contenders = [AXUM, PITON];
    contenders.iter().try_for_each(Contender::build)?;
    let mut rows = Vec::new();
    speed(&contenders, effort, &mut rows)?;
    weight(&contenders, effort, &mut rows)?;
    if effort == Effort::Full {
        waiting(&contenders, &mut rows)?;
    }
    say(&format!("\n{}", report::table("axum", &rows)));
    if effort == Effort::Full {
        let title = "Piton's hello service next to bare axum";
        report::write("core", &report::page(title, "cargo xtask bench core", "axum", &rows))?;
        say("written to bench/results/core.md");
    }
    Ok(rows.iter().all(|row| row.is_ok() != Some(false)))
}

fn speed(contenders: &[Contender; 2], effort: Effort, rows: &mut Vec<Row>) -> Result<()> {
    let [axum, piton] = contenders;
    for path in ["/", "/json"] {
        step(&format!("requests/s, GET {path}"));
        let load = load::measure(contenders, &load::Request::get(path), effort)?;
        let rate = row(path, "requests/s", "", load.per_second, Limit::RatioFrom(0.95));
        rows.push(Row { ratio: load.ratio, ..rate });
        rows.push(row(path, "processor time a request", "µs", load.cpu, Limit::None));

        step(&format!("instructions a request, GET {path}"));
        let values = [instructions::measure(axum, path)?, instructions::measure(piton, path)?];
        rows.push(row(path, "instructions a request", "", values, Limit::None));
    }
    Ok(())
}

fn row(path: &str, what: &str, unit: &'static str, values: [f64; 2], limit: Limit) -> Row {
    Row::new(format!("GET {path}: {what}"), unit, values, limit)
}

fn weight(contenders: &[Contender; 2], effort: Effort, rows: &mut Vec<Row>) -> Result<()> {
    step("memory");
    let [axum, piton] = [memory::measure(&contenders[0])?, memory::measure(&contenders[1])?];
    let most = Limit::PitonTo(20.0);
    rows.push(Row::new("memory when ready", "MB", [axum.ready, piton.ready], most));
    let after = [axum.after_requests, piton.after_requests];
    rows.push(Row::new("memory after 1,000 requests", "MB", after, most));

    step("start to ready");
    let times = start::measure(contenders, effort)?;
    rows.push(Row::new("start to ready", "ms", times, Limit::PitonTo(50.0)));

    let counts = [crates(&contenders[0])?, crates(&contenders[1])?];
    rows.push(Row::new("crates", "", counts, Limit::PitonTo(200.0)));
    Ok(())
}

fn waiting(contenders: &[Contender; 2], rows: &mut Vec<Row>) -> Result<()> {
    step("debug builds");
    let builds = builds::measure(contenders)?;
    rows.push(Row::new("clean debug build", "s", builds.clean, Limit::RatioTo(2.5)));
    rows.push(Row::new("rebuild after an edit", "s", builds.edit, Limit::RatioTo(2.0)));
    Ok(())
}

fn crates(contender: &Contender) -> Result<f64> {
    let command = Cmd::new("cargo tree --edges normal,build").dir(&contender.dir());
    let count = cargo_tree::crates(&command)?.len();
    Ok(u32::try_from(count).map_or(f64::NAN, f64::from))
}

fn step(what: &str) {
    say(&bold(&format!("measuring {what}")));
}
