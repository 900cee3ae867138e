//! The settings as people read them in a terminal.

use serde_json::Value;

use super::section::Described;

/// One line a setting, under a line of heads.
pub(crate) fn table(described: &[Described]) -> String {
    const HEADS: [&str; 4] = ["setting", "value", "from", "variable"];
    let rows: Vec<[String; 4]> = described.iter().map(row).collect();
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([HEADS[column].len()]).max().unwrap_or(0)
    };
    let widths = [width(0), width(1), width(2)];
    let mut table = line(HEADS, widths);
    for [key, value, from, variable] in &rows {
        table.push_str(&line([key, value, from, variable], widths));
    }
    table
}

fn line([key, value, from, variable]: [&str; 4], [a, b, c]: [usize; 3]) -> String {
    format!("{key:<a$}  {value:<b$}  {from:<c$}  {variable}\n")
}

fn row(setting: &Described) -> [String; 4] {
    let value = match &setting.value {
        Value::Null => "-".to_owned(),
        Value::String(text) if text == super::redact::HIDDEN => text.clone(),
        value => value.to_string(),
    };
    [
        setting.key.clone(),
        super::problem::shorten(&value),
        setting.origin.to_string(),
        setting.variable.clone(),
    ]
}
