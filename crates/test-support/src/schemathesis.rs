//! Schemathesis: sends a service what its document allows and what it does not, and looks at each answer.

use std::process::{Command, Stdio};

use crate::python::{interpreter, script};

/// What came of it.
#[derive(Debug)]
pub struct Fuzzed {
    /// Whether nothing was found.
    pub clean: bool,
    /// The report.
    pub said: String,
}

/// Runs it with all checks against the service at `base_url`, such as `http://127.0.0.1:5000`, with `examples` of
/// each kind, the same each time. `header` is that of the key. `options` are Schemathesis's own, such as
/// `--include-method=GET`.
///
/// # Panics
/// If its environment has not been made.
#[must_use]
pub fn fuzz(
    base_url: &str,
    (header, key): (&str, &str),
    examples: u32,
    options: &[&str],
) -> Fuzzed {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let output = Command::new(interpreter("schemathesis"))
        .arg(script("schemathesis", "fuzz.py"))
        .arg(base_url)
        .arg(format!("{header}={key}"))
        .arg(examples.to_string())
        .args(options)
        .current_dir(folder.path())
        .env_clear()
        .envs([("PYTHONDONTWRITEBYTECODE", "1"), ("PYTHONUTF8", "1"), ("COLUMNS", "200")])
        .stdin(Stdio::null())
        .output()
        .expect("Python starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Fuzzed { clean: output.status.success(), said: text(&output.stdout) + &text(&output.stderr) }
}
