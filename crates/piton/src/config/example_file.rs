//! The example file: each setting with its description, commented out at its default.
//!
//! The file does not depend on the machine or its environment, so that it can be checked in and compared
//! in a test.

use std::fmt::Write;

use serde_json::{Map, Value};

use super::config_listing::{grouped, variables};
use super::doc_text::{paragraphs, wrap};
use super::setting_description::SettingInfo;

const WIDTH: usize = 100;

/// Returns the TOML file.
pub(crate) fn toml(app: &str, described: &[SettingInfo]) -> String {
    let mut groups = grouped(described);
    // Keys at the top level come first, because TOML reads a key after a header as part of that table.
    groups.sort_by_key(|group| !group[0].section.is_empty());
    let mut text = comment(&format!(
        "The settings of {app}, each at its default. To change one, take away the `#` before it. The \
         environment outranks this file: the variable of each setting is written above it."
    ));
    for group in groups {
        let section = &group[0].section;
        if !section.is_empty() {
            text.push('\n');
            for paragraph in paragraphs(group[0].section_doc) {
                text.push_str(&comment(&paragraph));
            }
            let _ = writeln!(text, "[{section}]");
        }
        for setting in group {
            text.push('\n');
            text.push_str(&entry(setting));
        }
    }
    text
}

fn entry(setting: &SettingInfo) -> String {
    let mut entry: String = paragraphs(&setting.doc).iter().map(|text| comment(text)).collect();
    if has_no_default(setting) {
        entry.push_str(&comment(&format!("Write {}.", setting.expects)));
    }
    entry.push_str(&comment(&format!("Variable: {}", variables(setting))));
    let name = setting.key.strip_prefix(&*setting.section).unwrap_or(&setting.key);
    let value = if has_no_default(setting) { "\"\"".to_owned() } else { value(&setting.default) };
    let _ = writeln!(entry, "#{} = {value}", key(name.trim_start_matches('.')));
    entry
}

/// Returns whether the default cannot be written, so that empty text stands for it: TOML has no null, and
/// the default of a secret is not shown.
fn has_no_default(setting: &SettingInfo) -> bool {
    setting.default.is_null() || setting.secret
}

fn comment(text: &str) -> String {
    wrap(text, WIDTH - 2).iter().map(|line| format!("# {line}\n")).collect()
}

fn key(name: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !name.is_empty() && name.chars().all(bare) { name.to_owned() } else { quoted(name) }
}

/// Returns a text in quotes. JSON's escapes are also TOML's, except that TOML requires one for U+007F.
fn quoted(text: &str) -> String {
    Value::from(text).to_string().replace('\u{7f}', "\\u007F")
}

fn value(value: &Value) -> String {
    match value {
        Value::String(text) => quoted(text),
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(self::value).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(fields) => table(fields),
        plain => plain.to_string(),
    }
}

fn table(fields: &Map<String, Value>) -> String {
    let field =
        |(name, value): (&String, &Value)| format!("{} = {}", key(name), self::value(value));
    let fields: Vec<_> = fields.iter().filter(|(_, value)| !value.is_null()).map(field).collect();
    if fields.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", fields.join(", ")) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_value_is_written_so_that_toml_reads_it_again() {
        let all = json!({
            "text": "a\"b\\c\n\u{7f}\u{1}é", "n": -3, "f": 0.5, "yes": true, "empty": {},
            "list": [1, [2], {"a b": "c"}],
        });
        let text: String = all
            .as_object()
            .expect("written above")
            .iter()
            .map(|(name, item)| format!("{} = {}\n", key(name), value(item)))
            .collect();
        let read: Value = toml::from_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        assert_eq!(read, all);
    }
}
