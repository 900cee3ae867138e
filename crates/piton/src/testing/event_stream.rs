//! Server-sent events as a browser parses them (WHATWG HTML, "Interpreting an event stream").

use std::time::Duration;

use bytes::BytesMut;
use serde::de::DeserializeOwned;

/// A server-sent event that a test has received.
///
/// Unlike in a browser, an event without data is returned too, so that tests see ids and times.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TestEvent {
    /// The value of `event`, which a browser uses as the type of the event.
    pub event: Option<String>,
    /// The lines of `data`, joined by line feeds.
    pub data: String,
    /// The value of `id`, which a browser sends as `Last-Event-ID` when it connects again.
    pub id: Option<String>,
    /// The value of `retry`: the time after which a browser connects again.
    pub retry: Option<Duration>,
}

impl TestEvent {
    /// Returns the data, deserialized from JSON.
    ///
    /// # Panics
    /// If it is not JSON of that type; the message shows the data.
    #[must_use]
    #[track_caller]
    pub fn json<T: DeserializeOwned>(&self) -> T {
        match serde_json::from_str(&self.data) {
            Ok(value) => value,
            Err(error) => panic!("an event that is not as expected ({error}): {}", self.data),
        }
    }
}

/// The bytes of a stream that are not yet an event.
#[derive(Debug, Default)]
pub(super) struct EventParser {
    lines: BytesMut,
    /// Set after a carriage return, because a line feed behind it belongs to the same line end.
    skip_line_feed: bool,
    /// Set once a byte order mark can no longer follow.
    has_begun: bool,
    event: TestEvent,
    has_data: bool,
}

impl EventParser {
    pub fn extend(&mut self, bytes: &[u8]) {
        self.lines.extend_from_slice(bytes);
    }

    /// Returns the next whole event of `buffer` and of what arrived before.
    pub fn next(&mut self, buffer: &mut BytesMut) -> Option<TestEvent> {
        self.lines.extend_from_slice(&buffer.split());
        while let Some(line) = self.line() {
            if line.is_empty() {
                self.has_data = false;
                let event = std::mem::take(&mut self.event);
                if event != TestEvent::default() {
                    return Some(event);
                }
            } else {
                self.field(&line);
            }
        }
        None
    }

    /// Takes the next line, which ends with CR, LF or CRLF.
    fn line(&mut self) -> Option<String> {
        if self.skip_line_feed && !self.lines.is_empty() {
            self.skip_line_feed = false;
            if self.lines[0] == b'\n' {
                let _ = self.lines.split_to(1);
            }
        }
        let end = self.lines.iter().position(|byte| matches!(byte, b'\n' | b'\r'))?;
        self.skip_line_feed = self.lines[end] == b'\r';
        let line = self.lines.split_to(end + 1);
        let line = String::from_utf8_lossy(&line[..end]);
        let has_begun = std::mem::replace(&mut self.has_begun, true);
        let line = if has_begun { &line } else { line.strip_prefix('\u{feff}').unwrap_or(&line) };
        Some(line.to_owned())
    }

    fn field(&mut self, line: &str) {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "data" => {
                if std::mem::replace(&mut self.has_data, true) {
                    self.event.data.push('\n');
                }
                self.event.data.push_str(value);
            }
            "event" => self.event.event = Some(value.to_owned()),
            "id" if !value.contains('\0') => self.event.id = Some(value.to_owned()),
            "retry" => self.event.retry = value.parse().ok().map(Duration::from_millis),
            // Comments, and fields that browsers ignore.
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Vec<TestEvent> {
        let mut parser = EventParser::default();
        let mut events = Vec::new();
        // Byte by byte, because events arrive in any pieces.
        for byte in text.bytes() {
            parser.extend(&[byte]);
            events.extend(parser.next(&mut BytesMut::new()));
        }
        events
    }

    #[test]
    fn an_event_is_parsed_as_a_browser_does() {
        let text = "\u{feff}: hello\nevent: add\ndata:one\ndata:  two\nid: 7\nretry: 1500\n\n";
        let event = TestEvent {
            event: Some("add".to_owned()),
            data: "one\n two".to_owned(),
            id: Some("7".to_owned()),
            retry: Some(Duration::from_millis(1500)),
        };
        assert_eq!(parse(text), [event]);
    }

    #[test]
    fn lines_end_with_any_of_the_three_line_ends() {
        for end in ["\n", "\r", "\r\n"] {
            let text = ["data: a", "", ": comment", "", "data", "data: b", ""].join(end) + end;
            let data: Vec<_> = parse(&text).into_iter().map(|event| event.data).collect();
            assert_eq!(data, ["a", "\nb"], "{end:?}");
        }
    }

    #[test]
    fn an_event_that_is_cut_off_is_none() {
        assert_eq!(parse("data: a\n"), []);
    }
}
