//! How a service ends, as the process's exit code.

use std::fmt;
use std::process::{ExitCode, Termination};

use crate::config::{Problems, mask};
use crate::part::BoxError;

/// What `main` returns: 0 when all went well, 1 after a fault while running, 2 when the service
/// does not run because it is configured or put together wrongly, or does not fit what it depends on.
///
/// Under systemd the last is 78 (`EX_CONFIG`), which it knows by that name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit(u8);

impl Exit {
    /// All went well.
    pub const OK: Self = Self(0);
    /// A fault while running.
    pub const FAULT: Self = Self(1);

    /// The service is configured wrongly: 2, or 78 under systemd.
    #[must_use]
    pub fn wrong_configuration() -> Self {
        // systemd gives every service it starts an invocation id.
        Self(if std::env::var_os("INVOCATION_ID").is_some() { 78 } else { 2 })
    }

    /// The process's exit code.
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

/// Why an app did not start, or ended early.
pub enum LaunchError {
    /// Settings are wrong: all of them.
    Settings(Problems),
    /// The app is put together wrongly (routes that clash, a state that is missing): everything
    /// that is wrong with it.
    Refused(Vec<String>),
    /// A part cannot connect, and waiting does not help: see [`Permanent`](crate::part::Permanent).
    Permanent(BoxError),
    /// Something failed.
    Fault(BoxError),
}

impl LaunchError {
    /// The exit code that says so.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::Settings(_) | Self::Refused(_) | Self::Permanent(_) => {
                Exit::wrong_configuration()
            }
            Self::Fault(_) => Exit::FAULT,
        }
    }

    /// The whole message for a person, over several lines.
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
            Self::Permanent(error) => {
                let why = chain(&**error);
                format!("{app} cannot run, and waiting does not help: {}", mask::text(&why))
            }
            Self::Fault(error) => format!("{app} stopped: {}", mask::text(&chain(&**error))),
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

/// An error and its causes, in one line.
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
