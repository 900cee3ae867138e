//! The exit codes of a service.

use std::fmt;
use std::process::{ExitCode, Termination};

use crate::config::Problems;
use crate::part::BoxError;
use crate::secrets::redact_text;

/// The exit code of `main`: 0 after a clean shutdown, 1 after a fault while running, 2 when the
/// service does not run because it is configured or put together wrongly, or does not fit its
/// dependencies.
///
/// Under systemd the last is 78 (`EX_CONFIG`), which systemd reports by that name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit(u8);

impl Exit {
    /// A clean shutdown.
    pub const OK: Self = Self(0);
    /// A fault while running.
    pub const FAULT: Self = Self(1);

    /// Returns the code for a wrong configuration: 2, or 78 if systemd started the process.
    #[must_use]
    pub fn wrong_configuration() -> Self {
        let started = std::env::var_os("SYSTEMD_EXEC_PID");
        let started = started.as_deref().and_then(std::ffi::OsStr::to_str);
        Self::wrong_configuration_of(started, std::process::id())
    }

    /// `started` is the process id that systemd passes on. `INVOCATION_ID` cannot decide this:
    /// every child process inherits it, a shell on a desktop included.
    fn wrong_configuration_of(started: Option<&str>, own_id: u32) -> Self {
        let by_systemd = started.is_some_and(|id| id.parse() == Ok(own_id));
        Self(if by_systemd { 78 } else { 2 })
    }

    /// Returns the process's exit code.
    #[must_use]
    pub fn code(self) -> u8 {
        self.0
    }
}

impl Termination for Exit {
    fn report(self) -> ExitCode {
        ExitCode::from(self.0)
    }
}

/// The reason why an app did not start, or ended early.
pub enum LaunchError {
    /// Wrong settings: all of them.
    Settings(Problems),
    /// Everything that is wrong with the app's code, such as conflicting routes or a missing state.
    Refused(Vec<String>),
    /// A command that was called with arguments that do not go together, and the fix.
    Usage(String),
    /// A part cannot connect, and a retry would not help: see [`Permanent`](crate::part::Permanent).
    Permanent(BoxError),
    /// Any other failure.
    Fault(BoxError),
}

impl LaunchError {
    /// Returns the exit code for this error.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::Settings(_) | Self::Refused(_) | Self::Usage(_) | Self::Permanent(_) => {
                Exit::wrong_configuration()
            }
            Self::Fault(_) => Exit::FAULT,
        }
    }

    /// Returns the message for operators, over several lines.
    #[must_use]
    pub fn report(&self, app: &str) -> String {
        match self {
            Self::Settings(problems) => problems.report(app),
            Self::Refused(reasons) => {
                let count = match reasons.len() {
                    1 => "1 thing is".to_owned(),
                    more => format!("{more} things are"),
                };
                let list: String = reasons.iter().map(|reason| format!("\n  {reason}\n")).collect();
                format!("{app} cannot start: {count} wrong with its routes\n{list}")
            }
            Self::Usage(reason) => reason.clone(),
            Self::Permanent(error) => {
                let why = chain(&**error);
                format!("{app} cannot run, and waiting does not help: {}", redact_text(&why))
            }
            Self::Fault(error) => format!("{app} stopped: {}", redact_text(&chain(&**error))),
        }
    }
}

impl<E: std::error::Error + Send + Sync + 'static> From<E> for LaunchError {
    fn from(error: E) -> Self {
        Self::Fault(error.into())
    }
}

impl fmt::Debug for LaunchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.report("the app"))
    }
}

/// Returns an error and its causes on one line.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut line = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        line.push_str(": ");
        line.push_str(&error.to_string());
        next = error.source();
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_process_that_systemd_started_speaks_to_it() {
        let code = |started| Exit::wrong_configuration_of(started, 42).code();
        assert_eq!(code(Some("42")), 78);
        for other in [None, Some("41"), Some(""), Some("x"), Some("-42")] {
            assert_eq!(code(other), 2, "{other:?}");
        }
    }
}
