//! Logging: one line for each event, readable on a terminal and as JSON elsewhere, with the request id and
//! without secrets.
//!
//! Libraries and services log with the macros of `tracing`; this module decides which events are written
//! and in which format. The process has one subscriber, whose level can be changed while it runs.

mod colour;
mod escape;
mod filter;
mod format;
mod layer;
mod level;
mod level_override;
mod line_writer;
mod output;
mod process_log;
mod python_format;
mod settings;
#[cfg(test)]
mod tests;
mod timestamp;

pub(crate) use colour::is_coloured;
pub use format::LogFormat;
pub use level::{LogLevel, LogLevels};
pub use level_override::LevelState;
pub(crate) use process_log::{capture_for_tests, log_to_stderr};
pub use process_log::{
    level, level_state, raise_level, revert_after, revert_level, set_level, set_level_for, start,
};
pub use python_format::{MsecFormat, PythonFormat};
pub use settings::{LogRequests, LogSettings, SECTION};

pub use crate::secrets::remember_secret;
