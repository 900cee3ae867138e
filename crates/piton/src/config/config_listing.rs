//! The list of settings that the command `config` prints: for people in a terminal, and as JSON.

use std::fmt::Write;

use serde_json::{Value, json};

use super::doc_text::{paragraphs, summary, wrap};
use super::origin::Origin;
use super::setting_description::SettingInfo;
use super::setting_problem::shorten;
use crate::secrets::REDACTED;

/// Fits the narrowest terminal that is still in use.
const WIDTH: usize = 80;
const INDENT: &str = "      ";

/// The appearance of the list.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ListStyle {
    pub coloured: bool,
    /// True for the whole doc comment instead of its first sentence.
    pub whole_docs: bool,
}

/// Returns each setting under its section: value, origin, description, variables.
pub(crate) fn list(described: &[SettingInfo], style: ListStyle) -> String {
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

/// Groups the settings by section, in the order in which the sections first appear, so that the settings
/// after a nested section join those before it.
pub(crate) fn grouped(described: &[SettingInfo]) -> Vec<Vec<&SettingInfo>> {
    let mut groups: Vec<Vec<&SettingInfo>> = Vec::new();
    for setting in described {
        match groups.iter_mut().find(|group| group[0].section == setting.section) {
            Some(group) => group.push(setting),
            None => groups.push(vec![setting]),
        }
    }
    groups
}

fn head(first: &SettingInfo, style: ListStyle) -> String {
    let name = match &*first.section {
        "" => "(top level)".to_owned(),
        section => format!("[{section}]"),
    };
    let about = paragraphs(first.section_doc).into_iter().next().unwrap_or_default();
    let lines = wrap(&format!("{name} {about}"), WIDTH);
    let lines: Vec<String> = lines.iter().map(|line| bold(line, style)).collect();
    format!("{}\n", lines.join("\n"))
}

fn entry(setting: &SettingInfo, style: ListStyle) -> String {
    let value = match &setting.value {
        Value::Null => " is not set".to_owned(),
        Value::String(text) if text == REDACTED => format!(" = {text}"),
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

/// Returns the variables of a setting: `PITON_HTTP_PORT, also PORT, MS_PORT`.
pub(crate) fn variables(setting: &SettingInfo) -> String {
    let mut names = setting.variable.clone();
    if !setting.aliases.is_empty() {
        let _ = write!(names, ", also {}", setting.aliases.join(", "));
    }
    if setting.from_file {
        let _ = write!(names, "; {}_FILE names a file with the value", setting.variable);
    }
    names
}

fn bold(text: &str, style: ListStyle) -> String {
    if style.coloured { format!("\u{1b}[1m{text}\u{1b}[0m") } else { text.to_owned() }
}

fn dim(text: &str, style: ListStyle) -> String {
    if style.coloured { format!("\u{1b}[2m{text}\u{1b}[0m") } else { text.to_owned() }
}

/// Returns the same as JSON.
pub(crate) fn json(described: &[SettingInfo]) -> Value {
    let setting = |setting: &SettingInfo| {
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
