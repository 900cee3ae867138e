//! A built program that is asked something and ends: its verbs, and what it refuses to start with.

use std::path::Path;
use std::process::{Command, Output};

/// What a program said.
#[derive(Debug)]
pub struct Answer {
    /// Its exit code, unless a signal ended it.
    pub code: Option<i32>,
    /// Its standard output.
    pub out: String,
    /// Its standard error.
    pub err: String,
}

/// The program in `folder`, with nothing of the environment.
#[must_use]
pub fn program(program: &str, folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folder).args(arguments).env_clear();
    command
}

/// Runs a program to its end.
///
/// # Panics
/// If it cannot be started, or does not write UTF-8.
#[must_use]
pub fn answer(command: &mut Command) -> Answer {
    let Output { status, stdout, stderr } = command.output().expect("the program was built");
    let text = |bytes| String::from_utf8(bytes).expect("the program writes UTF-8");
    Answer { code: status.code(), out: text(stdout), err: text(stderr) }
}

/// A folder for a program to run in.
///
/// # Panics
/// If none can be made.
#[must_use]
pub fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder can be made")
}

/// An example of settings with every setting in force.
#[must_use]
pub fn uncommented(example: &str) -> String {
    let line = |line: &str| match line.strip_prefix('#') {
        Some(setting) if !setting.starts_with(' ') => format!("{setting}\n"),
        _ => format!("{line}\n"),
    };
    example.lines().map(line).collect()
}
