//! The log of the process: installs the subscriber once, and changes its level while it runs.

use std::io::IsTerminal;
use std::sync::Once;
use std::time::Duration;

use tracing_subscriber::layer::SubscriberExt;

use super::colour::is_coloured;
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

/// Starts the log on the standard output. A second call changes the levels and the format. Never panics: if
/// the process already has another `tracing` subscriber, that one remains.
pub fn start(settings: &LogSettings) {
    static INSTALL: Once = Once::new();
    layer::started_at();
    configure(&RULES, settings);
    LEVEL.configure(settings.level, settings.revert_after);
    INSTALL.call_once(|| {
        let subscriber = tracing_subscriber::registry().with(LineLayer::new(&RULES, output::write));
        // Fails only if the service has installed its own subscriber, which then takes precedence.
        let _ = tracing::subscriber::set_global_default(subscriber);
    });
}

/// Sends further lines to the standard error, because the standard output is for the output of a command.
pub(crate) fn log_to_stderr() {
    output::log_to_stderr();
}

/// Writes further lines where the test harness captures them, so that tests that pass are silent.
pub(crate) fn capture_for_tests() {
    output::capture_for_tests();
}

/// Changes the level permanently, as the setting does. For some time: [`set_level_for`].
pub fn set_level(level: LogLevel) {
    LEVEL.configure(level, LEVEL.revert_after());
}

/// Returns the default duration of an override: `log.revert_after`.
#[must_use]
pub fn revert_after() -> Duration {
    LEVEL.revert_after()
}

/// Returns the level in force.
#[must_use]
pub fn level() -> LogLevel {
    RULES.level()
}

/// Changes the level for some time, at most a year; then the level of the settings is in force again.
/// Another call replaces this one. Both changes are logged.
///
/// The levels of single loggers (`log.levels`) do not change.
pub fn set_level_for(level: LogLevel, how_long: Duration) -> LevelState {
    LEVEL.set_for(level, how_long)
}

/// Sets `DEBUG`, or `TRACE` if `DEBUG` is in force, for `log.revert_after`, as SIGUSR1 does.
pub fn raise_level() -> LevelState {
    LEVEL.raise()
}

/// Reverts to the level of the settings at once, as SIGUSR2 does.
pub fn revert_level() -> LevelState {
    LEVEL.revert()
}

/// Returns the level in force, that of the settings, and the time at which it will be in force again.
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
        _ if is_coloured(stdout.is_terminal()) => LineStyle::Coloured,
        _ => LineStyle::Human,
    }
}
