//! The settings as the verb `config` lists them: for people in a terminal, and for machines.

use std::fmt::Write;

use serde_json::{Value, json};

use super::doc::{paragraphs, summary, wrap};
use super::problem::{Origin, shorten};
use super::section::Described;

/// Fits the narrowest terminal that people still use.
const WIDTH: usize = 80;
const INDENT: &str = "      ";

/// How the list is written.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Style {
    pub coloured: bool,
    /// The whole doc comment instead of its first sentence.
    pub whole_docs: bool,
}

/// Each setting under its section: value, origin, what it does, variables.
pub(crate) fn list(described: &[Described], style: Style) -> String {
    let mut list = String::new();
    for group in grouped(described) {
        if !list.is_empty() {
            list.push('\n');
        }
        list.push_str(&head(group[0], style));
        for setting in group {
            list.push_str(&entry(setting, style));
        }
    }
    list
}

/// The settings by section, in the order in which the sections first appear, so that the settings
/// behind a nested section stand with those before it.
pub(crate) fn grouped(described: &[Described]) -> Vec<Vec<&Described>> {
    let mut groups: Vec<Vec<&Described>> = Vec::new();
    for setting in described {
        match groups.iter_mut().find(|group| group[0].section == setting.section) {
            Some(group) => group.push(setting),
            None => groups.push(vec![setting]),
        }
    }
    groups
}

fn head(first: &Described, style: Style) -> String {
    let name = match &*first.section {
        "" => "(top level)".to_owned(),
        section => format!("[{section}]"),
    };
    let about = paragraphs(first.section_doc).into_iter().next().unwrap_or_default();
    let lines = wrap(&format!("{name} {about}"), WIDTH);
    let lines: Vec<String> = lines.iter().map(|line| bold(line, style)).collect();
    format!("{}\n", lines.join("\n"))
}

fn entry(setting: &Described, style: Style) -> String {
    let value = match &setting.value {
        Value::Null => " is not set".to_owned(),
        Value::String(text) if text == super::redact::HIDDEN => format!(" = {text}"),
        value => format!(" = {}", shorten(&value.to_string())),
    };
    let origin = match &setting.origin {
        Origin::Default | Origin::ServiceDefault(_) => "(default)".to_owned(),
        origin => format!("(from {origin})"),
    };
    let mut entry = format!("  {}{value}  {}\n", bold(&setting.key, style), dim(&origin, style));
    let docs = if style.whole_docs {
        let expects = format!("Write {}.", setting.expects);
        paragraphs(&setting.doc).into_iter().chain([expects]).collect()
    } else {
        vec![summary(&setting.doc)]
    };
    for text in docs.iter().chain([&variables(setting)]) {
        for line in wrap(text, WIDTH - INDENT.len()) {
            let _ = writeln!(entry, "{INDENT}{line}");
        }
    }
    entry
}

/// `PITON_HTTP_PORT, also PORT, MS_PORT`.
pub(crate) fn variables(setting: &Described) -> String {
    let mut names = setting.variable.clone();
    if !setting.aliases.is_empty() {
        let _ = write!(names, ", also {}", setting.aliases.join(", "));
    }
    if setting.from_file {
        let _ = write!(names, "; {}_FILE names a file with the value", setting.variable);
    }
    names
}

fn bold(text: &str, style: Style) -> String {
    if style.coloured { format!("\u{1b}[1m{text}\u{1b}[0m") } else { text.to_owned() }
}

fn dim(text: &str, style: Style) -> String {
    if style.coloured { format!("\u{1b}[2m{text}\u{1b}[0m") } else { text.to_owned() }
}

/// The same for machines.
pub(crate) fn json(described: &[Described]) -> Value {
    let setting = |setting: &Described| {
        json!({
            "key": setting.key,
            "section": setting.section,
            "value": setting.value,
            "origin": setting.origin.to_string(),
            "default": setting.default,
            "variable": setting.variable,
            "aliases": setting.aliases,
            "from_file": setting.from_file,
            "secret": setting.secret,
            "expects": setting.expects,
            "range": setting.range,
            "doc": paragraphs(&setting.doc).join("\n\n"),
        })
    };
    described.iter().map(setting).collect()
}
