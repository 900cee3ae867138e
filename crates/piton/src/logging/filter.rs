//! Decides which events are written, and in which format: rules that may change while the service runs.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use tracing::Metadata;
use tracing::level_filters::LevelFilter;

use super::level::{LogLevel, LogLevels};
use super::line_writer::LineStyle;
use super::python_format::{MsecFormat, PythonFormat};

/// What may change while the service runs.
pub(super) struct LogRules {
    level: AtomicU8,
    style: AtomicU8,
    levels: RwLock<LogLevels>,
    python: RwLock<Option<Arc<PythonLines>>>,
}

/// A form of lines in PythonLines's spelling.
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

    /// The level of one logger: its own, or everyone's.
    pub(super) fn level_of(&self, logger: &str) -> LogLevel {
        self.logger_level(logger).unwrap_or_else(|| self.level())
    }

    fn logger_level(&self, logger: &str) -> Option<LogLevel> {
        self.levels.read().unwrap_or_else(PoisonError::into_inner).of(logger)
    }

    /// Changes everyone's level.
    pub(super) fn set_level(&self, level: LogLevel) {
        if self.level.swap(level as u8, Ordering::Relaxed) != level as u8 {
            tracing::callsite::rebuild_interest_cache();
        }
    }

    /// Changes the levels of single loggers.
    pub(super) fn set_levels(&self, levels: LogLevels) {
        let before = {
            let mut known = self.levels.write().unwrap_or_else(PoisonError::into_inner);
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
        *self.python.write().unwrap_or_else(PoisonError::into_inner) = python;
        self.set_style(LineStyle::Python);
    }

    /// The form of lines, and the format of one in PythonLines's spelling.
    pub(super) fn style(&self) -> (LineStyle, Option<Arc<PythonLines>>) {
        match self.style.load(Ordering::Relaxed) {
            style if style == LineStyle::Json as u8 => (LineStyle::Json, None),
            style if style == LineStyle::Coloured as u8 => (LineStyle::Coloured, None),
            // Cloned, as a field's `Debug` may log in its turn and would want the lock.
            style if style == LineStyle::Python as u8 => {
                match self.python.read().unwrap_or_else(PoisonError::into_inner).clone() {
                    Some(python) => (LineStyle::Python, Some(python)),
                    None => (LineStyle::Human, None),
                }
            }
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
        // At `DEBUG` one looks for a fault, which may be in a library.
        let quiet = level < LevelFilter::DEBUG && is_dependency(metadata);
        let max = match quiet {
            // It warns of each place where it finds no credentials, and of all of them each time; what
            // comes of it is told once, by who asked.
            true if metadata.target().starts_with("aws_config") => LevelFilter::ERROR,
            true => LevelFilter::WARN,
            false => level,
        };
        *metadata.level() <= level.min(max)
    }

    /// The most that anyone may say.
    pub(super) fn max_level(&self) -> LevelFilter {
        let levels = self.levels.read().unwrap_or_else(PoisonError::into_inner);
        let level = self.level().filter();
        levels.max_level().map_or(level, |max| max.max(level))
    }
}

/// Whether at `TRACE` a library writes whole requests and answers, in which there is what nobody should
/// read: messages, mails, receipts. Whoever wants that says it of the library (`log.levels`).
fn logs_bodies(logger: &str) -> bool {
    logger.starts_with("aws_smithy_") || logger.starts_with("aws_sigv4")
}

/// Whether a library speaks, not the service: cargo compiled it from its registry or from a git
/// checkout, or it is one of those that services vendor. Asked once for each place that logs.
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
