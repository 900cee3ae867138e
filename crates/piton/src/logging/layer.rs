//! Decides which events are written, and hands them over as lines.

use std::cell::Cell;
use std::io::Write;
use std::sync::atomic::{AtomicU8, Ordering};

use chrono::{Local, Utc};
use tracing::level_filters::LevelFilter;
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::layer::Context;

use super::LogLevel;
use super::line::{Buffers, Line, Style};
use crate::context;

/// What may change while the service runs.
pub(super) struct Rules {
    level: AtomicU8,
    style: AtomicU8,
}

const LEVELS: [LogLevel; 5] =
    [LogLevel::Trace, LogLevel::Debug, LogLevel::Info, LogLevel::Warning, LogLevel::Error];

impl Rules {
    pub(super) const fn new() -> Self {
        Self {
            level: AtomicU8::new(LogLevel::Info as u8),
            style: AtomicU8::new(Style::Human as u8),
        }
    }

    pub(super) fn level(&self) -> LogLevel {
        LEVELS[usize::from(self.level.load(Ordering::Relaxed))]
    }

    /// Whether that is another level than before.
    pub(super) fn set_level(&self, level: LogLevel) -> bool {
        self.level.swap(level as u8, Ordering::Relaxed) != level as u8
    }

    pub(super) fn set_style(&self, style: Style) {
        self.style.store(style as u8, Ordering::Relaxed);
    }

    fn style(&self) -> Style {
        match self.style.load(Ordering::Relaxed) {
            style if style == Style::Json as u8 => Style::Json,
            style if style == Style::Coloured as u8 => Style::Coloured,
            _ => Style::Human,
        }
    }

    fn allow(&self, metadata: &Metadata<'_>) -> bool {
        let level = filter(self.level());
        // At `DEBUG` one looks for a fault, which may be in a library.
        let quiet = level < LevelFilter::DEBUG && is_dependency(metadata);
        *metadata.level() <= if quiet { level.min(LevelFilter::WARN) } else { level }
    }
}

fn filter(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Trace => LevelFilter::TRACE,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Warning => LevelFilter::WARN,
        LogLevel::Error => LevelFilter::ERROR,
    }
}

/// The level's name, as Python has it.
pub(super) fn name(level: Level) -> &'static str {
    match level {
        Level::TRACE => "TRACE",
        Level::DEBUG => "DEBUG",
        Level::INFO => "INFO",
        Level::WARN => "WARNING",
        Level::ERROR => "ERROR",
    }
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

/// One write under one lock, so that lines of two threads do not mix.
pub(super) fn to_stdout(line: &str) {
    // A reader that is gone (`service | head`) is no reason to fail, and there is nobody to tell.
    let _ = std::io::stdout().lock().write_all(line.as_bytes());
}

thread_local! {
    static BUFFERS: Cell<Buffers> = const { Cell::new(Buffers::new()) };
}

impl<S: Subscriber, W: Fn(&str) + 'static> tracing_subscriber::Layer<S> for Layer<W> {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        // Whether a place may write changes only with the level, and then everyone is asked again.
        if self.rules.allow(metadata) { Interest::always() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        self.rules.allow(metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(filter(self.rules.level()))
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        // The buffers are taken out, not borrowed: a field's `Debug` may log in its turn, and a
        // thread that ends has none any more. Both then have fresh ones.
        let mut buffers = BUFFERS.try_with(Cell::take).unwrap_or_default();
        let style = self.rules.style();
        context::with_request_id(|id| {
            let line = Line::begin(&mut buffers, style, id);
            match style {
                Style::Json => line.write(Utc::now().naive_utc(), event),
                Style::Human | Style::Coloured => line.write(Local::now().naive_local(), event),
            }
        });
        (self.write)(buffers.line());
        buffers.clear();
        let _ = BUFFERS.try_with(|kept| kept.set(buffers));
    }
}
