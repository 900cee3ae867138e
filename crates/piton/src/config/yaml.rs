//! YAML files, with the line of each key: mappings, lists and scalars of YAML 1.2's core schema, so that
//! `no` is text and `0o17` is a number.
//!
//! Anchors and aliases, merge keys, tags other than `!!str` and several documents are refused, because they
//! give a file a meaning that is not written in place.

use std::collections::HashSet;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span, StrInput, Tag};
use serde_json::{Number, Value};

use super::file_syntax::{FileField, FileFields, FileNode, FileSyntaxError};

/// Maximum depth of mappings and lists, more than any section has.
const MAX_DEPTH: usize = 32;

/// Parses the whole text. A file of comments alone is an empty mapping.
pub(crate) fn parse(text: &str) -> Result<FileFields, FileSyntaxError> {
    let mut parser = YamlParser { events: Parser::new_from_str(text), list_depth: 0 };
    parser.document()
}

struct YamlParser<'a> {
    events: Parser<'a, StrInput<'a>>,
    /// The number of lists around the current node. Duplicate keys are looked for within lists, because
    /// elsewhere `ConfigFile` reports them.
    list_depth: usize,
}

type YamlResult<T> = Result<T, FileSyntaxError>;

impl<'a> YamlParser<'a> {
    fn next(&mut self) -> YamlResult<(Event<'a>, usize)> {
        match self.events.next_event() {
            Some(Ok((event, span))) => Ok((event, line(&span))),
            Some(Err(error)) => Err(not_yaml(&error)),
            None => Err(FileSyntaxError {
                line: None,
                why: "is not YAML: it ends too early".to_owned(),
            }),
        }
    }

    fn document(&mut self) -> YamlResult<FileFields> {
        let mut fields = FileFields::new();
        let mut documents = 0;
        loop {
            let (event, line) = self.next()?;
            match event {
                Event::StreamEnd => return Ok(fields),
                Event::DocumentStart(_) if documents > 0 => {
                    return Err(refuse(line, "it has several documents: keep the first"));
                }
                Event::DocumentStart(_) => documents += 1,
                Event::StreamStart | Event::DocumentEnd | Event::Nothing => {}
                event => fields = self.root(event, line)?,
            }
        }
    }

    fn root(&mut self, event: Event<'a>, line: usize) -> YamlResult<FileFields> {
        match self.node(event, line, 0)? {
            FileNode::Table(fields) => Ok(fields),
            FileNode::Value(Value::Null) => Ok(FileFields::new()),
            FileNode::Value(_) => Err(refuse(line, "it is not a mapping: write `key: value`")),
        }
    }

    fn node(&mut self, event: Event<'a>, line: usize, depth: usize) -> YamlResult<FileNode> {
        if depth > MAX_DEPTH {
            return Err(refuse(line, "it is nested too deeply"));
        }
        match event {
            Event::Scalar(_, _, anchor, _)
            | Event::SequenceStart(anchor, _)
            | Event::MappingStart(anchor, _)
                if anchor > 0 =>
            {
                Err(refuse(line, "anchors (`&name`) are not supported: write the value itself"))
            }
            Event::Alias(_) => {
                Err(refuse(line, "aliases (`*name`) are not supported: write the value itself"))
            }
            Event::Scalar(text, style, _, tag) => {
                scalar(&text, style, tag.as_deref(), line).map(FileNode::Value)
            }
            Event::SequenceStart(_, None) => self.list(depth).map(FileNode::Value),
            Event::MappingStart(_, None) => self.mapping(depth).map(FileNode::Table),
            Event::SequenceStart(..) | Event::MappingStart(..) => Err(unknown_tag(line)),
            _ => Err(refuse(line, "a value is missing")),
        }
    }

    fn list(&mut self, depth: usize) -> YamlResult<Value> {
        let mut items = Vec::new();
        self.list_depth += 1;
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => break,
                (event, line) => items.push(self.node(event, line, depth + 1)?.to_value()),
            }
        }
        self.list_depth -= 1;
        Ok(Value::Array(items))
    }

    fn mapping(&mut self, depth: usize) -> YamlResult<FileFields> {
        let (mut fields, mut seen) = (FileFields::new(), HashSet::new());
        loop {
            let (event, line) = self.next()?;
            if event == Event::MappingEnd {
                return Ok(fields);
            }
            let key = key(event, line)?;
            if self.list_depth > 0 && !seen.insert(key.clone()) {
                return Err(refuse(line, "duplicate key in a mapping"));
            }
            let (event, value_line) = self.next()?;
            let node = self.node(event, value_line, depth + 1)?;
            fields.push(FileField { key, line: Some(line), node });
        }
    }
}

/// Returns a key. It must be a text, because other parsers read `80:` and `true:` differently.
fn key(event: Event<'_>, line: usize) -> YamlResult<String> {
    let Event::Scalar(text, style, 0, tag) = event else {
        return Err(refuse(line, "a key is a word, without an anchor, an alias or a structure"));
    };
    if style == ScalarStyle::Plain && text == "<<" {
        return Err(refuse(line, "merge keys (`<<`) are not supported: write the values"));
    }
    match scalar(&text, style, tag.as_deref(), line)? {
        Value::String(key) => Ok(key),
        _ => Err(refuse(line, "a key is text: put it in quotes")),
    }
}

fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>, line: usize) -> YamlResult<Value> {
    match tag {
        Some(tag) if tag.is_yaml_core_schema() && tag.suffix == "str" => Ok(Value::from(text)),
        Some(_) => Err(unknown_tag(line)),
        None if style == ScalarStyle::Plain => plain(text, line),
        None => Ok(Value::from(text)),
    }
}

/// Returns the value of a scalar without quotes, by the core schema (YAML 1.2.2, section 10.3.2).
fn plain(text: &str, line: usize) -> YamlResult<Value> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(Value::Null),
        "true" | "True" | "TRUE" => return Ok(Value::Bool(true)),
        "false" | "False" | "FALSE" => return Ok(Value::Bool(false)),
        _ => {}
    }
    let too_large = || refuse(line, "the number is too large");
    if let Some((digits, radix)) = integer(text) {
        let number = i64::from_str_radix(digits, radix).map(Value::from);
        let number = number.or_else(|_| u64::from_str_radix(digits, radix).map(Value::from));
        return number.map_err(|_| too_large());
    }
    if is_infinite_or_nan(text) {
        return Err(refuse(line, "the number is not finite"));
    }
    if !is_float(text) {
        return Ok(Value::from(text));
    }
    let number = text.parse().ok().and_then(Number::from_f64);
    number.map(Value::Number).ok_or_else(too_large)
}

/// Returns the digits, with their sign, and their base.
fn integer(text: &str) -> Option<(&str, u32)> {
    let all = |digits: &str, radix| !digits.is_empty() && digits.chars().all(|c| c.is_digit(radix));
    for (lead, radix) in [("0o", 8), ("0x", 16)] {
        if let Some(digits) = text.strip_prefix(lead).filter(|digits| all(digits, radix)) {
            return Some((digits, radix));
        }
    }
    all(unsigned(text), 10).then_some((text, 10))
}

fn unsigned(text: &str) -> &str {
    text.strip_prefix(['-', '+']).unwrap_or(text)
}

/// Returns whether a text is a float: `.5`, `5.`, `5.5e-3`, `5e3`.
fn is_float(text: &str) -> bool {
    let digits = |text: &str| text.chars().all(|c| c.is_ascii_digit());
    let (number, exponent) = match unsigned(text).split_once(['e', 'E']) {
        Some((number, exponent)) => (number, Some(unsigned(exponent))),
        None => (unsigned(text), None),
    };
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let exponent_is_right = exponent.is_none_or(|it| !it.is_empty() && digits(it));
    let some_digits = !whole.is_empty() || !part.is_empty();
    some_digits && digits(whole) && digits(part) && exponent_is_right
}

fn is_infinite_or_nan(text: &str) -> bool {
    matches!(unsigned(text), ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN")
}

fn line(span: &Span) -> usize {
    span.start.line()
}

fn refuse(line: usize, why: &str) -> FileSyntaxError {
    FileSyntaxError { line: Some(line), why: format!("is not read: {why}") }
}

fn unknown_tag(line: usize) -> FileSyntaxError {
    refuse(line, "tags other than `!!str` are not supported: leave it out")
}

/// Converts the parser's error, without the character that it quotes, which may be part of a secret.
fn not_yaml(error: &ScanError) -> FileSyntaxError {
    let why = error.info().split('`').next().unwrap_or_default().trim_end_matches([' ', ':']);
    FileSyntaxError { line: Some(error.marker().line()), why: format!("is not YAML: {why}") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn value(text: &str) -> Value {
        match parse(text) {
            Ok(fields) => FileNode::Table(fields).to_value(),
            Err(syntax) => panic!("line {:?} {}", syntax.line, syntax.why),
        }
    }

    fn refusal(text: &str) -> (Option<usize>, String) {
        match parse(text) {
            Ok(fields) => panic!("it is read as {}", FileNode::Table(fields).to_value()),
            Err(syntax) => (syntax.line, syntax.why),
        }
    }

    #[test]
    fn scalars_are_those_of_the_core_schema() {
        for (text, expected) in [
            ("no", json!("no")),
            ("yes", json!("yes")),
            ("on", json!("on")),
            ("True", json!(true)),
            ("FALSE", json!(false)),
            ("~", json!(null)),
            ("", json!(null)),
            ("80", json!(80)),
            ("-3", json!(-3)),
            ("+3", json!(3)),
            ("0777", json!(777)),
            ("0o17", json!(15)),
            ("0xFf", json!(255)),
            ("18446744073709551615", json!(u64::MAX)),
            ("1.5", json!(1.5)),
            (".5", json!(0.5)),
            ("5e3", json!(5000.0)),
            ("-1.5E-1", json!(-0.15)),
            ("1_000", json!("1_000")),
            ("12:30", json!("12:30")),
            ("1.2.3", json!("1.2.3")),
            (".", json!(".")),
            ("e3", json!("e3")),
            ("0x", json!("0x")),
            ("30s", json!("30s")),
            ("2026-01-01", json!("2026-01-01")),
            ("\"80\"", json!("80")),
            ("'no'", json!("no")),
            ("!!str 80", json!("80")),
            ("|\n  two\n  lines\n", json!("two\nlines\n")),
        ] {
            assert_eq!(value(&format!("a: {text}")), json!({ "a": expected }), "{text}");
        }
    }

    #[test]
    fn lists_and_mappings_are_read_in_both_styles() {
        let text = "a:\n  - 1\n  - b: {c: [x, 'y']}\nd: []\ne: {}\n";
        let expected = json!({"a": [1, {"b": {"c": ["x", "y"]}}], "d": [], "e": {}});
        assert_eq!(value(text), expected);
    }

    #[test]
    fn a_file_that_says_nothing_is_empty() {
        for text in ["", "# only a comment\n", "---\n", "---\n# nothing\n...\n"] {
            assert_eq!(value(text), json!({}), "{text:?}");
        }
        assert_eq!(value("--- \na: 1\n...\n"), json!({"a": 1}));
    }

    #[test]
    fn what_is_not_written_in_place_is_refused_with_its_line() {
        for (text, line, why) in [
            ("a: &x 1\n", 1, "anchors"),
            ("a: 1\nb: *x\n", 2, ""),
            ("a: &x {b: 1}\nc: *x\n", 1, "anchors"),
            ("a:\n  <<: {b: 1}\n", 2, "merge keys"),
            ("a: 1\n---\nb: 2\n", 2, "several documents"),
            ("a: !env X\n", 1, "tags"),
            ("a: !!int 3\n", 1, "tags"),
            ("a: !!set {b}\n", 1, "tags"),
            ("a:\n  80: x\n", 2, "a key is text"),
            ("true: x\n", 1, "a key is text"),
            ("~: x\n", 1, "a key is text"),
            ("? [a]\n: x\n", 1, "a key is a word"),
            ("- a\n", 1, "not a mapping"),
            ("text\n", 1, "not a mapping"),
            ("a: 1\nb: .inf\n", 2, "not finite"),
            ("a: 1e999\n", 1, "too large"),
            ("a: 99999999999999999999\n", 1, "too large"),
            ("a:\n  - {b: 1,\n     b: 2}\n", 3, "duplicate key"),
        ] {
            let (at, reason) = refusal(text);
            assert_eq!(at, Some(line), "{text:?}: {reason}");
            assert!(reason.contains(why), "{text:?}: {reason}");
        }
    }

    #[test]
    fn a_syntax_error_has_its_line_and_no_text_of_the_file() {
        for text in [
            "a: 1\npassword: @hunter2\n",
            "a: 1\npassword: 'hunter2\n",
            "a: 1\npassword: %hunter2\n",
            "a: 1\npassword: hunter2: x\n",
            "a: 1\npassword: [hunter2\n",
            "a: 1\n\tpassword: hunter2\n",
            "a: 1\npassword: *hunter2\n",
        ] {
            let (line, why) = refusal(text);
            assert!(line.is_some_and(|line| line >= 1), "{text:?}");
            assert!(!why.contains("hunter") && !why.contains(['@', '%']), "{text:?}: {why}");
        }
        assert_eq!(refusal("a: 1\npassword: @hunter2\n").0, Some(2));
    }

    #[test]
    fn depth_is_bounded() {
        let deep = |depth| format!("a: {}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(parse(&deep(20)).is_ok());
        assert!(refusal(&deep(100)).1.contains("deep"));
        assert!(parse(&deep(100_000)).is_err());
        assert!(parse(&"a:\n".repeat(3).replace("a:", "? ")).is_err());
    }

    /// Whatever is done to a file, reading it ends in a value or a refusal.
    #[test]
    fn no_text_makes_the_reader_panic() {
        let seed =
            "a: &x [1, {b: 'c'}]\n? d\n: |\n  e\n--- !t\n%f: \"g\\x41\"\n*x : >-\n\th\r\n...";
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..20_000 {
            let mut chars: Vec<char> = seed.chars().collect();
            for _ in 0..random.usize(1..12) {
                let (at, other) = (random.usize(..chars.len()), random.usize(..chars.len()));
                match random.u8(..3) {
                    0 => chars.swap(at, other),
                    1 => chars.insert(at, chars[other]),
                    _ => drop(chars.remove(at)),
                }
            }
            let text: String = chars.into_iter().collect();
            let _ = parse(&text).is_ok();
        }
    }
}
