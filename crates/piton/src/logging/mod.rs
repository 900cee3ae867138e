//! The log: one line an event, for people on a terminal and as JSON everywhere else, with the id
//! of the request on each line and no secret in any.
//!
//! Libraries and services write with the macros of `tracing`; this room decides which events are
//! written and how. There is one subscriber in the process, and its level can be changed while
//! it runs.

mod change;
mod escape;
mod format;
mod layer;
mod level;
mod line;
mod moment;
mod output;
#[cfg(test)]
mod tests;

use std::io::IsTerminal;
use std::sync::Once;
use std::time::Duration;

use tracing_subscriber::layer::SubscriberExt;

pub use self::change::LevelState;
use self::change::Switch;
pub use self::format::{LogFormat, MsecFormat, PythonFormat};
use self::layer::{Layer, Rules};
pub use self::level::{LogLevel, LogLevels};
use self::line::Style;
pub use crate::config::secrets::remember_secret;
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

static RULES: Rules = Rules::new();
static SWITCH: Switch = Switch::new(&RULES);

/// Starts the log on the standard output. Called again, it changes the levels and the format. It
/// never panics: where the process has another `tracing` subscriber already, that one stays.
pub fn start(settings: &LogSettings) {
    static INSTALL: Once = Once::new();
    layer::began();
    configure(&RULES, settings);
    SWITCH.configure(settings.level, settings.revert_after);
    INSTALL.call_once(|| {
        let subscriber = tracing_subscriber::registry().with(Layer::new(&RULES, output::write));
        // Refused only if the service installed one of its own, which then is what it wants.
        let _ = tracing::subscriber::set_global_default(subscriber);
    });
}

/// From here on the log goes to the standard error, as the standard output is for what a verb prints.
pub(crate) fn step_aside() {
    output::step_aside();
}

/// Changes the level for good, as if the settings said so. For a time: [`set_level_for`].
pub fn set_level(level: LogLevel) {
    SWITCH.configure(level, SWITCH.revert_after());
}

/// How long a level that was changed stays, where nobody says for how long.
#[must_use]
pub fn revert_after() -> Duration {
    SWITCH.revert_after()
}

/// The level in force.
#[must_use]
pub fn level() -> LogLevel {
    RULES.level()
}

/// Changes the level for some time, a year at the most; then the level of the settings is in force
/// again. Another call replaces this one. The log is told of both changes.
///
/// The levels of single loggers (`log.levels`) stay what they are.
pub fn set_level_for(level: LogLevel, how_long: Duration) -> LevelState {
    SWITCH.set_for(level, how_long)
}

/// Takes `DEBUG`, or `TRACE` where `DEBUG` is in force already, for `log.revert_after`: what SIGUSR1
/// does.
pub fn raise() -> LevelState {
    SWITCH.raise()
}

/// Takes the level of the settings at once: what SIGUSR2 does.
pub fn revert() -> LevelState {
    SWITCH.revert()
}

/// The level in force, that of the settings, and when it will be in force again.
#[must_use]
pub fn state() -> LevelState {
    SWITCH.state()
}

fn configure(rules: &Rules, settings: &LogSettings) {
    rules.set_levels(settings.levels.clone());
    let style = style(&settings.format);
    match &settings.format {
        LogFormat::Python(format) => {
            rules.set_python(format.clone(), settings.format_msec.clone());
        }
        _ if style != Style::Json && !settings.format_msec.is_default() => {
            rules.set_python(PythonFormat::gnar(), settings.format_msec.clone());
        }
        _ => rules.set_style(style),
    }
}

fn style(format: &LogFormat) -> Style {
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
