//! Decides which events are written, and in which format: rules that may change while the service runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use parking_lot::RwLock;
use tracing::Metadata;
use tracing::level_filters::LevelFilter;

use super::level::{LogLevel, LogLevels};
use super::line_writer::LineStyle;
use super::python_format::{MsecFormat, PythonFormat};

/// The rules for events, which may change while the service runs.
pub(super) struct LogRules {
    level: AtomicU8,
    style: AtomicU8,
    levels: RwLock<LogLevels>,
    python: RwLock<Option<Arc<PythonLines>>>,
}

/// A line format in Python's syntax.
pub(super) struct PythonLines {
    pub format: PythonFormat,
    pub msec: MsecFormat,
}

impl LogRules {
    pub(super) const fn new() -> Self {
        Self {
            level: AtomicU8::new(LogLevel::Info as u8),
            style: AtomicU8::new(LineStyle::Human as u8),
            levels: RwLock::new(LogLevels::none()),
            python: RwLock::new(None),
        }
    }

    pub(super) fn level(&self) -> LogLevel {
        LogLevel::ALL[usize::from(self.level.load(Ordering::Relaxed))]
    }

    /// Returns the level of one logger: its own, or that of the service.
    pub(super) fn level_of(&self, logger: &str) -> LogLevel {
        self.logger_level(logger).unwrap_or_else(|| self.level())
    }

    fn logger_level(&self, logger: &str) -> Option<LogLevel> {
        self.levels.read().of(logger)
    }

    /// Sets the level of all loggers without one of their own.
    pub(super) fn set_level(&self, level: LogLevel) {
        if self.level.swap(level as u8, Ordering::Relaxed) != level as u8 {
            tracing::callsite::rebuild_interest_cache();
        }
    }

    /// Sets the levels of single loggers.
    pub(super) fn set_levels(&self, levels: LogLevels) {
        let before = {
            let mut known = self.levels.write();
            std::mem::replace(&mut *known, levels.clone())
        };
        if before != levels {
            tracing::callsite::rebuild_interest_cache();
        }
    }

    pub(super) fn set_style(&self, style: LineStyle) {
        self.style.store(style as u8, Ordering::Relaxed);
    }

    pub(super) fn set_python(&self, format: PythonFormat, msec: MsecFormat) {
        let python = Some(Arc::new(PythonLines { format, msec }));
        *self.python.write() = python;
        self.set_style(LineStyle::Python);
    }

    /// Returns the style of lines, with the format if it is one of Python's.
    pub(super) fn style(&self) -> (LineStyle, Option<Arc<PythonLines>>) {
        match self.style.load(Ordering::Relaxed) {
            style if style == LineStyle::Json as u8 => (LineStyle::Json, None),
            style if style == LineStyle::Coloured as u8 => (LineStyle::Coloured, None),
            // Cloned, because the `Debug` of a field may log in turn and would take the lock again.
            style if style == LineStyle::Python as u8 => match self.python.read().clone() {
                Some(python) => (LineStyle::Python, Some(python)),
                None => (LineStyle::Human, None),
            },
            _ => (LineStyle::Human, None),
        }
    }

    pub(super) fn allows(&self, metadata: &Metadata<'_>) -> bool {
        if let Some(level) = self.logger_level(metadata.target()) {
            return *metadata.level() <= level.filter();
        }
        let level = self.level().filter();
        if level > LevelFilter::DEBUG && logs_bodies(metadata.target()) {
            return *metadata.level() <= LevelFilter::DEBUG;
        }
        // At `DEBUG` libraries are included, because the fault may be in one of them.
        let quiet = level < LevelFilter::DEBUG && is_dependency(metadata);
        let max = match quiet {
            // aws_config warns of every source without credentials at each attempt. The result is logged
            // once by the caller, so its warnings would only repeat it.
            true if metadata.target().starts_with("aws_config") => LevelFilter::ERROR,
            true if warns_of_clients(metadata.target()) => LevelFilter::ERROR,
            true => LevelFilter::WARN,
            false => level,
        };
        *metadata.level() <= level.min(max)
    }

    /// Returns the most verbose level that any logger has.
    pub(super) fn max_level(&self) -> LevelFilter {
        let levels = self.levels.read();
        let level = self.level().filter();
        levels.max_level().map_or(level, |max| max.max(level))
    }
}

/// Returns whether a library logs whole requests and responses at `TRACE`. These contain private data, such
/// as messages and mails, so they are logged only if `log.levels` names the library.
fn logs_bodies(logger: &str) -> bool {
    logger.starts_with("aws_smithy_") || logger.starts_with("aws_sigv4")
}

/// Returns whether the warnings of a library are about its clients. One HTTP/2 client writes gigabytes of them in a
/// minute, by acknowledging pings that were never sent. What matters of a connection is logged by the service.
fn warns_of_clients(logger: &str) -> bool {
    // hyper's are compiled in by `--cfg hyper_unstable_tracing` only. rustls, tungstenite and multer log nothing here.
    matches!(logger.split("::").next(), Some("h2" | "hyper"))
}

/// Returns whether an event comes from a library instead of the service: cargo compiled it from a registry
/// or a git checkout, or it is one that services vendor. Called once for each callsite.
fn is_dependency(metadata: &Metadata<'_>) -> bool {
    const VENDORED: [&str; 12] = [
        "axum",
        "h2",
        "hyper",
        "hyper_util",
        "mio",
        "redis",
        "reqwest",
        "rustls",
        "sqlx",
        "tokio",
        "tower",
        "tower_http",
    ];
    let root = metadata.target().split("::").next().unwrap_or_default();
    if root == "piton" || root.starts_with("piton_") {
        return false;
    }
    let fetched = |file: &str| file.contains("/registry/src/") || file.contains("/git/checkouts/");
    VENDORED.contains(&root) || metadata.file().is_some_and(fetched)
}
