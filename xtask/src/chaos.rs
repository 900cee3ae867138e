//! `cargo xtask chaos`: long fault and load suites, of which the gate has short forms or none.
//!
//! `cargo nextest run` ignores the tests of a suite, with `cargo xtask chaos --only NAME` as the
//! reason.

use std::process::ExitCode;
use std::time::Instant;

use crate::command::{self, Result, bold, human, say};
use crate::gate::test_counts::{self, TestCounts};
use crate::gate::{count, gate_cargo, postgres};
use crate::{install, node, python};

const HELP: &str = "\
Long fault and load suites, which the gate has no time for.

Usage: cargo xtask chaos [--only SUITE]... [--list]

  --only SUITE    this suite and no other; may be given more than once
  --list          what the suites are, without running any

All suites run, even after one that fails. The last line is the tests' own: `N passed, N failed`.
";

struct Suite {
    name: &'static str,
    what: &'static str,
    /// Installs what its tests need, in addition to what the gate installs.
    install: fn() -> Result<()>,
    /// The tests as a nextest filter. Both ignored and other tests are run.
    tests: &'static str,
}

const SUITES: [Suite; 1] = [Suite {
    name: "clients",
    what: "clients that OpenAPI Generator makes in Python and Java (compiled by javac), linters, httpyac and \
           Prism against the live services",
    install: || {
        install::debian(&[("javac", "default-jdk-headless"), ("java", "default-jre-headless")])?;
        python::long()
    },
    tests: "test(/^clients::/)",
}];

/// `cargo xtask chaos`.
///
/// # Errors
/// On an unknown argument. A suite that fails is reported by the exit code.
pub fn main(args: &[String]) -> Result<ExitCode> {
    match parse(args)? {
        ChaosArguments::Help => print!("{HELP}"),
        ChaosArguments::List => {
            for suite in &SUITES {
                println!("{:<11} {}", suite.name, suite.what);
            }
        }
        ChaosArguments::Run(suites) => return run_all(&suites),
    }
    Ok(ExitCode::SUCCESS)
}

enum ChaosArguments {
    Help,
    List,
    Run(Vec<&'static Suite>),
}

fn parse(args: &[String]) -> Result<ChaosArguments> {
    let mut only = Vec::new();
    let mut args = args.iter().map(String::as_str);
    while let Some(arg) = args.next() {
        match arg {
            "-h" | "--help" => return Ok(ChaosArguments::Help),
            "--list" => return Ok(ChaosArguments::List),
            "--only" => only.push(find(args.next())?),
            other => return Err(format!("no option `{other}`\n\n{HELP}").into()),
        }
    }
    Ok(ChaosArguments::Run(if only.is_empty() { SUITES.iter().collect() } else { only }))
}

fn find(name: Option<&str>) -> Result<&'static Suite> {
    let names = SUITES.map(|suite| suite.name).join(", ");
    let name = name.ok_or_else(|| format!("name a suite: {names}"))?;
    SUITES
        .iter()
        .find(|suite| suite.name == name)
        .ok_or_else(|| format!("no suite `{name}`; the suites are {names}").into())
}

fn run_all(suites: &[&Suite]) -> Result<ExitCode> {
    python::all()?;
    node::all()?;
    let server = postgres::PostgresServer::start()?;
    let mut tally = TestCounts::default();
    let mut failed = Vec::new();
    for suite in suites {
        say(&format!("\n{} {}", bold(&format!("== {}", suite.name)), suite.what));
        let start = Instant::now();
        if let Err(error) = run(suite, &server, &mut tally) {
            say(&format!("{} {error}", command::red("failed:")));
            failed.push(suite.name);
        }
        say(&format!("== {} took {}", suite.name, human(start.elapsed())));
    }
    for name in &failed {
        say(&format!("repeat it with: cargo xtask chaos --only {name}"));
    }
    say(&format!("\n{tally}"));
    Ok(if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn run(suite: &Suite, server: &postgres::PostgresServer, tally: &mut TestCounts) -> Result<()> {
    (suite.install)()?;
    // The whole workspace with all features, as in the gate, so that nothing is built twice and the
    // programs that tests start are built.
    let line = "cargo nextest run --workspace --all-features --no-fail-fast --run-ignored all";
    let command = gate_cargo(line).env("PITON_TEST_POSTGRES", server.url());
    count(&command.arg("--filterset").arg(suite.tests), tally, test_counts::nextest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(args: &[&str]) -> Result<Vec<&'static str>> {
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        match parse(&args)? {
            ChaosArguments::Run(suites) => Ok(suites.iter().map(|suite| suite.name).collect()),
            ChaosArguments::Help | ChaosArguments::List => Ok(Vec::new()),
        }
    }

    #[test]
    fn all_suites_run_unless_some_are_named() {
        assert_eq!(names(&[]).unwrap().len(), SUITES.len());
        assert_eq!(names(&["--only", "clients"]).unwrap(), ["clients"]);
        assert!(names(&["--list"]).unwrap().is_empty());
    }

    #[test]
    fn a_suite_that_does_not_exist_is_refused_with_those_that_do() {
        let error = names(&["--only", "monkeys"]).err().unwrap().to_string();
        assert_eq!(error, "no suite `monkeys`; the suites are clients");
        assert!(names(&["--only"]).is_err() && names(&["--all"]).is_err());
    }
}
