//! A server-sent event, written in the format of the HTML standard
//! (<https://html.spec.whatwg.org/multipage/server-sent-events.html>).

use std::fmt::{Display, Write};
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;

use crate::error::Result;

/// A server-sent event: data, and optionally a name, an id, a time to wait before reconnecting and a
/// comment.
///
/// ```
/// use piton::http::Event;
/// use piton::serde_json::json;
///
/// let plain = Event::new("two\nlines");
/// let full = Event::json(&json!({ "price": 7 }))?.name("quote").id("42");
/// # Ok::<(), piton::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use = "an event is sent by an `Sse`"]
pub struct Event {
    data: Option<String>,
    name: Option<String>,
    id: Option<String>,
    retry: Option<Duration>,
    comment: Option<String>,
}

impl Event {
    /// Makes an event with text as its data. Text of several lines arrives as such; `\r\n` and `\r`
    /// arrive as `\n`.
    pub fn new(data: impl Into<String>) -> Self {
        Self { data: Some(data.into()), ..Self::default() }
    }

    /// Makes an event with a value as JSON for its data.
    ///
    /// # Errors
    /// The value does not serialize: a bug in the service.
    pub fn json(data: &(impl Serialize + ?Sized)) -> Result<Self> {
        Ok(Self::new(serde_json::to_string(data)?))
    }

    /// Makes a comment, which clients ignore.
    pub fn comment(text: impl Into<String>) -> Self {
        Self { comment: Some(text.into()), ..Self::default() }
    }

    /// Sets the name, by which `addEventListener` tells events apart. Without one it is `message`.
    /// Line breaks are removed, because a client would read what follows as another field.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(one_line(name.into()));
        self
    }

    /// Sets the id, such as a number, which a client sends as `Last-Event-ID` when it connects again.
    /// Line breaks and NUL are removed.
    pub fn id(mut self, id: impl Display) -> Self {
        self.id = Some(one_line(id.to_string()));
        self
    }

    /// Sets the time that the client waits before it connects again, in whole milliseconds.
    pub fn retry(mut self, wait: Duration) -> Self {
        self.retry = Some(wait);
        self
    }

    /// Returns the event as it is sent.
    pub(super) fn to_bytes(&self) -> Bytes {
        let mut text = String::with_capacity(self.data.as_ref().map_or(0, String::len) + 32);
        if let Some(comment) = &self.comment {
            write_lines(&mut text, ":", comment);
        }
        for (field, value) in [("event", &self.name), ("id", &self.id)] {
            if let Some(value) = value {
                let _ = writeln!(text, "{field}: {value}");
            }
        }
        if let Some(retry) = self.retry {
            let _ = writeln!(text, "retry: {}", retry.as_millis());
        }
        if let Some(data) = &self.data {
            write_lines(&mut text, "data:", data);
        }
        text.push('\n');
        text.into()
    }
}

/// Writes each line of `value` as a field.
fn write_lines(text: &mut String, field: &str, value: &str) {
    // Borrowed unless there is a `\r`, which is a line's end too (section 9.2.5).
    let normalized = value.contains('\r').then(|| value.replace("\r\n", "\n").replace('\r', "\n"));
    for line in normalized.as_deref().unwrap_or(value).split('\n') {
        text.push_str(field);
        text.push(' ');
        text.push_str(line);
        text.push('\n');
    }
}

fn one_line(mut text: String) -> String {
    text.retain(|c| !matches!(c, '\r' | '\n' | '\0'));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(event: &Event) -> String {
        String::from_utf8(event.to_bytes().to_vec()).unwrap()
    }

    #[test]
    fn every_field_is_written_and_an_empty_line_ends_the_event() {
        let event = Event::new("x").name("tick").id(7).retry(Duration::from_millis(1500));
        assert_eq!(written(&event), "event: tick\nid: 7\nretry: 1500\ndata: x\n\n");
        assert_eq!(written(&Event::comment("hello")), ": hello\n\n");
        assert_eq!(written(&Event::json(&[1, 2]).unwrap()), "data: [1,2]\n\n");
    }

    #[test]
    fn data_of_several_lines_arrives_as_such() {
        assert_eq!(written(&Event::new("a\nb\r\nc\rd")), "data: a\ndata: b\ndata: c\ndata: d\n\n");
        assert_eq!(written(&Event::new("")), "data: \n\n");
    }

    #[test]
    fn no_value_can_begin_another_field() {
        let event = Event::new("x\n\nevent: evil").name("a\nid: 1").id("b\r\ndata: y\0");
        let text = written(&event);
        assert_eq!(text, "event: aid: 1\nid: bdata: y\ndata: x\ndata: \ndata: event: evil\n\n");
        assert_eq!(written(&Event::comment("a\ndata: b")), ": a\n: data: b\n\n");
    }
}
