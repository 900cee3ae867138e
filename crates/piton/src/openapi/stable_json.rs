//! Formats JSON with its keys in a fixed order, which does not depend on the Cargo features of `serde_json`.

use std::fmt::Write;

use serde_json::{Map, Value};

/// The first keys of the outermost object, for readers; the others follow by name.
const FIRST_KEYS: [&str; 8] =
    ["openapi", "info", "item", "servers", "tags", "paths", "components", "variable"];

/// Returns `value` over several lines, with its keys in a fixed order and a newline at the end.
pub(super) fn pretty(value: &Value) -> String {
    let mut text = String::new();
    write(&mut text, value, 0);
    text.push('\n');
    text
}

fn write(text: &mut String, value: &Value, depth: usize) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            let members = sorted(map, depth == 0);
            list(text, depth, ['{', '}'], members, |text, (key, value)| {
                let _ = write!(text, "{}: ", Value::String(key.clone()));
                write(text, value, depth + 1);
            });
        }
        Value::Array(items) if items.iter().any(|item| item.is_object() || item.is_array()) => {
            list(text, depth, ['[', ']'], items, |text, item| write(text, item, depth + 1));
        }
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(Value::to_string).collect();
            let _ = write!(text, "[{}]", items.join(", "));
        }
        plain => {
            let _ = write!(text, "{plain}");
        }
    }
}

fn list<T>(
    text: &mut String,
    depth: usize,
    [open, close]: [char; 2],
    items: impl IntoIterator<Item = T>,
    mut each: impl FnMut(&mut String, T),
) {
    text.push(open);
    for (index, item) in items.into_iter().enumerate() {
        text.push_str(if index == 0 { "\n" } else { ",\n" });
        text.push_str(&"  ".repeat(depth + 1));
        each(text, item);
    }
    let _ = write!(text, "\n{}{close}", "  ".repeat(depth));
}

fn sorted(map: &Map<String, Value>, outermost: bool) -> Vec<(&String, &Value)> {
    let rank = |key: &str| match outermost {
        true => FIRST_KEYS.iter().position(|first| *first == key).unwrap_or(FIRST_KEYS.len()),
        false => 0,
    };
    let mut members: Vec<_> = map.iter().collect();
    members.sort_by_key(|(key, _)| (rank(key), *key));
    members
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_have_one_order_and_the_text_is_json() {
        let value =
            json!({ "b": [1, 2], "paths": { "z": {}, "a": [{ "x": null }] }, "openapi": "3" });
        let text = pretty(&value);
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
        assert!(text.starts_with("{\n  \"openapi\": \"3\",\n  \"paths\": {\n    \"a\""), "{text}");
        assert!(text.ends_with("  \"b\": [1, 2]\n}\n"), "{text}");
    }
}
