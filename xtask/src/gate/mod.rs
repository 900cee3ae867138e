//! `cargo xtask test`: the checks before a change may be merged.
//!
//! CI runs this and nothing else, so that both agree. Cheap stages come first; the first failing
//! one ends the run and prints the command that repeats it.

mod dependencies;
mod features;
mod peers;
pub mod postgres;
pub mod test_counts;
mod walls;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::command::{self, Cmd, Result, bold, green, human, red, say};
use crate::install;
use test_counts::TestCounts;

const HELP: &str = "\
Runs the gate: all checks of CI, in CI's order.

Usage: cargo xtask test [--only STAGE]... [--from STAGE] [--list]

  --only STAGE    run this stage alone; may be repeated
  --from STAGE    run this stage and all after it
  --list          list the stages without running them

The last line counts the tests: `N passed, N failed`.
";

/// Programs that the end-to-end tests start, and the Debian package of each.
const PROGRAMS: [(&str, &str); 11] = [
    ("nginx", "nginx"),
    ("curl", "curl"),
    ("jq", "jq"),
    ("openssl", "openssl"),
    ("promtool", "prometheus"),
    ("chromium", "chromium"),
    (postgres::PROGRAM, "postgresql-15"),
    ("pgbouncer", "pgbouncer"),
    // Installed, because PostgreSQL needs the locales to send messages in other languages.
    ("/usr/lib/locale/de_DE.utf8/LC_IDENTIFICATION", "locales-all"),
    ("redis-server", "redis-server"),
    ("redis-cli", "redis-tools"),
];

struct Stage {
    name: &'static str,
    what: &'static str,
    run: fn(&mut TestCounts) -> Result<()>,
}

const STAGES: [Stage; 11] = [
    Stage {
        name: "install",
        what: "installs missing tools: rustfmt, clippy, cargo-nextest, nginx, curl, jq, openssl, promtool, chromium, postgres, pgbouncer, locales, redis; begins to install the peer programs",
        run: |_| {
            install::cargo_tools()?;
            install::debian(&PROGRAMS)?;
            peers::start()
        },
    },
    Stage { name: "fmt", what: "the code is formatted", run: |_| fmt() },
    Stage {
        name: "walls",
        what: "modules and crates name each other only as ARCHITECTURE.md allows",
        run: |_| walls::check(),
    },
    Stage {
        name: "duplicates",
        what: "no crate in two versions, no second TLS provider, no pre-release",
        run: |_| dependencies::check(),
    },
    Stage {
        name: "crates",
        what: "the core without a database stays within its number of crates",
        run: |_| dependencies::count(),
    },
    Stage { name: "clippy", what: "clippy reports no warnings", run: |_| clippy() },
    Stage { name: "docs", what: "the documentation builds without warnings", run: |_| docs() },
    Stage {
        name: "features",
        what: "piton builds without features and with each alone",
        run: |_| features::check(),
    },
    Stage {
        name: "peers",
        what: "the peer programs in Python and for Node are installed",
        run: |_| peers::wait(),
    },
    Stage { name: "nextest", what: "the tests", run: nextest },
    Stage { name: "doctests", what: "the examples in the documentation", run: doctests },
];

/// `cargo xtask test`.
///
/// # Errors
/// On an unknown argument. A stage that fails is reported by the exit code.
pub fn main(args: &[String]) -> Result<ExitCode> {
    match parse(args)? {
        GateArguments::Help => print!("{HELP}"),
        GateArguments::List => {
            for stage in &STAGES {
                println!("{:<11} {}", stage.name, stage.what);
            }
        }
        GateArguments::Run(stages) => return Ok(run_all(&stages)),
    }
    Ok(ExitCode::SUCCESS)
}

enum GateArguments {
    Help,
    List,
    Run(Vec<&'static Stage>),
}

fn parse(args: &[String]) -> Result<GateArguments> {
    let mut only = Vec::new();
    let mut from = 0;
    let mut args = args.iter().map(String::as_str);
    while let Some(arg) = args.next() {
        match arg {
            "-h" | "--help" => return Ok(GateArguments::Help),
            "--list" => return Ok(GateArguments::List),
            "--only" => only.push(position(args.next())?),
            "--from" => from = position(args.next())?,
            other => return Err(format!("no option `{other}`\n\n{HELP}").into()),
        }
    }
    let chosen = |at: &usize| {
        if only.is_empty() { *at >= from } else { only.contains(at) }
    };
    Ok(GateArguments::Run((0..STAGES.len()).filter(chosen).map(|at| &STAGES[at]).collect()))
}

fn position(name: Option<&str>) -> Result<usize> {
    let names = STAGES.map(|stage| stage.name);
    let name = name.ok_or_else(|| format!("name a stage: {}", names.join(", ")))?;
    names
        .iter()
        .position(|known| *known == name)
        .ok_or_else(|| format!("no stage `{name}`; the stages are {}", names.join(", ")).into())
}

fn run_all(stages: &[&Stage]) -> ExitCode {
    let mut tally = TestCounts::default();
    let mut times = Vec::new();
    let mut failed = None;
    for stage in stages {
        say(&format!("\n{} {}", bold(&format!("== {}", stage.name)), stage.what));
        let start = Instant::now();
        let result = (stage.run)(&mut tally);
        times.push((stage.name, start.elapsed()));
        say(&format!("== {} took {}", stage.name, human(start.elapsed())));
        if let Err(error) = result {
            failed = Some((stage.name, error));
            break;
        }
    }
    close(&times, &tally, failed)
}

fn close(
    times: &[(&str, Duration)],
    tally: &TestCounts,
    failed: Option<(&str, Box<dyn std::error::Error>)>,
) -> ExitCode {
    say("");
    for (name, time) in times {
        let bad = failed.as_ref().is_some_and(|(stage, _)| stage == name);
        let mark = if bad { red("failed") } else { green("ok") };
        say(&format!("{name:<11} {:>12}  {mark}", human(*time)));
    }
    let total: Duration = times.iter().map(|(_, time)| *time).sum();
    say(&format!("{:<11} {:>12}", "all", human(total)));
    if let Some((stage, error)) = &failed {
        say(&format!("\n{} {stage}: {error}", red("failed:")));
        say(&format!("repeat it with: cargo xtask test --only {stage}"));
    }
    if *tally != TestCounts::default() {
        say(&format!("\n{tally}"));
    }
    if failed.is_some() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn fmt() -> Result<()> {
    check_format(Cmd::new("cargo fmt --check --all"))?;
    // Checked separately, because the packages in bench/ are not members of the workspace.
    crate::bench::PACKAGES.iter().try_for_each(|package| {
        let manifest = format!("bench/{package}/Cargo.toml");
        check_format(Cmd::new("cargo fmt --check --manifest-path").arg(manifest))
    })
}

fn check_format(command: Cmd) -> Result<()> {
    // Passed explicitly, because rustfmt colours its output even if it does not go to a terminal.
    let command = if command::colours() { command } else { command.arg("--").arg("--color=never") };
    command.run()
}

fn clippy() -> Result<()> {
    gate_cargo("cargo clippy --workspace --all-targets --all-features -- -D warnings").run()
}

fn docs() -> Result<()> {
    gate_cargo("cargo doc --workspace --no-deps --all-features")
        .env("RUSTDOCFLAGS", "-D warnings")
        .run()
}

fn nextest(tally: &mut TestCounts) -> Result<()> {
    // One server for all tests, so that each needs only a database of its own; it stops with this
    // stage.
    let server = postgres::PostgresServer::start()?;
    let command = gate_cargo("cargo nextest run --workspace --all-features --no-fail-fast")
        .env("PITON_TEST_POSTGRES", server.url());
    count(&command, tally, test_counts::nextest)
}

fn doctests(tally: &mut TestCounts) -> Result<()> {
    let command = gate_cargo("cargo test --doc --workspace --all-features --no-fail-fast");
    count(&command, tally, test_counts::doctests)
}

/// Runs tests and counts them. Fails if no test ran.
pub fn count(command: &Cmd, tally: &mut TestCounts, parse: fn(&str) -> TestCounts) -> Result<()> {
    // Set, because the tests do not see a terminal behind the copy of their output.
    let coloured = command.clone().env("CARGO_TERM_COLOR", "always");
    let tee = if command::colours() { coloured.tee()? } else { command.tee()? };
    let ran = parse(&tee.text);
    tally.add(&ran);
    match (tee.succeeded, ran == TestCounts::default()) {
        (true, false) => Ok(()),
        (true, true) => Err(format!("no test ran: `{command}`").into()),
        (false, false) => Err(format!("{ran}: `{command}`").into()),
        (false, true) => Err(format!("the build failed before any test ran: `{command}`").into()),
    }
}

/// Returns a Cargo command. On CI it has no incremental compilation and only the debug information that a backtrace
/// needs: a fresh clone never reads the rest, which costs time and disk.
pub fn gate_cargo(line: &str) -> Cmd {
    let command = Cmd::new(line);
    if std::env::var_os("CI").is_none() {
        return command;
    }
    command.env("CARGO_INCREMENTAL", "0").env("CARGO_PROFILE_DEV_DEBUG", "line-tables-only")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(args: &[&str]) -> Result<Vec<&'static str>> {
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        match parse(&args)? {
            GateArguments::Run(stages) => Ok(stages.iter().map(|stage| stage.name).collect()),
            GateArguments::Help | GateArguments::List => Ok(Vec::new()),
        }
    }

    #[test]
    fn every_stage_runs_when_nothing_is_said() {
        assert_eq!(names(&[]).unwrap().len(), STAGES.len());
    }

    #[test]
    fn one_stage_or_the_rest_can_be_chosen() {
        assert_eq!(names(&["--only", "fmt"]).unwrap(), ["fmt"]);
        assert_eq!(names(&["--only", "docs", "--only", "fmt"]).unwrap(), ["fmt", "docs"]);
        assert_eq!(names(&["--from", "nextest"]).unwrap(), ["nextest", "doctests"]);
    }

    #[test]
    fn a_stage_that_does_not_exist_is_refused_with_those_that_do() {
        let error = names(&["--only", "lint"]).unwrap_err().to_string();
        assert!(error.starts_with("no stage `lint`; the stages are install, fmt, "), "{error}");
    }
}
