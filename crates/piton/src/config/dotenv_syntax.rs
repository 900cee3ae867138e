//! Parses `.env` files as python-dotenv does, with the line of each variable. No variable of the process
//! is set.
//!
//! By hand instead of by a crate, because services that come from Python bring their `.env` along, and its
//! meaning must not change. `dotenv/corpus.json` has texts with the result of python-dotenv 1.2, recorded by
//! `dotenv/record.py`. There are two differences: a statement that python-dotenv warns of and skips is
//! refused, and so is a file that is not UTF-8.

use std::collections::HashMap;

/// Maximum size of a file, and of all its values after `${..}` is replaced. Without it, values made
/// of earlier values could double at every line.
pub(crate) const MAX_BYTES: usize = 4 << 20;

/// A variable of the file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct DotenvLine {
    pub variable: String,
    pub value: String,
    /// The line, counted from 1.
    pub line: usize,
}

/// A statement that cannot be parsed. Never has its text, because that may be a secret.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct MalformedLine {
    pub line: usize,
    pub why: &'static str,
}

/// Decodes a file as UTF-8.
///
/// # Errors
/// The file is not UTF-8, or contains zero bytes: the line, the reason, and the fix.
pub(crate) fn decode(bytes: Vec<u8>) -> Result<String, (usize, String, &'static str)> {
    const UTF_16: &str =
        "save it as UTF-8: `iconv -f UTF-16 -t UTF-8 .env > .env.new && mv .env.new .env`";
    const UTF_32: &str =
        "save it as UTF-8: `iconv -f UTF-32 -t UTF-8 .env > .env.new && mv .env.new .env`";
    const LATIN_1: &str = "save it as UTF-8, if it is Latin-1: `iconv -f ISO-8859-1 -t UTF-8 .env > .env.new && mv .env.new .env`";
    let line_of =
        |at: usize, bytes: &[u8]| 1 + bytes[..at].iter().filter(|byte| **byte == b'\n').count();
    // Before UTF-16, because the byte order mark of UTF-32 begins with that of UTF-16.
    if bytes.starts_with(&[0xff, 0xfe, 0, 0]) || bytes.starts_with(&[0, 0, 0xfe, 0xff]) {
        return Err((1, "the file is UTF-32".into(), UTF_32));
    }
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err((1, "the file is UTF-16".into(), UTF_16));
    }
    if let Some(at) = bytes.iter().position(|byte| *byte == 0) {
        let (why, fix) = match zeros_of_each(&bytes) {
            Some(2) => ("it contains a zero byte, as files in UTF-16 do", UTF_16),
            Some(_) => ("it contains a zero byte, as files in UTF-32 do", UTF_32),
            None => ("it contains a zero byte", "remove it: no variable can contain one"),
        };
        return Err((line_of(at, &bytes), why.into(), fix));
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let bytes = error.as_bytes();
        (line_of(at, bytes), "it contains a byte that is not UTF-8".into(), LATIN_1)
    })
}

/// Returns how many bytes a character has, if one byte of every two or of every four at the beginning
/// is not zero.
fn zeros_of_each(bytes: &[u8]) -> Option<usize> {
    const CHARACTERS: usize = 8;
    [2, 4].into_iter().find(|width| {
        let mut characters = bytes.chunks(*width).take(CHARACTERS);
        bytes.len() >= 2 * width
            && characters
                .all(|it| it.len() == *width && it.iter().filter(|byte| **byte != 0).count() == 1)
    })
}

/// Parses the whole text; statements that cannot be parsed do not hide the others. `${NAME}` is
/// replaced by the value in `environment`, else by that of an earlier line, else by the default of
/// `${NAME:-default}`, else by nothing.
pub(crate) fn parse(
    text: &str,
    environment: &HashMap<&str, &str>,
) -> (Vec<DotenvLine>, Vec<MalformedLine>) {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    // Python converts line ends when it reads text files, so python-dotenv sees `\n` only.
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let (mut lines, mut malformed) = (Vec::<DotenvLine>::new(), Vec::new());
    // The last line of each variable without a value, because such a line removes earlier values.
    let mut unset: HashMap<String, usize> = HashMap::new();
    let mut earlier: HashMap<String, String> = HashMap::new();
    let mut parser = DotenvParser { text: &text, at: 0 };
    let (mut line, mut counted, mut size) = (1, 0, 0);
    loop {
        parser.skip(is_space);
        if parser.rest().is_empty() {
            lines.retain(|it| unset.get(&it.variable).is_none_or(|at| it.line > *at));
            return (lines, malformed);
        }
        line += text[counted..parser.at].matches('\n').count();
        counted = parser.at;
        match parser.statement() {
            Ok(None) => {}
            // As in python-dotenv: a name without `=` removes an earlier value, but `${NAME}` finds it
            // empty instead of absent.
            Ok(Some((variable, None))) => {
                unset.insert(variable.clone(), line);
                earlier.insert(variable, String::new());
            }
            Ok(Some((variable, Some(value)))) => {
                let room = MAX_BYTES.saturating_sub(size);
                let Some(value) = expand(&value, environment, &earlier, room) else {
                    let why = "the values become larger than 4MiB when `${..}` is replaced";
                    malformed.push(MalformedLine { line, why });
                    return (lines, malformed);
                };
                size += value.len();
                earlier.insert(variable.clone(), value.clone());
                lines.push(DotenvLine { variable, value, line });
            }
            Err(why) => {
                malformed.push(MalformedLine { line, why });
                parser.skip(|c| c != '\n');
            }
        }
    }
}

/// Returns whether Python treats the character as white space.
fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

fn is_blank(c: char) -> bool {
    is_space(c) && c != '\n'
}

/// A name, and the value after its `=`, before `${..}` is replaced.
type DotenvStatement = (String, Option<String>);

struct DotenvParser<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> DotenvParser<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn skip(&mut self, while_: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let length = rest.find(|c| !while_(c)).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    /// Parses the statement that begins here; `None` for a comment.
    fn statement(&mut self) -> Result<Option<DotenvStatement>, &'static str> {
        if let Some(after) = self.rest().strip_prefix("export")
            && after.starts_with(is_blank)
        {
            self.at += "export".len();
            self.skip(is_blank);
        }
        if self.rest().starts_with('#') {
            self.skip(|c| c != '\n');
            return Ok(None);
        }
        let name = self.name()?;
        self.skip(is_blank);
        if !self.rest().starts_with('=') {
            self.end("not `NAME=value`")?;
            return Ok(Some((name, None)));
        }
        self.at += 1;
        let blanks = self.skip(is_blank);
        let value = match self.rest().chars().next() {
            Some('#') if !blanks.is_empty() => String::new(),
            Some(quote @ ('"' | '\'')) => self.quoted(quote)?,
            _ => unquoted(self.skip(|c| c != '\n')).to_owned(),
        };
        self.end("there is text after the closing quote")?;
        Ok(Some((name, Some(value))))
    }

    fn name(&mut self) -> Result<String, &'static str> {
        if let Some(rest) = self.rest().strip_prefix('\'') {
            let Some(length) = rest.find('\'').filter(|length| *length > 0) else {
                return Err("the quote of the name is not closed");
            };
            self.at += length + 2;
            return Ok(rest[..length].to_owned());
        }
        match self.skip(|c| c != '=' && c != '#' && !is_space(c)) {
            "" => Err("no name before `=`"),
            name => Ok(name.to_owned()),
        }
    }

    /// Refuses anything but a comment up to the end of the line.
    fn end(&mut self, why: &'static str) -> Result<(), &'static str> {
        self.skip(is_blank);
        if self.rest().starts_with('#') {
            self.skip(|c| c != '\n');
        }
        if self.rest().is_empty() || self.rest().starts_with('\n') { Ok(()) } else { Err(why) }
    }

    /// Parses up to the closing quote, which may be on a later line.
    fn quoted(&mut self, quote: char) -> Result<String, &'static str> {
        let mut value = String::new();
        let mut chars = self.rest().char_indices().skip(1);
        while let Some((at, c)) = chars.next() {
            match c {
                _ if c == quote => {
                    self.at += at + 1;
                    return Ok(value);
                }
                '\\' => match chars.next() {
                    Some((_, escaped)) => match unescape(quote, escaped) {
                        Some(c) => value.push(c),
                        None => value.extend(['\\', escaped]),
                    },
                    None => break,
                },
                c => value.push(c),
            }
        }
        Err("the quote is not closed")
    }
}

/// Returns the character that a backslash and `escaped` stand for.
fn unescape(quote: char, escaped: char) -> Option<char> {
    Some(match escaped {
        '\\' | '\'' => escaped,
        _ if quote == '\'' => return None,
        '"' => '"',
        'a' => '\u{7}',
        'b' => '\u{8}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'v' => '\u{b}',
        _ => return None,
    })
}

/// Returns the value without quotes: up to the end of the line or to a comment, which begins with a space.
fn unquoted(text: &str) -> &str {
    let mut comments = text.match_indices('#').map(|(at, _)| at);
    let comment = comments.find(|at| text[..*at].ends_with(is_space));
    text[..comment.unwrap_or(text.len())].trim_end_matches(is_space)
}

/// Replaces `${NAME}` and `${NAME:-default}`, whatever quotes the value has: python-dotenv does so in
/// single quotes, too. `None` if the result is longer than `room`.
fn expand(
    value: &str,
    environment: &HashMap<&str, &str>,
    earlier: &HashMap<String, String>,
    room: usize,
) -> Option<String> {
    let (mut expanded, mut rest) = (String::new(), value);
    while let Some(start) = rest.find("${") {
        let after = &rest[start + 2..];
        let Some((name, default, length)) = variable(after) else {
            // Only the dollar is passed over, because the next `${` may follow directly.
            expanded.push_str(&rest[..=start]);
            rest = &rest[start + 1..];
            continue;
        };
        expanded.push_str(&rest[..start]);
        let found = environment.get(name).copied();
        let found = found.or_else(|| earlier.get(name).map(String::as_str));
        expanded.push_str(found.unwrap_or(default));
        rest = &after[length..];
        if expanded.len() > room {
            return None;
        }
    }
    expanded.push_str(rest);
    (expanded.len() <= room).then_some(expanded)
}

/// Returns name and default of what follows `${`, and its length with the `}`.
fn variable(text: &str) -> Option<(&str, &str, usize)> {
    let end = text.find('}')?;
    match text[..end].split_once(':') {
        None => Some((&text[..end], "", end + 1)),
        Some((name, rest)) => rest.strip_prefix('-').map(|default| (name, default, end + 1)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn read(text: &str) -> (Vec<DotenvLine>, Vec<MalformedLine>) {
        parse(text, &HashMap::new())
    }

    fn pairs(text: &str) -> Vec<(String, String, usize)> {
        let (lines, malformed) = read(text);
        assert_eq!(malformed, []);
        lines.into_iter().map(|line| (line.variable, line.value, line.line)).collect()
    }

    #[test]
    fn every_text_is_read_as_python_dotenv_reads_it() {
        let corpus: Value = serde_json::from_str(include_str!("dotenv/corpus.json")).unwrap();
        let environment = corpus["environment"].as_object().unwrap();
        let environment =
            environment.iter().map(|(name, value)| (&**name, value.as_str().unwrap())).collect();
        let cases = corpus["cases"].as_array().unwrap();
        assert!(cases.len() > 150);
        let mut wrong = Vec::new();
        for case in cases {
            let (lines, malformed) = parse(case["text"].as_str().unwrap(), &environment);
            let mut values = serde_json::Map::new();
            for line in lines {
                values.insert(line.variable, line.value.into());
            }
            if Value::Object(values.clone()) != case["values"] || malformed.len() != case["errors"]
            {
                wrong.push(format!("{case}\n  is read as {values:?}, {malformed:?}"));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn variables_have_their_lines() {
        let text = "# comment\n\nA=1\nexport B = two words \r\n  C=\n";
        let expected = [("A", "1", 3), ("B", "two words", 4), ("C", "", 5)];
        let expected =
            expected.map(|(name, value, line)| (name.to_owned(), value.to_owned(), line));
        assert_eq!(pairs(text), expected);
    }

    #[test]
    fn a_quoted_value_goes_over_several_lines_and_the_next_line_is_counted_right() {
        let found = pairs("A=\"one\ntwo\"\nB=3\n");
        assert_eq!(found[0], ("A".into(), "one\ntwo".into(), 1));
        assert_eq!(found[1], ("B".into(), "3".into(), 3));
    }

    #[test]
    fn a_statement_that_is_not_understood_is_reported_and_hides_no_other() {
        let (lines, malformed) = read("what is\n=2\nB='x' y\nC=\"open\nD=4");
        let reported: Vec<_> = malformed.iter().map(|malformed| malformed.line).collect();
        assert_eq!(reported, [1, 2, 3, 4]);
        assert_eq!(lines, [DotenvLine { variable: "D".into(), value: "4".into(), line: 5 }]);
    }

    #[test]
    fn values_that_double_at_every_line_have_a_bound() {
        let mut text = "A=0123456789\n".to_owned();
        (0..200).for_each(|_| text.push_str("A=${A}${A}\n"));
        let (lines, malformed) = read(&text);
        assert!(lines.iter().map(|line| line.value.len()).sum::<usize>() <= MAX_BYTES);
        assert_eq!(malformed.len(), 1);
    }

    #[test]
    fn another_encoding_is_named_with_its_line() {
        let utf_16: Vec<u8> = "\u{feff}A=1\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let (line, why, fix) = decode(utf_16.clone()).unwrap_err();
        assert!(line == 1 && why.contains("UTF-16") && fix.contains("iconv -f UTF-16"), "{why}");
        let big: Vec<u8> = utf_16.chunks(2).flat_map(|pair| [pair[1], pair[0]]).collect();
        assert!(decode(big).is_err_and(|(_, why, _)| why.contains("UTF-16")));
        let bare = utf_16[2..].to_vec();
        assert!(decode(bare).is_err_and(|(_, why, _)| why.contains("UTF-16")));
        let (line, why, fix) = decode(b"A=1\nB=caf\xe9\n".to_vec()).unwrap_err();
        assert!(line == 2 && why.contains("not UTF-8") && fix.contains("Latin-1"), "{why}");
        assert_eq!(decode("A=é".into()).unwrap(), "A=é");
        assert!(fix.contains("> .env.new && mv .env.new .env"), "{fix}");
        let of_32 = |text: &str| -> Vec<u8> {
            text.chars().flat_map(|c| u32::from(c).to_le_bytes()).collect()
        };
        for bytes in [of_32("\u{feff}A=1\n"), of_32("A=1\n")] {
            let (_, why, fix) = decode(bytes).unwrap_err();
            assert!(why.contains("UTF-32") && fix.contains("iconv -f UTF-32"), "{why}: {fix}");
        }
        let (line, why, fix) = decode(b"A=1\nB=2\0\n".to_vec()).unwrap_err();
        assert!(line == 2 && !why.contains("UTF") && !fix.contains("iconv"), "{why}: {fix}");
    }

    #[test]
    fn a_name_alone_takes_back_an_earlier_value() {
        // As python-dotenv 1.2: a name without a value is `None`, which is not set.
        assert_eq!(pairs("A=1\nA\n"), []);
        assert_eq!(pairs("A=1\nA\nB=x${A}\n"), [("B".into(), "x".into(), 3)]);
        assert_eq!(pairs("A=1\nexport A\nA=2\n"), [("A".into(), "2".into(), 3)]);
        assert_eq!(pairs("A\nA=1\n"), [("A".into(), "1".into(), 2)]);
    }
}
