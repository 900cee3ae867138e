//! What derived schemas say that helps nobody.

use serde_json::Value;

/// Sets right what the derive leaves in schemas.
pub(super) fn document(document: &mut Value) {
    each_schema(document, &mut |schema| {
        let Value::Object(map) = schema else { return };
        // The name of a Rust type is no title for people, and is the schema's name already.
        map.remove("$schema");
        // A doc comment's lines are broken where the source's are.
        if let Some(Value::String(text)) = map.get_mut("description") {
            *text = unbroken(text);
        }
        if map.get("default").is_some_and(Value::is_null) {
            map.remove("default");
        }
    });
}

/// A paragraph on one line.
fn unbroken(text: &str) -> String {
    let plain = |text: &str| !text.contains("```") && !text.contains("\n- ") && !text.contains('|');
    let paragraphs = text.split("\n\n").map(|paragraph| match plain(paragraph) {
        true => paragraph.replace('\n', " "),
        false => paragraph.to_owned(),
    });
    paragraphs.collect::<Vec<_>>().join("\n\n")
}

fn each_schema(value: &mut Value, change: &mut impl FnMut(&mut Value)) {
    match value {
        Value::Object(map) => {
            map.iter_mut()
                .filter(|(key, _)| *key != "examples" && *key != "example")
                .for_each(|(_, value)| each_schema(value, change));
            change(value);
        }
        Value::Array(items) => items.iter_mut().for_each(|item| each_schema(item, change)),
        _ => {}
    }
}
