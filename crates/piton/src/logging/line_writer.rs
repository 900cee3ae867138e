//! Writes one event as one line: time, level and logger, the message, the fields, the request id.

use std::fmt::{self, Write};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata};

use super::escape::{self, logger_name};
use super::python_format::{MsecFormat, PythonFormat, PythonRecord, RecordContext};
use super::timestamp::{LogTime, date_time};
use crate::compat::python_levels;
use crate::request::TraceContext;
use crate::secrets::{REDACTED, field_is_secret, redact_text};

/// The styles of lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum LineStyle {
    Human,
    Coloured,
    Json,
    /// A format of Python's, from `log.format`.
    Python,
}

/// Maximum length of a line, because most log collectors cut or refuse longer ones.
pub(super) const MAX_LINE_BYTES: usize = 64 * 1024;

/// Bytes of a line that are reserved for the parts other than message and fields.
const FRAME_BYTES: usize = 1024;

/// Bytes read beyond the maximum, so that a secret at the cut is still recognized as a whole.
const OVERLAP_BYTES: usize = 4 * 1024;

/// The mark at the end of a text that was cut.
const CUT_MARK: &str = "…[cut]";

/// Buffers that are reused, so that a line costs no allocation.
#[derive(Default)]
pub(super) struct LineBuffers {
    line: String,
    /// The message of a line in a Python format, which may have text before and after it.
    message: String,
    /// The fields. They may be recorded before the message, and are written after it.
    fields: String,
    /// The value of one field.
    value: String,
}

impl LineBuffers {
    pub(super) const fn new() -> Self {
        Self {
            line: String::new(),
            message: String::new(),
            fields: String::new(),
            value: String::new(),
        }
    }

    pub(super) fn line(&self) -> &str {
        &self.line
    }

    pub(super) fn clear(&mut self) {
        /// Maximum capacity that a thread keeps after a single long line.
        const MAX_REUSED_BYTES: usize = 8 * 1024;
        let Self { line, message, fields, value } = self;
        for buffer in [line, message, fields, value] {
            buffer.clear();
            buffer.shrink_to(MAX_REUSED_BYTES);
        }
    }
}

/// A line that is being written.
pub(super) struct LineWriter<'a> {
    buffers: &'a mut LineBuffers,
    style: LineStyle,
    request_id: Option<&'a str>,
    trace: Option<TraceContext>,
    /// Set if a field was left out because the line is full.
    left_out: bool,
}

/// Keys of a JSON line that fields cannot have.
const RESERVED: [&str; 6] = ["time", "level", "logger", "line", "message", "line_cut"];

impl<'a> LineWriter<'a> {
    pub(super) fn begin(
        buffers: &'a mut LineBuffers,
        style: LineStyle,
        request_id: Option<&'a str>,
    ) -> Self {
        buffers.clear();
        Self { buffers, style, request_id, trace: None, left_out: false }
    }

    /// Sets the trace context that the client sent.
    pub(super) fn with_trace(mut self, trace: Option<TraceContext>) -> Self {
        self.trace = trace;
        self
    }

    /// Writes the event in one of the framework's styles.
    pub(super) fn write(mut self, moment: LogTime, event: &Event<'_>) {
        if self.style == LineStyle::Json {
            self.begin_json(moment, event.metadata());
        } else {
            self.begin_human(moment, event.metadata());
        }
        event.record(&mut self);
        self.end_fields();
        let json = self.style == LineStyle::Json;
        let LineBuffers { line, fields, .. } = self.buffers;
        line.push_str(if json { "\"" } else { "" });
        line.push_str(fields);
        line.push_str(if json { "}\n" } else { "\n" });
    }

    /// Writes the event in a format of Python's.
    pub(super) fn write_python(
        mut self,
        format: &PythonFormat,
        msec: &MsecFormat,
        context: &RecordContext,
        moment: LogTime,
        event: &Event<'_>,
    ) {
        event.record(&mut self);
        self.end_fields();
        let LineBuffers { line, message, fields, .. } = self.buffers;
        let metadata = event.metadata();
        format.write(line, &PythonRecord { moment, metadata, message, fields, context, msec });
        // Cut here, because the format may contain the message twice.
        if line.len() >= MAX_LINE_BYTES {
            line.truncate(line.floor_char_boundary(MAX_LINE_BYTES - CUT_MARK.len() - 1));
            line.push_str(CUT_MARK);
        }
        line.push('\n');
    }

    fn begin_human(&mut self, moment: LogTime, metadata: &Metadata<'_>) {
        let coloured = self.style == LineStyle::Coloured;
        let line = &mut self.buffers.line;
        let paint = |line: &mut String, code: &str| {
            if coloured {
                line.push_str(code);
            }
        };
        paint(line, DIM);
        date_time(line, moment, ' ');
        paint(line, RESET);
        line.push(' ');
        paint(line, colour(*metadata.level()));
        let _ = write!(line, "{:<8}", python_levels::name(*metadata.level()));
        paint(line, RESET);
        line.push(' ');
        paint(line, DIM);
        logger_name(line, metadata);
        if let Some(number) = metadata.line() {
            let _ = write!(line, ":{number}");
        }
        paint(line, RESET);
        line.push_str("   ");
    }

    fn begin_json(&mut self, moment: LogTime, metadata: &Metadata<'_>) {
        let line = &mut self.buffers.line;
        line.push_str("{\"time\":\"");
        date_time(line, moment, 'T');
        line.push_str("Z\",\"level\":\"");
        line.push_str(python_levels::name(*metadata.level()));
        line.push_str("\",\"logger\":\"");
        logger_name(line, metadata);
        line.push('"');
        if let Some(number) = metadata.line() {
            let _ = write!(line, ",\"line\":{number}");
        }
        line.push_str(",\"message\":\"");
    }

    fn end_fields(&mut self) {
        if let Some(id) = self.request_id {
            self.key("request_id");
            self.push_text(id, false);
        }
        if let Some(trace) = self.trace {
            self.key("trace_id");
            self.push_text(&trace.trace_id(), false);
        }
        if self.left_out {
            self.key("line_cut");
            self.buffers.fields.push_str("true");
        }
    }

    /// Returns the bytes that may still be written.
    fn room(&self) -> usize {
        let LineBuffers { line, message, fields, .. } = &*self.buffers;
        let written = line.len() + message.len() + fields.len();
        (MAX_LINE_BYTES - FRAME_BYTES).saturating_sub(written)
    }

    /// Begins a field with this name.
    fn key(&mut self, name: &str) {
        let fields = &mut self.buffers.fields;
        match self.style {
            LineStyle::Human | LineStyle::Python => {
                fields.push(' ');
                escape::message(fields, name);
                fields.push('=');
            }
            LineStyle::Coloured => {
                fields.push(' ');
                fields.push_str(DIM);
                escape::message(fields, name);
                fields.push('=');
                fields.push_str(RESET);
            }
            LineStyle::Json => {
                fields.push_str(",\"");
                escape::json(fields, name);
                fields.push_str("\":");
            }
        }
    }

    /// Begins a field of the event. Returns false if the line is full.
    fn field(&mut self, field: &Field) -> bool {
        /// Bytes for the quotes and separators of a field, and for a number.
        const FIELD_OVERHEAD_BYTES: usize = 64;
        let name = plain_name(field);
        if self.room() < name.len() + FIELD_OVERHEAD_BYTES {
            self.left_out = true;
            return false;
        }
        let taken = RESERVED.contains(&name)
            || (name == "request_id" && self.request_id.is_some())
            || (name == "trace_id" && self.trace.is_some());
        if taken && self.style == LineStyle::Json {
            self.buffers.value.clear();
            let mut renamed = std::mem::take(&mut self.buffers.value);
            renamed.push_str("field_");
            renamed.push_str(name);
            self.key(&renamed);
            self.buffers.value = renamed;
        } else {
            self.key(name);
        }
        true
    }

    fn push_text(&mut self, text: &str, cut: bool) {
        let fields = &mut self.buffers.fields;
        let mark = if cut { CUT_MARK } else { "" };
        if self.style == LineStyle::Json {
            fields.push('"');
            escape::json(fields, text);
            fields.push_str(mark);
            fields.push('"');
        } else {
            escape::value(fields, text);
            fields.push_str(mark);
        }
    }

    fn push_message(&mut self, text: &str, cut: bool) {
        let buffer = match self.style {
            LineStyle::Python => &mut self.buffers.message,
            _ => &mut self.buffers.line,
        };
        match self.style {
            LineStyle::Json => escape::json(buffer, text),
            _ => escape::message(buffer, text),
        }
        buffer.push_str(if cut { CUT_MARK } else { "" });
    }

    fn text(&mut self, field: &Field, text: &str) {
        let is_message = field.name() == "message";
        if !is_message && field_is_secret(field.name()) {
            if self.field(field) {
                self.push_text(REDACTED, false);
            }
            return;
        }
        let read = &text[..text.floor_char_boundary(MAX_LINE_BYTES + OVERLAP_BYTES)];
        let safe = redact_text(read);
        let whole = if read.len() < text.len() {
            &safe[..safe.floor_char_boundary(safe.len().saturating_sub(OVERLAP_BYTES))]
        } else {
            &*safe
        };
        if is_message {
            // A quarter of the room is left for the fields, which may be recorded later.
            let fitting = escape::prefix_that_fits(whole, self.room() / 4 * 3);
            self.push_message(fitting, fitting.len() < whole.len() || read.len() < text.len());
        } else if self.field(field) {
            // Half of the room, so that one field does not leave out all others.
            let fitting = escape::prefix_that_fits(whole, self.room() / 2);
            self.push_text(fitting, fitting.len() < whole.len() || read.len() < text.len());
        }
    }

    /// Writes a value without quotes in JSON. Numbers are not hidden, so that a field such as
    /// `token_count` stays readable.
    fn bare(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        if field.name() == "message" {
            return self.formatted(field, value);
        }
        if self.field(field) {
            let _ = self.buffers.fields.write_fmt(value);
        }
    }

    fn formatted(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        if let Some(text) = value.as_str() {
            return self.text(field, text);
        }
        let mut buffer = std::mem::take(&mut self.buffers.value);
        buffer.clear();
        // The error is ignored: a `Display` that fails leaves the text written until then.
        let _ = BoundedText(&mut buffer).write_fmt(value);
        self.text(field, &buffer);
        self.buffers.value = buffer;
    }
}

/// Text that ends the formatting of a value when it is full, because a value may format endlessly.
struct BoundedText<'a>(&'a mut String);

impl fmt::Write for BoundedText<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        /// One character more than is read, so that the text counts as cut.
        const MAX_READ_BYTES: usize = MAX_LINE_BYTES + OVERLAP_BYTES + 4;
        let room = MAX_READ_BYTES.saturating_sub(self.0.len());
        self.0.push_str(&text[..text.floor_char_boundary(room)]);
        if text.len() > room { Err(fmt::Error) } else { Ok(()) }
    }
}

impl Visit for LineWriter<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.formatted(field, format_args!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.bare(field, format_args!("{value}"));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.bare(field, format_args!("{value}"));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.bare(field, format_args!("{value}"));
    }

    fn record_i128(&mut self, field: &Field, value: i128) {
        self.bare(field, format_args!("{value}"));
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        self.bare(field, format_args!("{value}"));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        // JSON cannot express infinite values and NaN (RFC 8259, section 6).
        if self.style == LineStyle::Json && !value.is_finite() {
            self.bare(field, format_args!("null"));
        } else {
            self.bare(field, format_args!("{value}"));
        }
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.formatted(field, format_args!("{}", ErrorChain(value)));
    }
}

/// An error with its causes, formatted as `{:#}` does.
struct ErrorChain<'a>(&'a (dyn std::error::Error + 'static));

impl fmt::Display for ErrorChain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut causes = std::iter::successors(self.0.source(), |&cause| cause.source());
        causes.try_for_each(|cause| write!(f, ": {cause}"))
    }
}

const DIM: &str = "\u{1b}[2m";
const RESET: &str = "\u{1b}[0m";

fn colour(level: Level) -> &'static str {
    match level {
        Level::TRACE => "\u{1b}[35m",
        Level::DEBUG => "\u{1b}[34m",
        Level::INFO => "\u{1b}[32m",
        Level::WARN => "\u{1b}[33m",
        Level::ERROR => "\u{1b}[31m",
    }
}

/// Returns the name of a field without the prefix of raw identifiers, such as `r#type`.
fn plain_name(field: &Field) -> &'static str {
    field.name().strip_prefix("r#").unwrap_or(field.name())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_is_not_kept() {
        let mut buffers = LineBuffers { line: "x".repeat(1 << 16), ..LineBuffers::new() };
        buffers.clear();
        assert!(buffers.line.capacity() <= 8 * 1024);
    }

    #[test]
    fn formatting_ends_where_nothing_more_would_be_written() {
        struct Endless;
        impl fmt::Display for Endless {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                loop {
                    f.write_str("and so on, ")?;
                }
            }
        }
        let mut text = String::new();
        assert!(write!(BoundedText(&mut text), "{Endless}").is_err());
        assert!(text.len() > MAX_LINE_BYTES && text.len() < MAX_LINE_BYTES * 2);
    }
}
