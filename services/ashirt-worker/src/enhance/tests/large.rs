//! Large files: the text is bounded, and the media is not kept. The files are made as they are read.

use std::io::{self, Read};

use super::{check, codeblock};
use crate::enhance::format::count;
use crate::enhance::har;
use crate::enhance::terminal;

/// `head`, and then `part` again and again up to a length, and `tail`.
struct Repeated {
    head: &'static [u8],
    part: Vec<u8>,
    at: usize,
    left: usize,
    tail: &'static [u8],
}

impl Repeated {
    fn of(head: &'static str, part: &str, mebibytes: usize, tail: &'static str) -> Self {
        let times = (mebibytes << 20) / part.len();
        let part = part.as_bytes().to_vec();
        Self { head: head.as_bytes(), at: 0, left: times * part.len(), part, tail: tail.as_bytes() }
    }
}

impl Read for Repeated {
    fn read(&mut self, piece: &mut [u8]) -> io::Result<usize> {
        if !self.head.is_empty() {
            return self.head.read(piece);
        }
        if self.left == 0 {
            return self.tail.read(piece);
        }
        let step = (&self.part[self.at..]).read(piece)?;
        self.at = (self.at + step) % self.part.len();
        self.left -= step;
        Ok(step)
    }
}

const HAR: &str = r#"{"log": {"entries": ["#;
const CAST: &str = "{\"version\": 2, \"width\": 80, \"height\": 24}\n";

#[test]
fn many_requests_are_counted_and_the_first_are_listed() {
    let entry = r#"{"request": {"method": "GET", "url": "https://a.example/x"}, "response": {"status": 204}},"#;
    let text = har::describe(&mut Repeated::of(HAR, entry, 4, "]}}")).unwrap();
    check(&text);
    let requests = (4 << 20) / entry.len();
    assert!(text.starts_with(&count(requests as u64, "request")), "{text}");
    assert!(text.trim_end().ends_with(" more"), "{text}");
}

#[test]
fn text_of_the_longest_names_is_not_too_long() {
    let mut har = String::from(HAR);
    for at in 0..700 {
        let long = format!("{at}{}", "😀\\u0000".repeat(300));
        har.push_str(&format!(
            r#"{{"request": {{"method": "{long}", "url": "http://{long}/"}}, "serverIPAddress": "{long}",
               "response": {{"status": {at}, "_error": "{long}", "content": {{"mimeType": "{long}"}}}}}},"#
        ));
    }
    let text = har::describe(&mut format!("{har}]}}}}").as_bytes()).unwrap();
    check(&text);
    assert!(text.starts_with("700 requests to more than 500 hosts"), "{text}");
}

#[test]
fn a_body_passes_by() {
    let head = r#"{"log": {"entries": [{"request": {"method": "GET", "url": "https://a.example/x"}, "response": {"content": {"text": ""#;
    let text = har::describe(&mut Repeated::of(head, "Secret", 8, r#""}}}]}}"#)).unwrap();
    assert!(text.starts_with("1 request to 1 host"), "{text}");
    assert!(!text.contains("Secret"));
}

#[test]
fn a_key_and_a_url_of_megabytes_are_cut() {
    for head in [
        r#"{"log": {"entries": [{"request": {"url": "https://"#,
        r#"{"log": {"entries": [{"request": {"url":"x"}, ""#,
    ] {
        let tail = if head.ends_with("//") { r#""}}]}}"# } else { r#"": 1}]}}"# };
        let text = har::describe(&mut Repeated::of(head, "abcdefgh", 4, tail)).unwrap();
        check(&text);
        assert!(text.starts_with("1 request to 1 host") && text.len() < 2000, "{text}");
    }
}

#[test]
fn of_a_long_recording_the_beginning_and_the_end_are_kept() {
    let text = terminal::describe(&mut Repeated::of(
        CAST,
        "[1, \"o\", \"line\\r\\n\"]\n",
        2,
        "[2, \"o\", \"the end\"]\n",
    ))
    .unwrap();
    check(&text);
    assert!(text.contains("lines left out …]"), "{text}");
    assert!(text.ends_with("line\nthe end\n"), "{text}");
}

#[test]
fn a_line_without_end_is_broken_into_several() {
    let head = "{\"version\": 2, \"width\": 80, \"height\": 24}\n[1, \"o\", \"";
    let text = terminal::describe(&mut Repeated::of(head, "abcdefgh", 2, "\"]\n")).unwrap();
    check(&text);
    assert!(text.ends_with("abcdefgh\n") && text.contains("left out"), "{text}");
}

#[test]
fn a_recording_that_would_take_for_ever_to_draw_is_not_drawn_to_its_end() {
    let head = "{\"version\": 2, \"width\": 65535, \"height\": 65535}\n";
    let part = "[1, \"o\", \"x\\u001b[65535b\\u001b[2J\\u001b#8\"]\n";
    let text = terminal::describe_within(&mut Repeated::of(head, part, 2, ""), 10_000_000).unwrap();
    check(&text);
    assert!(text.contains("drawing the rest of it would take too long"), "{text}");
}

#[test]
fn a_large_codeblock_is_counted() {
    let text = codeblock(&mut Repeated::of(r#"{"content": ""#, "0123456\\n", 4, r#""}"#)).unwrap();
    let lines = (4 << 20) / 9;
    assert!(text.contains(&count(lines as u64, "line")), "{text}");
}
