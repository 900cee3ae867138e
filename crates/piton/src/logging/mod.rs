//! The log: one line an event, for people on a terminal and as JSON everywhere else, with the id
//! of the request on each line and no secret in any.
//!
//! Libraries and services write with the macros of `tracing`; this room decides which events are
//! written and how. There is one subscriber in the process, and its level can be changed while
//! it runs.

mod escape;
mod layer;
mod line;
#[cfg(test)]
mod tests;

use std::io::IsTerminal;
use std::sync::Once;

use tracing_subscriber::layer::SubscriberExt;

use self::layer::{Layer, Rules};
use self::line::Style;
use crate::config::{Section, Settings};

crate::setting_enum! {
    /// How much is written. Python's names are read too: `CRITICAL` is `ERROR`.
    pub enum LogLevel: default Info {
        /// Everything, down to single steps of libraries.
        Trace = "TRACE",
        /// What helps to find a fault; the libraries' too.
        Debug = "DEBUG",
        /// What the service does; of libraries only warnings.
        Info = "INFO",
        /// What is odd but handled.
        Warning = "WARNING" | "WARN",
        /// What failed.
        Error = "ERROR" | "CRITICAL" | "FATAL",
    }
}

crate::setting_enum! {
    /// What a line looks like.
    pub enum LogFormat: default Auto {
        /// For people if the output is a terminal, JSON otherwise.
        Auto = "auto",
        /// For people.
        Human = "human",
        /// One JSON object a line, for machines.
        Json = "json",
    }
}

crate::setting_enum! {
    /// Which requests get a line of their own.
    pub enum LogRequests: default Auto {
        /// All in development, failures in production.
        Auto = "auto",
        /// Every request.
        All = "all",
        /// Those that were answered with an error of the service (5xx).
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
#[derive(Settings, Clone, Debug, Default)]
pub struct LogSettings {
    /// How much is written: `TRACE`, `DEBUG`, `INFO`, `WARNING` or `ERROR`. Take `DEBUG` to find
    /// a fault: libraries speak then, too. **Default: `INFO`.**
    #[setting(alias = "{prefix}_{app}_LOG_LEVEL")]
    pub level: LogLevel,
    /// What a line looks like: `human`, `json`, or `auto`, which is `human` on a terminal and
    /// `json` otherwise. **Default: `auto`.**
    pub format: LogFormat,
    /// Which requests get a line: `all`, `failures`, `none`, or `auto`, which is `all` in
    /// development and `failures` in production. **Default: `auto`.**
    pub requests: LogRequests,
}

/// The section `log`.
pub static SECTION: Section = Section::of::<LogSettings>("log");

static RULES: Rules = Rules::new();

/// Starts the log on the standard output. Called again, it changes the level and the format. It
/// never panics: where the process has another `tracing` subscriber already, that one stays.
pub fn start(settings: &LogSettings) {
    static INSTALL: Once = Once::new();
    RULES.set_style(style(settings.format));
    set_level(settings.level);
    INSTALL.call_once(|| {
        let subscriber = tracing_subscriber::registry().with(Layer::new(&RULES, layer::to_stdout));
        // Refused only if the service installed one of its own, which then is what it wants.
        let _ = tracing::subscriber::set_global_default(subscriber);
    });
}

/// Changes the level while the service runs.
pub fn set_level(level: LogLevel) {
    if RULES.set_level(level) {
        tracing::callsite::rebuild_interest_cache();
    }
}

/// The level in force.
#[must_use]
pub fn level() -> LogLevel {
    RULES.level()
}

fn style(format: LogFormat) -> Style {
    let stdout = std::io::stdout();
    match format {
        LogFormat::Json => Style::Json,
        LogFormat::Auto if !stdout.is_terminal() => Style::Json,
        _ if stdout.is_terminal() && !no_color() => Style::Coloured,
        _ => Style::Human,
    }
}

/// <https://no-color.org>: set and not empty.
pub(crate) fn no_color() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}
