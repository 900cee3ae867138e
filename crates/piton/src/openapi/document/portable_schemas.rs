//! Rewrites schemas for generators of clients: schemars uses formats of Rust and newer keywords of JSON Schema,
//! which most of them do not know.

use serde_json::{Map, Value, json};

use super::schema_visitor;

/// Rewrites all schemas of `document`.
pub(super) fn rewrite(document: &mut Value) {
    unwrap_descriptions(document);
    schema_visitor::each_schema(document, &mut |schema| {
        // `{}` instead of `true`, because many generators reject that as a schema of any value.
        if *schema == Value::Bool(true) {
            *schema = json!({});
        }
        let Value::Object(map) = schema else { return };
        map.remove("$schema");
        if map.get("default").is_some_and(Value::is_null) {
            map.remove("default");
        }
        if is_of_type(map, "integer") {
            set_integer_format(map);
        }
        remove_huge_limits(map);
        const_to_enum(map);
        if let Some(values) = documented_values(map) {
            set_documented_values(map, values);
        }
        add_items_to_tuple(map);
        add_pattern_to_format(map);
        pattern_properties_to_map(map);
    });
}

fn is_of_type(schema: &Map<String, Value>, wanted: &str) -> bool {
    match schema.get("type") {
        Some(Value::String(one)) => one == wanted,
        Some(Value::Array(all)) => all.iter().any(|one| one == wanted),
        _ => false,
    }
}

/// Sets the limits of integers, and one of OpenAPI's two formats. Generators assume 32 bits for an integer
/// without a format, and some write limits as literals: a limit at the end of 64 bits, or beyond it, does not
/// compile in many languages and adds nothing to `int64`.
fn set_integer_format(schema: &mut Map<String, Value>) {
    let format = schema.get("format").and_then(Value::as_str).unwrap_or_default();
    let (min, max): (Option<i64>, Option<i64>) = match format {
        "uint8" => (Some(0), Some(u8::MAX.into())),
        "uint16" => (Some(0), Some(u16::MAX.into())),
        "uint32" => (Some(0), Some(u32::MAX.into())),
        "uint64" | "uint128" | "uint" => (Some(0), None),
        "int8" => (Some(i8::MIN.into()), Some(i8::MAX.into())),
        "int16" => (Some(i16::MIN.into()), Some(i16::MAX.into())),
        "int32" => (Some(i32::MIN.into()), Some(i32::MAX.into())),
        _ => (None, None),
    };
    let is_standard = matches!(format, "int32" | "int64");
    for (name, other, limit) in
        [("minimum", "exclusiveMinimum", min), ("maximum", "exclusiveMaximum", max)]
    {
        if let Some(limit) = limit.filter(|_| !schema.contains_key(other)) {
            schema.entry(name).or_insert_with(|| limit.into());
        }
        for key in [name, other] {
            let is_end = |limit: &Value| match name {
                "minimum" => is_min_i64_or_less(limit),
                _ => is_max_i64_or_more(limit),
            };
            if schema.get(key).is_some_and(is_end) {
                schema.remove(key);
            }
        }
    }
    if !is_standard {
        let bound = |names: [&str; 2]| names.iter().find_map(|name| schema.get(*name)?.as_f64());
        let listed = schema.get("enum").and_then(Value::as_array).into_iter().flatten();
        let listed: Vec<f64> = listed.filter_map(Value::as_f64).collect();
        let lower = bound(["minimum", "exclusiveMinimum"]);
        let lower = lower.or_else(|| listed.iter().copied().reduce(f64::min));
        let upper = bound(["maximum", "exclusiveMaximum"]);
        let upper = upper.or_else(|| listed.iter().copied().reduce(f64::max));
        let fits = lower.is_some_and(|lower| lower >= i32::MIN.into())
            && upper.is_some_and(|upper| upper <= i32::MAX.into());
        schema.insert("format".into(), if fits { "int32" } else { "int64" }.into());
    }
}

/// Removes lengths that no value reaches, such as `usize::MAX`: generators write them as literals of 32 bits.
fn remove_huge_limits(schema: &mut Map<String, Value>) {
    for name in ["maxLength", "maxItems", "maxProperties"] {
        let is_huge = |limit: &Value| limit.as_f64().is_some_and(|it| it > i32::MAX.into());
        if schema.get(name).is_some_and(is_huge) {
            schema.remove(name);
        }
    }
}

/// Returns whether `limit` is the greatest integer of 64 bits, or above it.
fn is_max_i64_or_more(limit: &Value) -> bool {
    match limit.as_i64() {
        Some(limit) => limit == i64::MAX,
        // 2^63 instead of `i64::MAX`, because a float rounds up to it.
        None => limit.as_u64().is_some() || limit.as_f64().is_some_and(|it| it >= 2_f64.powi(63)),
    }
}

/// Returns whether `limit` is the least integer of 64 bits, or below it.
fn is_min_i64_or_less(limit: &Value) -> bool {
    match limit.as_i64() {
        Some(limit) => limit == i64::MIN,
        None => limit.as_f64().is_some_and(|limit| limit <= -2_f64.powi(63)),
    }
}

/// Replaces `const` by an `enum` of one value.
fn const_to_enum(schema: &mut Map<String, Value>) {
    let Some(value) = schema.remove("const") else { return };
    schema.entry("type").or_insert_with(|| schema_visitor::type_of(&value).into());
    schema.entry("enum").or_insert_with(|| json!([value]));
}

/// Returns the values of an enum whose variants have doc comments. schemars makes a schema of each, for which
/// generators would create a type of each.
fn documented_values(schema: &Map<String, Value>) -> Option<Vec<(Value, String)>> {
    let parts = schema.get("oneOf")?.as_array()?;
    let text = |part: &Value| part["description"].as_str().unwrap_or_default().to_owned();
    let mut values = Vec::new();
    for part in parts {
        // Several values, because schemars joins the variants without a comment.
        values.extend(part.get("enum")?.as_array()?.iter().map(|one| (one.clone(), text(part))));
    }
    let all = |is: fn(&Value) -> bool| values.iter().all(|(value, _)| is(value));
    (all(Value::is_string) || all(|value| value.is_i64() || value.is_u64())).then_some(values)
}

/// Replaces the alternatives by one `enum`. The descriptions of its values go into its description and into
/// `x-enum-descriptions`, which generators read.
fn set_documented_values(schema: &mut Map<String, Value>, values: Vec<(Value, String)>) {
    schema.remove("oneOf");
    let name = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let said = values.iter().filter(|(_, text)| !text.is_empty());
    let lines =
        said.map(|(value, text)| format!("- `{}`: {}", name(value), text.replace('\n', " ")));
    let lines: Vec<String> = lines.collect();
    let before = schema.get("description").and_then(Value::as_str).unwrap_or_default();
    if !lines.is_empty() {
        let text = format!("{before}\n\n{}", lines.join("\n"));
        schema.insert("description".into(), text.trim().into());
        let texts = values.iter().map(|(_, text)| Value::from(text.replace('\n', " ")));
        schema.insert("x-enum-descriptions".into(), texts.collect());
    }
    let is_text = values.iter().all(|(value, _)| value.is_string());
    schema.insert("type".into(), if is_text { "string" } else { "integer" }.into());
    schema.insert("enum".into(), values.into_iter().map(|(value, _)| value).collect());
    if !is_text {
        set_integer_format(schema);
    }
}

/// Adds `items` to tuples, for generators that do not know `prefixItems`. With `maxItems` it allows no more values.
fn add_items_to_tuple(schema: &mut Map<String, Value>) {
    let Some(places) = schema.get("prefixItems").and_then(Value::as_array) else { return };
    let mut kinds: Vec<Value> = Vec::new();
    for place in places {
        if !kinds.contains(place) {
            kinds.push(place.clone());
        }
    }
    let (count, max) = (places.len(), schema.get("maxItems").and_then(Value::as_u64));
    let is_closed = schema.get("items") == Some(&Value::Bool(false));
    if kinds.is_empty() || !(is_closed || max == Some(count as u64)) {
        return;
    }
    let items = if kinds.len() == 1 { kinds.swap_remove(0) } else { json!({ "anyOf": kinds }) };
    schema.insert("items".into(), items);
    schema.insert("maxItems".into(), count.into());
}

/// Adds a pattern to timestamps without a zone: no registry has their formats, so that clients could not check
/// them otherwise.
fn add_pattern_to_format(schema: &mut Map<String, Value>) {
    const DATE: &str = "[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])";
    const TIME: &str = r"([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)(\.[0-9]{1,9})?";
    let pattern = match schema.get("format").and_then(Value::as_str) {
        Some("partial-date-time") => format!("^{DATE}T{TIME}$"),
        Some("partial-time") => format!("^{TIME}$"),
        _ => return,
    };
    if is_of_type(schema, "string") {
        schema.entry("pattern").or_insert_with(|| pattern.into());
    }
}

/// Rewrites a map with restricted keys, such as numbers, to `additionalProperties` with `propertyNames`.
/// schemars makes a closed object with `patternProperties`, which many generators read as an object without members.
pub(in crate::openapi) fn pattern_properties_to_map(schema: &mut Map<String, Value>) {
    let is_closed = schema.get("additionalProperties") == Some(&Value::Bool(false));
    let patterns = schema.get("patternProperties").and_then(Value::as_object);
    let Some((pattern, values)) =
        patterns.filter(|all| all.len() == 1).and_then(|all| all.iter().next())
    else {
        return;
    };
    if !is_closed || schema.contains_key("properties") || schema.contains_key("propertyNames") {
        return;
    }
    let (pattern, values) = (pattern.clone(), values.clone());
    schema.remove("patternProperties");
    schema.insert("additionalProperties".into(), values);
    schema.insert("propertyNames".into(), json!({ "pattern": pattern }));
}

/// Joins the lines of descriptions, which are wrapped as in the source.
fn unwrap_descriptions(value: &mut Value) {
    match value {
        Value::Object(map) => {
            for (key, value) in map.iter_mut() {
                match value {
                    Value::String(text) if key == "description" => *text = unwrapped(text),
                    _ if !["examples", "example", "default"].contains(&&**key) => {
                        unwrap_descriptions(value);
                    }
                    _ => {}
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(unwrap_descriptions),
        _ => {}
    }
}

/// Returns `text` with each paragraph on one line; lists, tables and code keep theirs.
fn unwrapped(text: &str) -> String {
    let plain = |text: &str| !text.contains("```") && !text.contains("\n- ") && !text.contains('|');
    let paragraphs = text.split("\n\n").map(|paragraph| match plain(paragraph) {
        true => paragraph.replace('\n', " "),
        false => paragraph.to_owned(),
    });
    paragraphs.collect::<Vec<_>>().join("\n\n")
}
