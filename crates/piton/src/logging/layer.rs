//! The layer of `tracing` that writes each event as one line.

use std::cell::Cell;
use std::sync::OnceLock;

use tracing::level_filters::LevelFilter;
use tracing::subscriber::Interest;
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::filter::LogRules;
use super::line_writer::{LineBuffers, LineStyle, LineWriter};
use super::python_format::RecordContext;
use super::timestamp::LogTime;
use crate::context;
use crate::request::RequestId;

/// The layer of `tracing` that writes lines.
pub(super) struct LineLayer<W> {
    rules: &'static LogRules,
    write: W,
}

impl<W: Fn(&str)> LineLayer<W> {
    pub(super) const fn new(rules: &'static LogRules, write: W) -> Self {
        Self { rules, write }
    }
}

/// Python's `time.time()` at the start of the log.
pub(super) fn started_at() -> f64 {
    static STARTED_AT: OnceLock<f64> = OnceLock::new();
    *STARTED_AT.get_or_init(|| LogTime::utc().created())
}

thread_local! {
    static BUFFERS: Cell<LineBuffers> = const { Cell::new(LineBuffers::new()) };
}

impl<S, W> tracing_subscriber::Layer<S> for LineLayer<W>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    W: Fn(&str) + 'static,
{
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        // The decision is cached for each callsite, because it changes only with a level, and changing one
        // rebuilds the cache.
        if self.rules.allows(metadata) { Interest::always() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        self.rules.allows(metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.rules.max_level())
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        // The buffers are taken instead of borrowed, because the `Debug` of a field may log in turn and a
        // thread that ends has none any more. Both then use fresh ones.
        let mut buffers = BUFFERS.try_with(Cell::take).unwrap_or_default();
        let (style, python) = self.rules.style();
        let (id, trace) = context::request_and_trace();
        let id = id.as_ref().map(RequestId::as_str);
        let line = LineWriter::begin(&mut buffers, style, id).with_trace(trace);
        match &python {
            Some(python) => {
                let span = context.event_span(event).map(|span| span.name());
                let record_context = RecordContext::new(span, started_at());
                line.write_python(
                    &python.format,
                    &python.msec,
                    &record_context,
                    LogTime::local(),
                    event,
                );
            }
            None if style == LineStyle::Json => line.write(LogTime::utc(), event),
            None => line.write(LogTime::local(), event),
        }
        (self.write)(buffers.line());
        buffers.clear();
        let _ = BUFFERS.try_with(|kept| kept.set(buffers));
    }
}
