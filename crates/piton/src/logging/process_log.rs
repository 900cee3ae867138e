//! The log of this process: started once, with a level that can be changed while it runs.

use std::io::IsTerminal;
use std::sync::Once;
use std::time::Duration;

use tracing_subscriber::layer::SubscriberExt;

use super::filter::LogRules;
use super::format::LogFormat;
use super::layer::{self, LineLayer};
use super::level::LogLevel;
use super::level_override::{LevelControl, LevelState};
use super::line_writer::LineStyle;
use super::output;
use super::python_format::PythonFormat;
use super::settings::LogSettings;

static RULES: LogRules = LogRules::new();
static LEVEL: LevelControl = LevelControl::new(&RULES);

/// Starts the log on the standard output. Called again, it changes the levels and the format. It
/// never panics: where the process has another `tracing` subscriber already, that one stays.
pub fn start(settings: &LogSettings) {
    static INSTALL: Once = Once::new();
    layer::started_at();
    configure(&RULES, settings);
    LEVEL.configure(settings.level, settings.revert_after);
    INSTALL.call_once(|| {
        let subscriber = tracing_subscriber::registry().with(LineLayer::new(&RULES, output::write));
        // Refused only if the service installed one of its own, which then is what it wants.
        let _ = tracing::subscriber::set_global_default(subscriber);
    });
}

/// From here on the log goes to the standard error, as the standard output is for what a verb prints.
pub(crate) fn log_to_stderr() {
    output::log_to_stderr();
}

/// Changes the level for good, as if the settings said so. For a time: [`set_level_for`].
pub fn set_level(level: LogLevel) {
    LEVEL.configure(level, LEVEL.revert_after());
}

/// How long a level that was changed stays, where nobody says for how long.
#[must_use]
pub fn revert_after() -> Duration {
    LEVEL.revert_after()
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
    LEVEL.set_for(level, how_long)
}

/// Takes `DEBUG`, or `TRACE` where `DEBUG` is in force already, for `log.revert_after`: what SIGUSR1
/// does.
pub fn raise_level() -> LevelState {
    LEVEL.raise()
}

/// Takes the level of the settings at once: what SIGUSR2 does.
pub fn revert_level() -> LevelState {
    LEVEL.revert()
}

/// The level in force, that of the settings, and when it will be in force again.
#[must_use]
pub fn level_state() -> LevelState {
    LEVEL.state()
}

pub(super) fn configure(rules: &LogRules, settings: &LogSettings) {
    rules.set_levels(settings.levels.clone());
    let style = style(&settings.format);
    match &settings.format {
        LogFormat::Python(format) => {
            rules.set_python(format.clone(), settings.format_msec.clone());
        }
        _ if style != LineStyle::Json && !settings.format_msec.is_default() => {
            rules.set_python(PythonFormat::gnar(), settings.format_msec.clone());
        }
        _ => rules.set_style(style),
    }
}

fn style(format: &LogFormat) -> LineStyle {
    let stdout = std::io::stdout();
    match format {
        LogFormat::Json => LineStyle::Json,
        LogFormat::Auto if !stdout.is_terminal() => LineStyle::Json,
        _ if stdout.is_terminal() && !no_color() => LineStyle::Coloured,
        _ => LineStyle::Human,
    }
}

/// <https://no-color.org>: set and not empty.
pub(crate) fn no_color() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}
