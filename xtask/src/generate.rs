//! `cargo xtask generate`: regenerates the checked-in files that services produce themselves.
//!
//! A test of each service compares them; this command corrects all of them at once.

use std::fs;
use std::process::ExitCode;

use crate::command::{self, Cmd, Result};

const HELP: &str = "\
Regenerates the checked-in files that services produce themselves.

Usage: cargo xtask generate

For each service except off-piste: config.example.toml and config.schema.json. For registry and piste
also dist/ with the OpenAPI document, the Postman collection and the .http file, and
tests/it/explained.rs with the calls that `routes --explain` prints.
";

const SERVICES: [&str; 4] = ["registry", "piste", "ashirt-worker", "envpage"];
/// Services with an OpenAPI document.
const DESCRIBED: [&str; 2] = ["registry", "piste"];

/// `cargo xtask generate`.
///
/// # Errors
/// When a service cannot be built or does not print what it should.
pub fn main(args: &[String]) -> Result<ExitCode> {
    if !args.is_empty() {
        print!("{HELP}");
        return Ok(ExitCode::from(2));
    }
    // Built together, so that the features are the same as in tests.
    let build = Cmd::new("cargo build --quiet");
    SERVICES.iter().fold(build, |build, name| build.arg("--package").arg(name)).run()?;
    SERVICES.iter().try_for_each(|name| service(name))?;
    Ok(ExitCode::SUCCESS)
}

fn service(name: &str) -> Result<()> {
    let folder = command::root().join("services").join(name);
    let program = || Cmd::new("cargo run --quiet --package").arg(name).arg("--");
    for (flag, file) in [("--example", "config.example.toml"), ("--schema", "config.schema.json")] {
        // Written by this program instead of a shell redirection, so that a failed command does not
        // leave an empty file.
        let text = program().arg("config").arg(flag).read()?;
        fs::write(folder.join(file), text)?;
    }
    if DESCRIBED.contains(&name) {
        program().arg("openapi").arg("--out").arg(folder.join("dist")).run()?;
        let explained = program().arg("routes").arg("--explain").read()?;
        // Left out, because comments contain line numbers, which change with every edit.
        let calls = explained.lines().filter(|line| !line.trim_start().starts_with("//"));
        let calls: String = calls.map(|line| format!("{line}\n")).collect();
        fs::write(folder.join("tests/it/explained.rs"), calls)?;
    }
    Ok(())
}
