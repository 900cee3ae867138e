//! The section `[log]`.

use std::time::Duration;

use super::format::LogFormat;
use super::level::{LogLevel, LogLevels};
use super::python_format::MsecFormat;
use crate::config::{Reader, Section, Settings};

crate::setting_enum! {
    /// The requests that get a line of their own.
    pub enum LogRequests: default Auto {
        /// All requests in development, failures in production.
        Auto = "auto",
        /// Every request.
        All = "all",
        /// Requests that failed with a server error (5xx), and slow ones.
        Failures = "failures",
        /// No request.
        None = "none",
    }
}

impl LogRequests {
    /// Resolves `Auto` to `All` or `Failures`.
    #[must_use]
    pub const fn resolve(self, production: bool) -> Self {
        match self {
            Self::Auto if production => Self::Failures,
            Self::Auto => Self::All,
            chosen => chosen,
        }
    }
}

/// Settings of the log.
#[derive(Settings, Clone, Debug)]
#[setting(check = Self::check)]
pub struct LogSettings {
    /// Level of the log: `TRACE`, `DEBUG`, `INFO`, `WARNING` or `ERROR`; Python's numbers and `CRITICAL`
    /// (which is `ERROR`) are read too. Set `DEBUG` to find a fault: it includes libraries.
    /// **Default: `INFO`.**
    #[setting(alias = "{prefix}_{app}_LOG_LEVEL")]
    pub level: LogLevel,
    /// Levels of single loggers, such as `sqlx=WARNING,registry.repositories=DEBUG`: each for the logger of
    /// that name and those below it, regardless of `log.level`. Use it to make one module more or less
    /// verbose. **Default: none.**
    pub levels: LogLevels,
    /// Format of lines: `human`, `json`, `auto`, which is `human` on a terminal and `json` otherwise, or a
    /// format of Python's `logging`, such as
    /// `%(asctime)s %(levelname)-8s %(message)s`. **Default: `auto`.**
    pub format: LogFormat,
    /// Format of the milliseconds after the time in `human` lines: Python's `default_msec_format`. An empty
    /// text leaves them out. **Default: `%s.%03d`.**
    pub format_msec: MsecFormat,
    /// Requests that get a line: `all`, `failures`, `none`, or `auto`, which is `all` in
    /// development and `failures` in production. **Default: `auto`.**
    pub requests: LogRequests,
    /// Duration from which a request is slow: it gets a line with `slow=true` at `WARNING`, also if only
    /// failures are logged. `0s` disables this. Raise it for a service whose requests take long.
    /// **Default: `1s`.**
    #[setting(max = "365days")]
    pub slow: Duration,
    /// Duration of a level that was raised by the signal SIGUSR1; SIGUSR2 reverts it at once.
    /// **Default: `15m`.**
    #[setting(max = "365days")]
    pub revert_after: Duration,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self {
            level: LogLevel::default(),
            levels: LogLevels::default(),
            format: LogFormat::default(),
            format_msec: MsecFormat::default(),
            requests: LogRequests::default(),
            slow: Duration::from_secs(1),
            revert_after: Duration::from_secs(15 * 60),
        }
    }
}

impl LogSettings {
    fn check(&self, from: &mut Reader<'_>) {
        if self.revert_after.is_zero() {
            from.refuse(
                "revert_after",
                "the raised level would end at once",
                "a duration such as `15m`",
            );
        }
    }
}

/// The section `[log]`.
pub static SECTION: Section = Section::of::<LogSettings>("log");
