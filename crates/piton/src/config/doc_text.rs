//! The doc comments of settings, prepared for terminals and files: without markup, wrapped, or shortened
//! to a summary.

use std::borrow::Cow;

use serde_json::Value;

/// Returns the paragraphs, each in one line, without the asterisks.
pub(crate) fn paragraphs(doc: &str) -> Vec<String> {
    let plain = doc.replace("**", "");
    let paragraphs = plain.split("\n\n").map(one_line);
    paragraphs.filter(|paragraph| !paragraph.is_empty()).collect()
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Returns the first sentence and the default.
pub(crate) fn summary(doc: &str) -> String {
    let (text, default) = match doc.split_once("**Default:") {
        Some((text, rest)) => (text, rest.split("**").next()),
        None => (doc, None),
    };
    let sentence = paragraphs(text).first().map(|text| first_sentence(text).to_owned());
    let default = default.map(|default| format!("Default: {}", one_line(default)));
    sentence.into_iter().chain(default).collect::<Vec<_>>().join(" ")
}

/// Returns the doc comment with another default in place of its own.
pub(crate) fn with_default(doc: &'static str, default: &Value) -> Cow<'static, str> {
    let Some((before, rest)) = doc.split_once("**Default:") else { return doc.into() };
    let after = rest.split_once("**").map_or("", |(_, after)| after);
    let default = match default {
        Value::String(text) => text.clone(),
        value => value.to_string(),
    };
    format!("{before}**Default: `{default}`.**{after}").into()
}

/// Returns the text up to the first full stop after which a sentence begins.
fn first_sentence(text: &str) -> &str {
    let mut ends = text.match_indices(". ").map(|(at, _)| at + 1);
    let begins = |at: &usize| text[at + 1..].starts_with(|c: char| c.is_uppercase() || c == '`');
    ends.find(begins).map_or(text, |end| &text[..end])
}

/// Splits a text into lines of at most `width` characters; a longer word has a line of its own.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_is_the_first_sentence_and_the_default() {
        let doc = "The port, e.g. 80; `0`\ntakes a free one. Raise it\nwhen asked. **Default:\n`5000`.**\n\nMore.";
        assert_eq!(summary(doc), "The port, e.g. 80; `0` takes a free one. Default: `5000`.");
        assert_eq!(summary("Signs."), "Signs.");
        assert_eq!(summary("Signs. `a` is one."), "Signs.");
        assert_eq!(summary(""), "");
    }

    #[test]
    fn paragraphs_stay_apart_and_lose_their_asterisks() {
        assert_eq!(paragraphs("a\nb **c**\n\n\nd\n"), ["a b c", "d"]);
    }

    #[test]
    fn lines_are_no_longer_than_asked_unless_a_word_is() {
        assert_eq!(wrap("a bb ccc dddddddd e", 6), ["a bb", "ccc", "dddddddd", "e"]);
        assert_eq!(wrap("ééé ééé", 7), ["ééé ééé"]);
    }

    #[test]
    fn another_default_stands_where_the_first_stood() {
        let doc = "How long. **Default: `30s`, or\nmore.** As you like.";
        assert_eq!(with_default(doc, &"10m".into()), "How long. **Default: `10m`.** As you like.");
        assert_eq!(with_default(doc, &3.into()), "How long. **Default: `3`.** As you like.");
        assert_eq!(with_default("Nothing.", &3.into()), "Nothing.");
    }
}
