//! Text from anywhere, made fit for one line: nobody can forge a second one or colour a terminal.

use std::fmt::Write;

/// The inside of a JSON string.
pub(super) fn json(out: &mut String, text: &str) {
    let mut rest = text;
    while let Some(at) = rest.bytes().position(|byte| byte < 0x20 || byte == b'"' || byte == b'\\')
    {
        out.push_str(&rest[..at]);
        match rest.as_bytes()[at] {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            byte => {
                let _ = write!(out, "\\u{byte:04x}");
            }
        }
        rest = &rest[at + 1..];
    }
    out.push_str(rest);
}

/// A message for people. Its further lines are indented, so that none looks like a line of the log.
pub(super) fn message(out: &mut String, text: &str) {
    escape(out, text, |out, c| match c {
        '\n' => out.push_str("\n    "),
        '\t' => out.push('\t'),
        c => out.extend(c.escape_default()),
    });
}

/// A field's value for people: in quotes if a reader could not tell where it ends.
pub(super) fn value(out: &mut String, text: &str) {
    let opens = text.starts_with(['"', '[', '{']);
    let quoted =
        text.is_empty() || (!opens && text.contains(|c: char| c.is_whitespace() || c == '"'));
    if !quoted {
        return escape(out, text, |out, c| out.extend(c.escape_default()));
    }
    out.push('"');
    for (index, part) in text.split('"').enumerate() {
        if index > 0 {
            out.push_str("\\\"");
        }
        escape(out, part, |out, c| out.extend(c.escape_default()));
    }
    out.push('"');
}

/// Copies all but control characters.
fn escape(out: &mut String, text: &str, control: impl Fn(&mut String, char)) {
    let mut rest = text;
    while let Some(at) = rest.find(char::is_control) {
        out.push_str(&rest[..at]);
        let mut chars = rest[at..].chars();
        if let Some(c) = chars.next() {
            control(out, c);
        }
        rest = chars.as_str();
    }
    out.push_str(rest);
}

#[cfg(test)]
mod tests {
    fn escaped(escape: fn(&mut String, &str), text: &str) -> String {
        let mut out = String::new();
        escape(&mut out, text);
        out
    }

    #[test]
    fn what_json_escapes_a_json_parser_reads_back() {
        let all: String =
            (0..=0x2_ff_u32).filter_map(char::from_u32).chain(['\u{2028}', '🦀']).collect();
        let text = format!("\"{}\"", escaped(super::json, &all));
        assert_eq!(serde_json::from_str::<String>(&text).expect("it is JSON"), all);
    }

    #[test]
    fn a_message_cannot_forge_a_line_or_colour_a_terminal() {
        let text = "a\n2018-07-09 INFO forged\r\u{1b}[31mred\u{9b}";
        let safe = "a\n    2018-07-09 INFO forged\\r\\u{1b}[31mred\\u{9b}";
        assert_eq!(escaped(super::message, text), safe);
    }

    #[test]
    fn a_value_is_quoted_only_when_its_end_is_not_clear() {
        let cases = [
            ("plain", "plain"),
            ("/a?b=c", "/a?b=c"),
            ("", "\"\""),
            ("two words", "\"two words\""),
            ("it \"is\"", "\"it \\\"is\\\"\""),
            ("[1, 2]", "[1, 2]"),
            ("\"debug text\"", "\"debug text\""),
            ("a\nb", "\"a\\nb\""),
            ("\u{1b}[0m", "\\u{1b}[0m"),
        ];
        for (text, safe) in cases {
            assert_eq!(escaped(super::value, text), safe);
        }
    }
}
