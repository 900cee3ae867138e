//! Two schemas of the same place: is what was taken still taken, is what is given what was given?

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde_json::Value;

use super::super::schemas::PLACE;
use super::super::unions::merge;
use super::super::walk::type_of;
use super::{Found, members};

/// Which way the values go.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Request,
    Answer,
}

/// Limits, and whether a greater number allows more.
const LIMITS: [(&str, bool); 8] = [
    ("minimum", false),
    ("exclusiveMinimum", false),
    ("minLength", false),
    ("minItems", false),
    ("maximum", true),
    ("exclusiveMaximum", true),
    ("maxLength", true),
    ("maxItems", true),
];

impl<'a> Found<'a> {
    pub(super) fn request_schema(&mut self, before: &'a Value, now: &'a Value) {
        self.schema(before, now, Way::Request, &mut Vec::new());
    }

    pub(super) fn answer_schema(&mut self, before: &'a Value, now: &'a Value) {
        self.schema(before, now, Way::Answer, &mut Vec::new());
    }

    fn schema(&mut self, before: &Value, now: &Value, way: Way, seen: &mut Vec<[String; 2]>) {
        if before["$ref"].is_string() && now["$ref"].is_string() {
            let pair = [before["$ref"].to_string(), now["$ref"].to_string()];
            if seen.contains(&pair) {
                return;
            }
            seen.push(pair);
        }
        let (document, other) = (self.before, self.now);
        let (before, now) = (plain(document, before), plain(other, now));
        let (before, now) = (&*before, &*now);
        self.types(before, now, way);
        self.values(before, now, way);
        if way == Way::Request {
            self.limits(before, now);
        }
        self.properties(before, now, way, seen);
        for (key, name) in [("items", "[]"), ("additionalProperties", "/*")] {
            if before[key].is_object() && now[key].is_object() {
                self.within(name, |found| found.schema(&before[key], &now[key], way, seen));
            }
        }
        if way == Way::Answer && !before["format"].is_null() && before["format"] != now["format"] {
            // Whoever reads 64 bits reads 32.
            let is_narrowed = before["format"] == "int64" && now["format"] == "int32";
            let text = format!("of the format {} now, and was {}", now["format"], before["format"]);
            self.add(!is_narrowed, &text);
        }
        for key in ["anyOf", "oneOf", "prefixItems"] {
            self.parts(&before[key], &now[key], way, seen);
        }
        self.conditions(&before["allOf"], &now["allOf"], way, seen);
    }

    fn types(&mut self, before: &Value, now: &Value, way: Way) {
        let (old, new) = (types(before), types(now));
        if old == new {
            return;
        }
        let holds = |outer: &BTreeSet<&str>, inner: &BTreeSet<&str>| {
            let takes =
                |one: &&str| outer.contains(one) || (*one == "integer" && outer.contains("number"));
            outer.is_empty() || (!inner.is_empty() && inner.iter().all(takes))
        };
        let fits = match way {
            Way::Request => holds(&new, &old),
            Way::Answer => holds(&old, &new),
        };
        let name = |types: &BTreeSet<&str>| match types.is_empty() {
            true => "anything".to_owned(),
            false => types.iter().copied().collect::<Vec<_>>().join(" or "),
        };
        self.add(!fits, &format!("{} instead of {}", name(&new), name(&old)));
    }

    fn values(&mut self, before: &Value, now: &Value, way: Way) {
        match (values(before), values(now)) {
            (Some(old), Some(new)) => {
                for gone in old.difference(&new) {
                    self.add(way == Way::Request, &format!("the value {gone} removed"));
                }
                for more in new.difference(&old) {
                    self.add(way == Way::Answer, &format!("the value {more} added"));
                }
            }
            (None, Some(_)) if way == Way::Request => self.breaks("only some values are taken now"),
            (Some(_), None) if way == Way::Answer => self.breaks("any value may come now"),
            _ => {}
        }
    }

    fn limits(&mut self, before: &Value, now: &Value) {
        for (limit, greater_allows_more) in LIMITS {
            let (old, new) = (before[limit].as_f64(), now[limit].as_f64());
            let Some(new) = new else {
                if old.is_some() {
                    self.allows(&format!("no `{limit}` any more"));
                }
                continue;
            };
            match old {
                Some(old) if (new - old).abs() < f64::EPSILON => {}
                Some(old) => {
                    let what = format!("`{limit}` is {new} instead of {old}");
                    self.add((new > old) != greater_allows_more, &what);
                }
                None => self.breaks(&format!("`{limit}` is {new} now")),
            }
        }
        for rule in ["pattern", "format", "multipleOf"] {
            if rule == "format" && is_width(&before[rule]) && is_width(&now[rule]) {
                // It says how many bits a client keeps the number in; the limits say what is taken.
                if before[rule] == "int64" && now[rule] == "int32" && !fits_int32(before) {
                    self.breaks("`format` is \"int32\" instead of \"int64\"");
                }
                continue;
            }
            match (before.get(rule), now.get(rule)) {
                (None, Some(new)) => self.breaks(&format!("`{rule}` is {new} now")),
                (Some(old), Some(new)) if old != new => {
                    self.breaks(&format!("`{rule}` is {new} instead of {old}"));
                }
                (Some(_), None) => self.allows(&format!("no `{rule}` any more")),
                _ => {}
            }
        }
    }

    fn properties(&mut self, before: &Value, now: &Value, way: Way, seen: &mut Vec<[String; 2]>) {
        let (old, new) = (&before["properties"], &now["properties"]);
        let (old_must, new_must) = (required(before), required(now));
        for (name, property) in members(old) {
            self.within(&format!("/{name}"), |found| {
                let Some(now) = new.get(name) else {
                    return found.breaks("removed");
                };
                match (old_must.contains(name), new_must.contains(name)) {
                    (false, true) if way == Way::Request => found.breaks("must be there now"),
                    (false, true) => found.allows("is always there now"),
                    (true, false) if way == Way::Request => {
                        found.allows("need not be there any more");
                    }
                    (true, false) => found.add(way == Way::Answer, "may be missing now"),
                    _ => {}
                }
                found.schema(property, now, way, seen);
            });
        }
        for (name, _) in members(new).into_iter().filter(|(name, _)| old.get(name).is_none()) {
            let must = way == Way::Request && new_must.contains(name);
            let what = if must { "added, and must be there" } else { "added" };
            self.within(&format!("/{name}"), |found| found.add(must, what));
        }
        let closed = |schema: &Value| schema["additionalProperties"] == false;
        if way == Way::Request && closed(now) && !closed(before) {
            self.breaks("members that are not known are refused now");
        }
    }

    /// Each of these has to hold: one more allows less.
    fn conditions(&mut self, before: &Value, now: &Value, way: Way, seen: &mut Vec<[String; 2]>) {
        let count = |value: &Value| value.as_array().map_or(0, Vec::len);
        match (count(before), count(now)) {
            (old, new) if old < new => self.add(way == Way::Request, "a condition added"),
            (old, new) if old > new => self.add(way == Way::Answer, "a condition removed"),
            _ => self.parts(before, now, way, seen),
        }
    }

    /// Alternatives have no names: they are compared in their order.
    fn parts(&mut self, before: &Value, now: &Value, way: Way, seen: &mut Vec<[String; 2]>) {
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        let (old, new) = (list(before), list(now));
        let is_value = |parts: &[Value]| parts.iter().any(|part| part.get("const").is_some());
        if is_value(&old) || is_value(&new) {
            return;
        }
        match (old.len(), new.len()) {
            (old, new) if old > new => self.add(way == Way::Request, "an alternative removed"),
            (old, new) if old < new => self.add(way == Way::Answer, "an alternative added"),
            _ => old.iter().zip(&new).for_each(|(old, new)| self.schema(old, new, way, seen)),
        }
    }
}

/// Returns whether a `format` says no more than how wide a number is, or is missing.
fn is_width(format: &Value) -> bool {
    match format.as_str() {
        Some(format) => {
            format.trim_start_matches('u').starts_with("int")
                || matches!(format, "float" | "double")
        }
        None => true,
    }
}

fn fits_int32(schema: &Value) -> bool {
    let bound = |name: &str| schema[name].as_i64();
    bound("minimum").is_some_and(|least| least >= i32::MIN.into())
        && bound("maximum").is_some_and(|most| most <= i32::MAX.into())
}

/// The schema that is meant: behind references, and `T or null` as one schema of two types.
fn plain<'a>(document: &Value, schema: &'a Value) -> Cow<'a, Value> {
    if let Some(name) = schema["$ref"].as_str().and_then(|path| path.strip_prefix(PLACE)) {
        let definition = document["components"]["schemas"][name].clone();
        let mut meant = plain(document, &definition).into_owned();
        if schema.get("properties").is_some() && meant.is_object() {
            merge(&mut meant, schema);
        }
        return Cow::Owned(meant);
    }
    for key in ["anyOf", "oneOf"] {
        let Some([one, other]) = schema[key].as_array().map(Vec::as_slice) else { continue };
        let meant = match (one["type"] == "null", other["type"] == "null") {
            (true, false) => other,
            (false, true) => one,
            _ => continue,
        };
        let mut meant = plain(document, meant).into_owned();
        let mut both: Vec<Value> = types(&meant).into_iter().map(Into::into).collect();
        if !both.is_empty() {
            both.push("null".into());
            meant["type"] = both.into();
        }
        return Cow::Owned(meant);
    }
    Cow::Borrowed(schema)
}

fn types(schema: &Value) -> BTreeSet<&str> {
    match &schema["type"] {
        Value::String(one) => BTreeSet::from([&**one]),
        Value::Array(list) => list.iter().filter_map(Value::as_str).collect(),
        // Values that are listed are of types, too.
        _ => {
            let listed = schema["enum"].as_array().map(Vec::as_slice);
            let values = listed.or_else(|| schema.get("const").map(std::slice::from_ref));
            values.into_iter().flatten().map(type_of).collect()
        }
    }
}

/// The values there are, where they are listed.
fn values(schema: &Value) -> Option<BTreeSet<String>> {
    if let Some(list) = schema["enum"].as_array() {
        return Some(list.iter().map(Value::to_string).collect());
    }
    if let Some(only) = schema.get("const") {
        return Some(BTreeSet::from([only.to_string()]));
    }
    let parts = schema["oneOf"].as_array()?;
    let values: BTreeSet<String> = parts.iter().filter_map(values).flatten().collect();
    parts
        .iter()
        .all(|part| part.get("const").is_some() || part.get("enum").is_some())
        .then_some(values)
}

fn required(schema: &Value) -> BTreeSet<&str> {
    schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}
