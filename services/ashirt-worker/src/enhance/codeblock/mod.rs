//! Codeblocks: `{"contentSubtype": language, "content": text, "metadata"?: {"source": text}}`.
//!
//! ASHIRT shows the text itself; this describes what a reader does not see.

mod language;
mod text_stats;

use std::fmt::Write;
use std::io::Read;

use self::language::Language;
use self::text_stats::TextStats;
use super::EnhanceError;
use super::format::escape_invisible;
use super::har::RedactedUrl;
use super::json_reader::{JsonReader, ReadError};

const WHAT: &str = "a codeblock of ASHIRT";

pub(super) fn describe(media: &mut dyn Read) -> Result<String, EnhanceError> {
    let mut json = JsonReader::start(media, WHAT)?;
    let mut block = CodeblockReader::default();
    match json.object(|json, key| block.member(json, key)) {
        Err(ReadError::Read(error)) => Err(EnhanceError::Read(error)),
        Err(ReadError::Truncated) => {
            Err(EnhanceError::Unsupported(format!("not {WHAT}: it breaks off")))
        }
        Err(ReadError::Syntax) => Err(EnhanceError::Unsupported(format!(
            "not {WHAT}: it is no longer JSON at byte {}",
            json.position()
        ))),
        Ok(_) if !block.has_content => {
            Err(EnhanceError::Unsupported(format!("not {WHAT}: it has no content that is text")))
        }
        Ok(_) => Ok(block.text()),
    }
}

#[derive(Default)]
struct CodeblockReader {
    subtype: Option<String>,
    source: Option<String>,
    has_content: bool,
    figures: TextStats,
}

impl CodeblockReader {
    fn member(&mut self, json: &mut JsonReader<'_>, key: &str) -> Result<(), ReadError> {
        match key {
            "contentSubtype" => self.subtype = json.text(60)?,
            "content" => {
                self.figures = TextStats::default();
                self.has_content = json.string(|char| self.figures.add(char))?;
                self.figures.end();
            }
            "metadata" => drop(json.object(|json, key| self.metadata(json, key))?),
            _ => json.skip()?,
        }
        Ok(())
    }

    fn metadata(&mut self, json: &mut JsonReader<'_>, key: &str) -> Result<(), ReadError> {
        match key {
            "source" => self.source = json.text(500)?,
            _ => json.skip()?,
        }
        Ok(())
    }

    fn text(mut self) -> String {
        let source = self.source.take().unwrap_or_default();
        let (name, language) = self.name(&source);
        let mut out = self.figures.text(&name, language);
        if !source.is_empty() {
            let _ = writeln!(out, "source: {}", escape_invisible(&without_fragment(&source), 500));
        }
        out
    }

    /// Returns the language's name for the description, and the language if it is known.
    fn name(&self, source: &str) -> (String, Option<&'static Language>) {
        let subtype = self.subtype.as_deref().unwrap_or_default().trim();
        if let Some(language) = Language::by_name(subtype) {
            return (language.name.to_owned(), Some(language));
        }
        let guess = Language::by_shebang(self.figures.first_line())
            .map(|language| (language, "its first line"));
        let guess =
            guess.or_else(|| Language::by_source(source).map(|language| (language, "its source")));
        let said =
            if language::is_plain(subtype) { String::new() } else { escape_invisible(subtype, 60) };
        match guess {
            Some((guess, from)) if said.is_empty() => {
                (format!("{} (guessed from {from})", guess.name), Some(guess))
            }
            Some((guess, from)) => {
                (format!("{said} (perhaps {}, guessed from {from})", guess.name), Some(guess))
            }
            None if said.is_empty() => ("text without a language".to_owned(), None),
            None => (said, None),
        }
    }
}

/// Returns the source as far as it may be shown. A fragment may be a token without a name; lines (`#L10-L20`) stay.
fn without_fragment(source: &str) -> String {
    let shown = RedactedUrl::of(source).shown;
    let Some((before, fragment)) = shown.split_once('#') else { return shown };
    let is_line = |text: &str| {
        let digits = text.trim_start_matches(['L', 'l']);
        !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
    };
    match fragment.split('-').all(is_line) {
        true => shown,
        false => format!("{before}#…"),
    }
}

#[cfg(test)]
mod tests {
    use super::{describe, without_fragment};

    fn of(json: &str) -> String {
        describe(&mut json.as_bytes()).unwrap()
    }

    #[test]
    fn what_nobody_sees_is_counted() {
        let text = of(
            r#"{"contentSubtype": "c", "content": "/*\u202e } \u2066if (isAdmin)\u2069 \u2066 begin */\n\u200b"}"#,
        );
        assert!(text.contains("WARNING: 4 characters that turn the direction of text"), "{text}");
        assert!(text.contains("WARNING: 1 invisible character"), "{text}");
        assert!(!text.contains('\u{202e}'), "{text}");
    }

    #[test]
    fn a_language_that_nobody_named_is_guessed_and_that_is_said() {
        for (json, expected) in [
            (
                r##"{"contentSubtype": "", "content": "#!/usr/bin/env -S python3 -u\nx"}"##,
                "Python (guessed from its first line), 2",
            ),
            (r##"{"content": "#!/bin/bash\n"}"##, "Bash (guessed from its first line), 1 line"),
            (
                r#"{"content": "x", "metadata": {"source": "https://h/a/b.RS?raw=1#L3"}}"#,
                "Rust (guessed from its source), 1",
            ),
            (r#"{"contentSubtype": "klingon", "content": "x"}"#, "klingon, 1"),
            (r#"{"contentSubtype": null, "content": "x"}"#, "text without a language, 1"),
        ] {
            assert!(of(json).starts_with(expected), "{}", of(json));
        }
    }

    #[test]
    fn lines_are_code_or_comment_or_blank() {
        let text =
            of(r#"{"contentSubtype": "go", "content": "// a\n\n/* b\n c */\nfunc x() {} // d\n"}"#);
        assert!(text.starts_with("Go, 5 lines (1 of code, 3 of comment, 1 blank)"), "{text}");
        let text = of(r##"{"contentSubtype": "bash", "content": "# a\r\n\tb\r\n"}"##);
        assert!(text.contains("2 lines (1 of code, 1 of comment, 0 blank)"), "{text}");
        assert!(text.contains("line ends: CRLF 2"), "{text}");
        assert!(text.contains("indented: 1 line with tabs"), "{text}");
    }

    #[test]
    fn the_source_is_shown_without_what_may_be_a_token() {
        for (source, expected) in [
            ("https://u:pa/SEKRET@h/a", "https://***@h/a"),
            ("https://h/a#SEKRET", "https://h/a#…"),
            ("https://h/a?access_token=a/SEKRET", "https://h/a?access_token=***"),
            ("https://h/a.py#L10-L20", "https://h/a.py#L10-L20"),
            ("src/main.rs", "src/main.rs"),
        ] {
            assert_eq!(without_fragment(source), expected);
        }
    }

    #[test]
    fn the_sha256_is_that_of_the_text() {
        // `printf abc | sha256sum`
        let text = of(r#"{"content": "abc"}"#);
        assert!(
            text.contains("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            "{text}"
        );
    }

    #[test]
    fn without_text_there_is_nothing_to_say() {
        for (json, expected) in [
            (r#"{"contentSubtype": "go"}"#, "no content"),
            (r#"{"content": 1}"#, "no content"),
            (r#"{"content": "abc"#, "breaks off"),
            ("", "empty"),
            ("print(1)", "begins with “print(1)”"),
        ] {
            let reason = describe(&mut json.as_bytes()).unwrap_err().to_string();
            assert!(reason.contains(expected), "{reason}");
        }
    }
}
