//! Node programs that check our output: Newman, a driver of Chromium, generated clients, linters.
//!
//! Installed by `cargo xtask node`. A missing one fails the test, as with Python.

use std::path::PathBuf;
use std::process::{Output, Stdio};

use serde_json::Value;
use tokio::process::Command;

use crate::python::workspace;

/// Result of a program.
#[derive(Debug)]
pub struct ProcessOutput {
    /// Set if the exit code was 0.
    pub succeeded: bool,
    /// Standard error, then standard output.
    pub output: String,
    /// Last line of its standard output.
    pub last_line: String,
}

impl ProcessOutput {
    pub(crate) fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let out = text(&output.stdout);
        let last_line = out.lines().last().unwrap_or_default().to_owned();
        Self { succeeded: output.status.success(), output: text(&output.stderr) + &out, last_line }
    }

    /// Checks the counts on the last line, `{"requests": 60, "right": 60}`.
    ///
    /// # Panics
    /// If the program failed, sent no request, or got a wrong response.
    pub fn assert_all_right(&self) {
        assert!(self.succeeded, "{}", self.output);
        println!("{}", self.output);
        let counts: Value = serde_json::from_str(&self.last_line).expect("a last line in JSON");
        assert!(counts["requests"].as_u64() > Some(0), "{}", self.output);
        assert_eq!(counts["right"], counts["requests"], "{}", self.output);
    }
}

/// Runs `newman run COLLECTION ARGUMENTS..`.
///
/// # Panics
/// If it is not installed.
pub async fn newman(arguments: &[&str]) -> ProcessOutput {
    let program = installed("newman").join("node_modules/newman/bin/newman.js");
    run("newman", program, &[&["run", "--color", "off"], arguments].concat()).await
}

/// Runs a script of `e2e/node/NAME`.
///
/// # Panics
/// If what it needs is not installed.
pub async fn script(name: &str, file: &str, arguments: &[&str]) -> ProcessOutput {
    run(name, workspace().join("e2e/node").join(name).join(file), arguments).await
}

async fn run(name: &str, program: PathBuf, arguments: &[&str]) -> ProcessOutput {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let output = Command::new("node")
        .arg(program)
        .args(arguments)
        .current_dir(folder.path())
        .env_clear()
        .env("PATH", path)
        .env("HOME", folder.path())
        .env("NODE_PATH", installed(name).join("node_modules"))
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .expect("node starts");
    ProcessOutput::of(&output)
}

/// Returns the folder with the installed packages of `e2e/node/NAME`.
///
/// # Panics
/// If it is not installed.
pub(crate) fn installed(name: &str) -> PathBuf {
    let folder = workspace().join("target/node").join(name);
    let there = folder.join("package-lock.stamp").exists();
    assert!(there, "{} is missing: run `cargo xtask node` first", folder.display());
    folder
}
