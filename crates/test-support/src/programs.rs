//! Programs of other languages that run to their end: Python of an installed environment, Java from its source.

use std::process::Stdio;

use tokio::process::Command;

use crate::node::ProcessOutput;
use crate::python::{interpreter, script, workspace};

/// Runs `e2e/python/<name>/<file> ARGUMENTS..` to its end, with the machine's programs (`java`) on
/// the path.
///
/// # Panics
/// If the environment has not been made.
pub async fn python(name: &str, file: &str, arguments: &[&str]) -> ProcessOutput {
    let mut command = Command::new(interpreter(name));
    command.arg(script(name, file)).args(arguments);
    run_to_end(command).await
}

/// Runs `e2e/<file>` with Java's launcher of source files, to its end.
///
/// # Panics
/// If Java is not installed (`apt-get install default-jdk-headless`).
pub async fn java(file: &str, arguments: &[&str]) -> ProcessOutput {
    let mut command = Command::new("java");
    command.arg(workspace().join("e2e").join(file)).args(arguments);
    run_to_end(command).await
}

/// Runs the command to its end, in a folder of its own.
///
/// # Panics
/// If it cannot be started.
pub(crate) async fn run_to_end(mut command: Command) -> ProcessOutput {
    let folder = tempfile::tempdir().expect("a temporary folder");
    command
        .current_dir(folder.path())
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .envs([("PYTHONDONTWRITEBYTECODE", "1"), ("PYTHONUTF8", "1")])
        .stdin(Stdio::null())
        .kill_on_drop(true);
    ProcessOutput::of(&command.output().await.expect("the program starts"))
}
