//! The section `[log]`.

use std::time::Duration;

use super::format::LogFormat;
use super::level::{LogLevel, LogLevels};
use super::python_format::MsecFormat;
use crate::config::{Reader, Section, Settings};

crate::setting_enum! {
    /// Which requests get a line of their own.
    pub enum LogRequests: default Auto {
        /// All in development, failures in production.
        Auto = "auto",
        /// Every request.
        All = "all",
        /// Those that were answered with an error of the service (5xx), and slow ones.
        Failures = "failures",
        /// None.
        None = "none",
    }
}

impl LogRequests {
    /// `Auto` decided: never `Auto`.
    #[must_use]
    pub const fn resolve(self, production: bool) -> Self {
        match self {
            Self::Auto if production => Self::Failures,
            Self::Auto => Self::All,
            chosen => chosen,
        }
    }
}

/// The log.
#[derive(Settings, Clone, Debug)]
#[setting(check = Self::check)]
pub struct LogSettings {
    /// How much is written: `TRACE`, `DEBUG`, `INFO`, `WARNING` or `ERROR`; Python's numbers and
    /// `CRITICAL`, which is `ERROR`, are read too. Take `DEBUG` to find a fault: libraries speak
    /// then, too. **Default: `INFO`.**
    #[setting(alias = "{prefix}_{app}_LOG_LEVEL")]
    pub level: LogLevel,
    /// Levels of single loggers, such as `sqlx=WARNING,registry.repositories=DEBUG`: each for the
    /// logger of that name and those below it, whatever `log.level` says. Use it to quiet or to
    /// open one module. **Default: none.**
    pub levels: LogLevels,
    /// What a line looks like: `human`, `json`, `auto`, which is `human` on a terminal and `json`
    /// otherwise, or a format of Python's `logging`, such as
    /// `%(asctime)s %(levelname)-8s %(message)s`. **Default: `auto`.**
    pub format: LogFormat,
    /// How the milliseconds stand after the time in lines for people: Python's
    /// `default_msec_format`. Nothing leaves them out. **Default: `%s.%03d`.**
    pub format_msec: MsecFormat,
    /// Which requests get a line: `all`, `failures`, `none`, or `auto`, which is `all` in
    /// development and `failures` in production. **Default: `auto`.**
    pub requests: LogRequests,
    /// A request that took this long gets a line with `slow=true` at `WARNING`, also where only
    /// failures are logged. `0s` calls none slow. Raise it for a service whose requests take their
    /// time. **Default: `1s`.**
    #[setting(max = "365days")]
    pub slow: Duration,
    /// How long a level that was changed by signal stays: SIGUSR1 raises it, SIGUSR2 ends that at
    /// once. **Default: `15m`.**
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
            from.refuse("revert_after", "a level would end as it begins", "a time such as `15m`");
        }
    }
}

/// The section `log`.
pub static SECTION: Section = Section::of::<LogSettings>("log");
