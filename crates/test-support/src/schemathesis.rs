//! Schemathesis: sends a service requests that its document allows and others, and checks each
//! response.

use std::process::{Command, Stdio};

use crate::python::{interpreter, script};

/// Result of a run.
#[derive(Debug)]
pub struct FuzzReport {
    /// Set if no failure was found.
    pub clean: bool,
    /// Output of Schemathesis.
    pub report: String,
}

/// Runs all checks against the service at `base_url`, such as `http://127.0.0.1:5000`, with
/// `examples` of each kind, the same each time. `header` is the name of the key's header. `options`
/// are Schemathesis's own, such as `--include-method=GET`.
///
/// # Panics
/// If its environment has not been installed.
#[must_use]
pub fn fuzz(
    base_url: &str,
    (header, key): (&str, &str),
    examples: u32,
    options: &[&str],
) -> FuzzReport {
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
    FuzzReport {
        clean: output.status.success(),
        report: text(&output.stdout) + &text(&output.stderr),
    }
}
