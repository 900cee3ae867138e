//! The programs for Node that look at what we make: Newman, a driver of Chromium, generated clients, linters.
//!
//! They are installed by `cargo xtask node`. One that is missing fails the test, as with Python's.

use std::path::PathBuf;
use std::process::{Output, Stdio};

use tokio::process::Command;

use crate::python::workspace;

/// How a program ended.
#[derive(Debug)]
pub struct Ended {
    /// Whether its exit code was 0.
    pub well: bool,
    /// What it printed, its errors first.
    pub said: String,
    /// The last line of its standard output.
    pub last: String,
}

impl Ended {
    pub(crate) fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let out = text(&output.stdout);
        let last = out.lines().last().unwrap_or_default().to_owned();
        Self { well: output.status.success(), said: text(&output.stderr) + &out, last }
    }
}

/// Runs `newman run COLLECTION ARGUMENTS..`.
///
/// # Panics
/// If it is not installed.
pub async fn newman(arguments: &[&str]) -> Ended {
    let program = installed("newman").join("node_modules/newman/bin/newman.js");
    run("newman", program, &[&["run", "--color", "off"], arguments].concat()).await
}

/// Runs a script of `e2e/node/NAME`.
///
/// # Panics
/// If what it needs is not installed.
pub async fn script(name: &str, file: &str, arguments: &[&str]) -> Ended {
    run(name, workspace().join("e2e/node").join(name).join(file), arguments).await
}

async fn run(name: &str, program: PathBuf, arguments: &[&str]) -> Ended {
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
    Ended::of(&output)
}

/// Returns the folder of what `e2e/node/NAME` needs.
///
/// # Panics
/// If it is not installed.
pub(crate) fn installed(name: &str) -> PathBuf {
    let folder = workspace().join("target/node").join(name);
    let there = folder.join("package-lock.stamp").exists();
    assert!(there, "{} is missing: run `cargo xtask node` first", folder.display());
    folder
}
