//! One event as one line: the fixed part, the message, the fields, the id of the request.

use std::borrow::Cow;
use std::error::Error;
use std::fmt::{self, Write};

use chrono::{Datelike, NaiveDateTime, Timelike};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata};

use super::{escape, layer};
use crate::config::redact;

/// What a line looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Style {
    Human,
    Coloured,
    Json,
}

/// Text that is used again and again, so that a line costs no allocation.
#[derive(Default)]
pub(super) struct Buffers {
    line: String,
    /// The fields: they may be told before the message, and are written after it.
    fields: String,
    /// One value.
    value: String,
}

impl Buffers {
    pub(super) const fn new() -> Self {
        Self { line: String::new(), fields: String::new(), value: String::new() }
    }

    pub(super) fn line(&self) -> &str {
        &self.line
    }

    pub(super) fn clear(&mut self) {
        /// A single huge line must not be paid for ever after by each thread.
        const KEPT_BYTES: usize = 64 * 1024;
        for buffer in [&mut self.line, &mut self.fields, &mut self.value] {
            buffer.clear();
            buffer.shrink_to(KEPT_BYTES);
        }
    }
}

/// A line while it is written.
pub(super) struct Line<'a> {
    buffers: &'a mut Buffers,
    style: Style,
    request_id: Option<&'a str>,
}

/// Keys of a JSON line that fields must not take.
const RESERVED: [&str; 5] = ["time", "level", "logger", "line", "message"];

impl<'a> Line<'a> {
    pub(super) fn begin(
        buffers: &'a mut Buffers,
        style: Style,
        request_id: Option<&'a str>,
    ) -> Self {
        buffers.clear();
        Self { buffers, style, request_id }
    }

    /// Writes the whole event at a time of the wall.
    pub(super) fn write(mut self, time: NaiveDateTime, event: &Event<'_>) {
        match self.style {
            Style::Json => self.begin_json(time, event.metadata()),
            Style::Human | Style::Coloured => self.begin_human(time, event.metadata()),
        }
        event.record(&mut self);
        self.end();
    }

    fn begin_human(&mut self, time: NaiveDateTime, metadata: &Metadata<'_>) {
        let coloured = self.style == Style::Coloured;
        let line = &mut self.buffers.line;
        let paint = |line: &mut String, code: &str| {
            if coloured {
                line.push_str(code);
            }
        };
        paint(line, DIM);
        date_time(line, time, ' ');
        paint(line, RESET);
        line.push(' ');
        paint(line, colour(*metadata.level()));
        let _ = write!(line, "{:<8}", layer::name(*metadata.level()));
        paint(line, RESET);
        line.push(' ');
        paint(line, DIM);
        logger(line, metadata);
        if let Some(number) = metadata.line() {
            let _ = write!(line, ":{number}");
        }
        paint(line, RESET);
        line.push_str("   ");
    }

    fn begin_json(&mut self, time: NaiveDateTime, metadata: &Metadata<'_>) {
        let line = &mut self.buffers.line;
        line.push_str("{\"time\":\"");
        date_time(line, time, 'T');
        line.push_str("Z\",\"level\":\"");
        line.push_str(layer::name(*metadata.level()));
        line.push_str("\",\"logger\":\"");
        logger(line, metadata);
        line.push('"');
        if let Some(number) = metadata.line() {
            let _ = write!(line, ",\"line\":{number}");
        }
        line.push_str(",\"message\":\"");
    }

    fn end(mut self) {
        if self.style == Style::Json {
            self.buffers.line.push('"');
        }
        if let Some(id) = self.request_id {
            self.key("request_id");
            self.push_text(id);
        }
        let Buffers { line, fields, .. } = self.buffers;
        line.push_str(fields);
        line.push_str(if self.style == Style::Json { "}\n" } else { "\n" });
    }

    /// Begins a field whose name is taken as it is.
    fn key(&mut self, name: &str) {
        let fields = &mut self.buffers.fields;
        match self.style {
            Style::Human => {
                fields.push(' ');
                escape::message(fields, name);
                fields.push('=');
            }
            Style::Coloured => {
                fields.push(' ');
                fields.push_str(DIM);
                escape::message(fields, name);
                fields.push('=');
                fields.push_str(RESET);
            }
            Style::Json => {
                fields.push_str(",\"");
                escape::json(fields, name);
                fields.push_str("\":");
            }
        }
    }

    fn field(&mut self, field: &Field) {
        let name = plain_name(field);
        let taken = RESERVED.contains(&name) || (name == "request_id" && self.request_id.is_some());
        if taken && self.style == Style::Json {
            self.buffers.value.clear();
            let mut renamed = std::mem::take(&mut self.buffers.value);
            renamed.push_str("field_");
            renamed.push_str(name);
            self.key(&renamed);
            self.buffers.value = renamed;
        } else {
            self.key(name);
        }
    }

    fn push_text(&mut self, text: &str) {
        let fields = &mut self.buffers.fields;
        if self.style == Style::Json {
            fields.push('"');
            escape::json(fields, text);
            fields.push('"');
        } else {
            escape::value(fields, text);
        }
    }

    fn text(&mut self, field: &Field, text: &str) {
        let text = without_credentials(text);
        if field.name() == "message" {
            match self.style {
                Style::Json => escape::json(&mut self.buffers.line, &text),
                Style::Human | Style::Coloured => escape::message(&mut self.buffers.line, &text),
            }
            return;
        }
        self.field(field);
        if redact::names_secret(field.name()) {
            self.push_text(redact::HIDDEN);
        } else {
            self.push_text(&text);
        }
    }

    /// Writes what has no quotes in JSON. Numbers are no secrets, even in a field `token_count`.
    fn bare(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        if field.name() == "message" {
            return self.formatted(field, value);
        }
        self.field(field);
        let _ = self.buffers.fields.write_fmt(value);
    }

    fn formatted(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        if let Some(text) = value.as_str() {
            return self.text(field, text);
        }
        let mut buffer = std::mem::take(&mut self.buffers.value);
        buffer.clear();
        // A `Display` that fails leaves what it wrote until then.
        let _ = buffer.write_fmt(value);
        self.text(field, &buffer);
        self.buffers.value = buffer;
    }
}

impl Visit for Line<'_> {
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
        // JSON has no word for "not a number".
        if self.style == Style::Json && !value.is_finite() {
            self.bare(field, format_args!("null"));
        } else {
            self.bare(field, format_args!("{value}"));
        }
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.formatted(field, format_args!("{}", Chain(value)));
    }
}

/// An error and its causes, as `{:#}` would have them.
struct Chain<'a>(&'a (dyn Error + 'static));

impl fmt::Display for Chain<'_> {
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

/// A field may be named by a keyword of Rust: `r#type = ..`.
fn plain_name(field: &Field) -> &'static str {
    field.name().strip_prefix("r#").unwrap_or(field.name())
}

fn without_credentials(text: &str) -> Cow<'_, str> {
    if text.contains("://") && (text.contains('@') || text.contains("password=")) {
        redact::address(text).into()
    } else {
        text.into()
    }
}

/// The place that logs, in Python's spelling: `gear.gnar_app`.
fn logger(line: &mut String, metadata: &Metadata<'_>) {
    for (index, part) in metadata.target().split("::").enumerate() {
        if index > 0 {
            line.push('.');
        }
        // A target is a constant of the program, but it may be any text.
        escape::json(line, part);
    }
}

/// `2018-07-09 15:41:46.420`; by hand, as this is on the way of every line.
fn date_time(line: &mut String, time: NaiveDateTime, between: char) {
    let year = u32::try_from(time.year()).unwrap_or(0);
    digits(line, year, 4);
    for (lead, number, width) in [
        ('-', time.month(), 2),
        ('-', time.day(), 2),
        (between, time.hour(), 2),
        (':', time.minute(), 2),
        (':', time.second(), 2),
        // A leap second has more than a thousand milliseconds.
        ('.', (time.nanosecond() / 1_000_000).min(999), 3),
    ] {
        line.push(lead);
        digits(line, number, width);
    }
}

fn digits(line: &mut String, number: u32, width: u32) {
    for place in (0..width).rev() {
        let digit = number / 10_u32.pow(place) % 10;
        line.push(char::from_digit(digit, 10).unwrap_or('0'));
    }
}

#[cfg(test)]
mod tests {
    use chrono::NaiveDate;

    use super::*;

    #[test]
    fn a_time_has_milliseconds_and_leading_zeros() {
        let time = NaiveDate::from_ymd_opt(2018, 7, 9)
            .and_then(|day| day.and_hms_milli_opt(5, 1, 6, 42))
            .expect("a day of the calendar");
        let mut line = String::new();
        date_time(&mut line, time, ' ');
        assert_eq!(line, "2018-07-09 05:01:06.042");
        assert_eq!(line, time.format("%Y-%m-%d %H:%M:%S%.3f").to_string());
    }

    #[test]
    fn a_huge_line_is_not_kept() {
        let mut buffers = Buffers { line: "x".repeat(1 << 20), ..Buffers::new() };
        buffers.clear();
        assert!(buffers.line.capacity() <= 64 * 1024);
    }
}
