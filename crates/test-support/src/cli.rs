//! Runs a built program to its end: its commands, and its refusals to start.

use std::path::Path;
use std::process::{Command, Output};

/// Output of a program.
#[derive(Debug)]
pub struct CommandOutput {
    /// Its exit code, unless a signal ended it.
    pub code: Option<i32>,
    /// Its standard output.
    pub out: String,
    /// Its standard error.
    pub err: String,
}

/// Returns a command that runs the program in `folder`, with an empty environment.
#[must_use]
pub fn command(program: &str, folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folder).args(arguments).env_clear();
    command
}

/// Runs a program to its end.
///
/// # Panics
/// If it cannot be started, or does not write UTF-8.
#[must_use]
pub fn output(command: &mut Command) -> CommandOutput {
    let Output { status, stdout, stderr } = command.output().expect("the program was built");
    let text = |bytes| String::from_utf8(bytes).expect("the program writes UTF-8");
    CommandOutput { code: status.code(), out: text(stdout), err: text(stderr) }
}

/// Creates a folder for a program to run in.
///
/// # Panics
/// If none can be made.
#[must_use]
pub fn temporary_folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder can be made")
}

/// Returns an example of settings with every setting uncommented.
#[must_use]
pub fn uncomment_settings(example: &str) -> String {
    let line = |line: &str| match line.strip_prefix('#') {
        Some(setting) if !setting.starts_with(' ') => format!("{setting}\n"),
        _ => format!("{line}\n"),
    };
    example.lines().map(line).collect()
}
