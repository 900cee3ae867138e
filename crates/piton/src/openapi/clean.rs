//! What derived schemas say that helps nobody.

use serde_json::{Map, Value};

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
        limit_integers(map);
        forget_rusts_own_formats(map);
        if let Some(values) = documented_values(map) {
            list_values(map, values);
        }
    });
}

/// Of the widest integers the derive says their format alone, which is a hint and no limit.
fn limit_integers(schema: &mut Map<String, Value>) {
    let limits: [Value; 2] = match schema.get("format").and_then(Value::as_str) {
        Some("uint32") => [0.into(), u32::MAX.into()],
        Some("uint64" | "uint") => [0.into(), u64::MAX.into()],
        Some("int32") => [i32::MIN.into(), i32::MAX.into()],
        Some("int64" | "int") => [i64::MIN.into(), i64::MAX.into()],
        _ => return,
    };
    for (name, other, limit) in
        [("minimum", "exclusiveMinimum", &limits[0]), ("maximum", "exclusiveMaximum", &limits[1])]
    {
        if !schema.contains_key(other) {
            schema.entry(name).or_insert_with(|| limit.clone());
        }
    }
}

/// Those of numbers that OpenAPI does not know, or that say nothing of JSON's one kind of number. The
/// limits stand beside them, and a tool that spoils a format to see it refused finds that nothing is.
fn forget_rusts_own_formats(schema: &mut Map<String, Value>) {
    let format = schema.get("format").and_then(Value::as_str).unwrap_or_default();
    if format.starts_with("uint") || matches!(format, "double" | "float" | "int" | "int8" | "int16")
    {
        schema.remove("format");
    }
}

/// The values of an enum whose variants have doc comments: the derive makes a schema of each, of which
/// tools make a type of each.
fn documented_values(schema: &Map<String, Value>) -> Option<Vec<(Value, String)>> {
    let parts = schema.get("oneOf")?.as_array()?;
    let text = |part: &Value| part["description"].as_str().unwrap_or_default().to_owned();
    let mut values = Vec::new();
    for part in parts {
        if let Some(value) = part.get("const") {
            values.push((value.clone(), text(part)));
        } else {
            // Variants without a comment stand together.
            values
                .extend(part.get("enum")?.as_array()?.iter().map(|one| (one.clone(), text(part))));
        }
    }
    values.iter().all(|(value, _)| value.is_string()).then_some(values)
}

/// One `enum`; what its values mean goes to the description.
fn list_values(schema: &mut Map<String, Value>, values: Vec<(Value, String)>) {
    schema.remove("oneOf");
    let said = values.iter().filter(|(_, text)| !text.is_empty());
    let lines = said.map(|(value, text)| {
        format!("- `{}`: {}", value.as_str().unwrap_or_default(), text.replace('\n', " "))
    });
    let lines: Vec<String> = lines.collect();
    let before = schema.get("description").and_then(Value::as_str).unwrap_or_default();
    if !lines.is_empty() {
        let text = format!("{before}\n\n{}", lines.join("\n"));
        schema.insert("description".into(), text.trim().into());
    }
    schema.insert("type".into(), "string".into());
    schema.insert("enum".into(), values.into_iter().map(|(value, _)| value).collect());
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
