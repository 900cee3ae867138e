//! The JSON Schema of a configuration file, for editors: they complete keys, show their descriptions and
//! underline invalid values.

use serde_json::{Map, Value, json};

use super::doc_text::paragraphs;
use super::setting_description::SettingInfo;

/// Returns the schema (JSON Schema, draft 2020-12) of the whole file.
pub(crate) fn schema(app: &str, described: &[SettingInfo]) -> Value {
    let mut root = object(&format!("The settings of {app}."));
    root.insert("$schema".into(), "https://json-schema.org/draft/2020-12/schema".into());
    root.insert("title".into(), app.into());
    for setting in described {
        let mut place = &mut root;
        for segment in setting.section.split('.').filter(|segment| !segment.is_empty()) {
            place = entered(place, segment);
        }
        if let (false, true) = (setting.section.is_empty(), !place.contains_key("description")) {
            insert_text(place, "description", setting.section_doc);
        }
        let name = setting.key.strip_prefix(&*setting.section).unwrap_or(&setting.key);
        let name = name.trim_start_matches('.');
        properties(place).insert(name.to_owned(), property(setting));
    }
    Value::Object(root)
}

fn object(about: &str) -> Map<String, Value> {
    let mut object = Map::new();
    insert_text(&mut object, "description", about);
    object.insert("type".into(), "object".into());
    object.insert("additionalProperties".into(), false.into());
    object.insert("properties".into(), json!({}));
    object
}

/// Returns the object of a nested section, created if it does not exist yet.
fn entered<'a>(place: &'a mut Map<String, Value>, segment: &str) -> &'a mut Map<String, Value> {
    let inner = properties(place).entry(segment).or_insert_with(|| Value::Object(object("")));
    inner.as_object_mut().expect("each property is an object")
}

fn properties(place: &mut Map<String, Value>) -> &mut Map<String, Value> {
    let properties = place.entry("properties").or_insert_with(|| json!({}));
    properties.as_object_mut().expect("only `object` and this function put something there")
}

fn property(setting: &SettingInfo) -> Value {
    let mut schema = match &setting.schema {
        Value::Object(schema) => schema.clone(),
        // Not an object, because the schema `true` allows every value.
        _ => Map::new(),
    };
    insert_text(&mut schema, "description", &setting.doc);
    // The bounds of durations and sizes go into the description, because JSON Schema has bounds for
    // numbers only.
    let written = setting.schema.to_string();
    let is_number = ["\"integer\"", "\"number\""].iter().any(|of| written.contains(of));
    if let (Some([min, max]), false) = (&setting.range, is_number) {
        let doc = format!("{}\n\nFrom `{min}` to `{max}`.", setting.doc);
        insert_text(&mut schema, "description", &doc);
    }
    if !setting.secret && !setting.default.is_null() {
        schema.insert("default".into(), setting.default.clone());
    }
    Value::Object(schema)
}

fn insert_text(into: &mut Map<String, Value>, name: &str, doc: &str) {
    let text = paragraphs(doc).join("\n\n");
    if !text.is_empty() {
        into.insert(name.to_owned(), text.into());
    }
}
