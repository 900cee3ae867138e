//! Reads `.env` files, with the line of each variable, and never sets a variable of the process.
//!
//! `KEY=value`, `export KEY=value`, `#` comments. In single quotes nothing is special; in double
//! quotes `\n`, `\r`, `\t`, `\"`, `\\` and `\$` are, and a value may go over several lines.
//! `$NAME` is not replaced: a password with a dollar stays what it is.

/// One variable of the file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub variable: String,
    pub value: String,
    /// Counted from 1.
    pub line: usize,
}

/// A line that is not understood. Never with its text: a secret may stand there.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Malformed {
    pub line: usize,
    pub why: &'static str,
}

/// Reads the whole text; lines that are not understood do not hide the others.
pub(crate) fn parse(text: &str) -> (Vec<Line>, Vec<Malformed>) {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (mut lines, mut malformed) = (Vec::new(), Vec::new());
    let (mut rest, mut line) = (text, 1);
    while !rest.is_empty() {
        let (entry, length) = entry(rest);
        match entry {
            Ok(Some((variable, value))) => lines.push(Line { variable, value, line }),
            Ok(None) => {}
            Err(why) => malformed.push(Malformed { line, why }),
        }
        let (read, left) = rest.split_at(length);
        line += read.matches('\n').count();
        rest = left;
    }
    (lines, malformed)
}

type Entry = Result<Option<(String, String)>, &'static str>;

/// The variable that begins here, if any, and how many bytes belong to it.
fn entry(text: &str) -> (Entry, usize) {
    let line_length = text.find('\n').map_or(text.len(), |end| end + 1);
    let line = text[..line_length].trim();
    if line.is_empty() || line.starts_with('#') {
        return (Ok(None), line_length);
    }
    let Some(equals) = text[..line_length].find('=') else {
        return (Err("not `NAME=value`"), line_length);
    };
    let name = text[..equals].trim();
    let name = name.strip_prefix("export ").unwrap_or(name).trim();
    if !is_name(name) {
        return (Err("what stands before `=` is not the name of a variable"), line_length);
    }
    let after = &text[equals + 1..];
    let start = equals + 1 + (after.len() - after.trim_start_matches([' ', '\t']).len());
    let (value, length) = match text[start..].chars().next() {
        Some(quote @ ('"' | '\'')) => match quoted(&text[start + 1..], quote) {
            Ok((value, length)) => (value, start + 1 + length),
            Err(why) => return (Err(why), line_length),
        },
        _ => (unquoted(&text[equals + 1..line_length]).to_owned(), line_length),
    };
    let tail_length = text[length..].find('\n').map_or(text.len() - length, |end| end + 1);
    let tail = if length == line_length { "" } else { text[length..length + tail_length].trim() };
    let end = if length == line_length { length } else { length + tail_length };
    if tail.is_empty() || tail.starts_with('#') {
        (Ok(Some((name.to_owned(), value))), end)
    } else {
        (Err("something stands after the closing quote"), end)
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.')
}

/// Up to the end of the line or to a comment, which begins with a space.
fn unquoted(text: &str) -> &str {
    let comment = text.find(" #").or_else(|| text.find("\t#")).unwrap_or(text.len());
    text[..comment].trim()
}

/// The text up to the closing quote, and how many bytes that took.
fn quoted(text: &str, quote: char) -> Result<(String, usize), &'static str> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            _ if c == quote => return Ok((value, at + 1)),
            '\\' if quote == '"' => match chars.next() {
                Some((_, 'n')) => value.push('\n'),
                Some((_, 'r')) => value.push('\r'),
                Some((_, 't')) => value.push('\t'),
                Some((_, c @ ('"' | '\\' | '$' | '\''))) => value.push(c),
                Some((_, c)) => value.extend(['\\', c]),
                None => break,
            },
            c => value.push(c),
        }
    }
    Err("the quote is not closed")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Vec<(String, String, usize)> {
        let (lines, malformed) = parse(text);
        assert_eq!(malformed, []);
        lines.into_iter().map(|line| (line.variable, line.value, line.line)).collect()
    }

    fn value(text: &str) -> String {
        pairs(text).remove(0).1
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
    fn a_comment_after_a_value_needs_a_space() {
        assert_eq!(value("A=x # y"), "x");
        assert_eq!(value("A=x#y"), "x#y");
        assert_eq!(value("A='x # y' # z"), "x # y");
        assert_eq!(value("A= # only a comment"), "");
    }

    #[test]
    fn double_quotes_know_escapes_and_single_quotes_do_not() {
        assert_eq!(value(r#"A="a\nb\"c\\d\$e\x""#), "a\nb\"c\\d$e\\x");
        assert_eq!(value(r"A='a\nb'"), r"a\nb");
        assert_eq!(value("A=it's"), "it's");
    }

    #[test]
    fn a_dollar_is_not_replaced() {
        assert_eq!(value("A=pa$$word${HOME}"), "pa$$word${HOME}");
    }

    #[test]
    fn a_quoted_value_goes_over_several_lines_and_the_next_line_is_counted_right() {
        let found = pairs("A=\"one\ntwo\"\nB=3\n");
        assert_eq!(found[0], ("A".into(), "one\ntwo".into(), 1));
        assert_eq!(found[1], ("B".into(), "3".into(), 3));
    }

    #[test]
    fn a_line_that_is_not_understood_is_told_and_hides_no_other() {
        let (lines, malformed) = parse("what\n1A=2\nB='x' y\nC=\"open\nD=4");
        let told: Vec<_> = malformed.iter().map(|malformed| malformed.line).collect();
        assert_eq!(told, [1, 2, 3, 4]);
        assert_eq!(lines, [Line { variable: "D".into(), value: "4".into(), line: 5 }]);
    }

    #[test]
    fn a_last_line_without_an_end_is_read() {
        assert_eq!(value("A='x'"), "x");
        assert_eq!(value("A=x"), "x");
        assert_eq!(value("A="), "");
        assert_eq!(pairs(""), []);
    }
}
