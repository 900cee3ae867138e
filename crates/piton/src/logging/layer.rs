//! Decides which events are written, and hands them over as lines.

use std::cell::Cell;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use tracing::level_filters::LevelFilter;
use tracing::subscriber::Interest;
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::format::{Around, MsecFormat, PythonFormat};
use super::line::{Buffers, Line, Style};
use super::moment::Moment;
use super::{LogLevel, LogLevels};
use crate::context::{self, RequestId};

/// What may change while the service runs.
pub(super) struct Rules {
    level: AtomicU8,
    style: AtomicU8,
    levels: RwLock<LogLevels>,
    python: RwLock<Option<Arc<Python>>>,
}

/// A form of lines in Python's spelling.
pub(super) struct Python {
    pub format: PythonFormat,
    pub msec: MsecFormat,
}

impl Rules {
    pub(super) const fn new() -> Self {
        Self {
            level: AtomicU8::new(LogLevel::Info as u8),
            style: AtomicU8::new(Style::Human as u8),
            levels: RwLock::new(LogLevels::none()),
            python: RwLock::new(None),
        }
    }

    pub(super) fn level(&self) -> LogLevel {
        LogLevel::ALL[usize::from(self.level.load(Ordering::Relaxed))]
    }

    /// The level of one logger: its own, or everyone's.
    pub(super) fn level_of(&self, logger: &str) -> LogLevel {
        self.own_level(logger).unwrap_or_else(|| self.level())
    }

    fn own_level(&self, logger: &str) -> Option<LogLevel> {
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

    pub(super) fn set_style(&self, style: Style) {
        self.style.store(style as u8, Ordering::Relaxed);
    }

    pub(super) fn set_python(&self, format: PythonFormat, msec: MsecFormat) {
        let python = Some(Arc::new(Python { format, msec }));
        *self.python.write().unwrap_or_else(PoisonError::into_inner) = python;
        self.set_style(Style::Python);
    }

    /// The form of lines, and the format of one in Python's spelling.
    fn style(&self) -> (Style, Option<Arc<Python>>) {
        match self.style.load(Ordering::Relaxed) {
            style if style == Style::Json as u8 => (Style::Json, None),
            style if style == Style::Coloured as u8 => (Style::Coloured, None),
            // Cloned, as a field's `Debug` may log in its turn and would want the lock.
            style if style == Style::Python as u8 => {
                match self.python.read().unwrap_or_else(PoisonError::into_inner).clone() {
                    Some(python) => (Style::Python, Some(python)),
                    None => (Style::Human, None),
                }
            }
            _ => (Style::Human, None),
        }
    }

    fn allow(&self, metadata: &Metadata<'_>) -> bool {
        if let Some(level) = self.own_level(metadata.target()) {
            return *metadata.level() <= level.filter();
        }
        let level = self.level().filter();
        if level > LevelFilter::DEBUG && writes_bodies(metadata.target()) {
            return *metadata.level() <= LevelFilter::DEBUG;
        }
        // At `DEBUG` one looks for a fault, which may be in a library.
        let quiet = level < LevelFilter::DEBUG && is_dependency(metadata);
        let most = match quiet {
            // It warns of each place where it finds no credentials, and of all of them each time; what
            // comes of it is told once, by who asked.
            true if metadata.target().starts_with("aws_config") => LevelFilter::ERROR,
            true => LevelFilter::WARN,
            false => level,
        };
        *metadata.level() <= level.min(most)
    }

    /// The most that anyone may say.
    fn most(&self) -> LevelFilter {
        let levels = self.levels.read().unwrap_or_else(PoisonError::into_inner);
        let level = self.level().filter();
        levels.most().map_or(level, |most| most.max(level))
    }
}

/// Whether at `TRACE` a library writes whole requests and answers, in which there is what nobody should
/// read: messages, mails, receipts. Whoever wants that says it of the library (`log.levels`).
fn writes_bodies(logger: &str) -> bool {
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

/// The layer of `tracing` that writes lines.
pub(super) struct Layer<W> {
    rules: &'static Rules,
    write: W,
}

impl<W: Fn(&str)> Layer<W> {
    pub(super) const fn new(rules: &'static Rules, write: W) -> Self {
        Self { rules, write }
    }
}

/// Python's `time.time()` when the log began.
pub(super) fn began() -> f64 {
    static BEGAN: OnceLock<f64> = OnceLock::new();
    *BEGAN.get_or_init(|| Moment::utc().created())
}

thread_local! {
    static BUFFERS: Cell<Buffers> = const { Cell::new(Buffers::new()) };
}

impl<S, W> tracing_subscriber::Layer<S> for Layer<W>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    W: Fn(&str) + 'static,
{
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        // Whether a place may write changes only with the level, and then everyone is asked again.
        if self.rules.allow(metadata) { Interest::always() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        self.rules.allow(metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.rules.most())
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        // The buffers are taken out, not borrowed: a field's `Debug` may log in its turn, and a
        // thread that ends has none any more. Both then have fresh ones.
        let mut buffers = BUFFERS.try_with(Cell::take).unwrap_or_default();
        let (style, python) = self.rules.style();
        let (id, trace) = context::request_and_trace();
        let id = id.as_ref().map(RequestId::as_str);
        let line = Line::begin(&mut buffers, style, id).within(trace);
        match &python {
            Some(python) => {
                let span = context.event_span(event).map(|span| span.name());
                let around = Around::new(span, began());
                line.write_in(&python.format, &python.msec, &around, Moment::local(), event);
            }
            None if style == Style::Json => line.write(Moment::utc(), event),
            None => line.write(Moment::local(), event),
        }
        (self.write)(buffers.line());
        buffers.clear();
        let _ = BUFFERS.try_with(|kept| kept.set(buffers));
    }
}
