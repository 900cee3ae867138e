//! The names and numbers that Python's `logging` gives to levels.

use tracing::Level;

/// Returns Python's name of `level`; `TRACE` has the name that is customary for it.
pub(crate) const fn name(level: Level) -> &'static str {
    match level {
        Level::TRACE => "TRACE",
        Level::DEBUG => "DEBUG",
        Level::INFO => "INFO",
        Level::WARN => "WARNING",
        Level::ERROR => "ERROR",
    }
}

/// Returns Python's number of `level`. Python has no `TRACE`, for which 5 is customary.
pub(crate) const fn number(level: Level) -> u8 {
    match level {
        Level::TRACE => 5,
        Level::DEBUG => 10,
        Level::INFO => 20,
        Level::WARN => 30,
        Level::ERROR => 40,
    }
}
