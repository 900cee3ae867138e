//! Compares two schemas of the same place: whether requests still accept every value that they accepted, and
//! whether responses hold no value that they did not hold.

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde_json::Value;

use super::found_changes::{Diff, members};
use crate::openapi::document::{SCHEMA_PREFIX, merge_members, pattern_properties_to_map, type_of};

/// The direction in which the values of a schema travel.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Request,
    Response,
}

/// Keywords that limit values, each with true if a greater number allows more values.
const LIMITS: [(&str, bool); 12] = [
    ("minimum", false),
    ("exclusiveMinimum", false),
    ("minLength", false),
    ("minItems", false),
    ("minProperties", false),
    ("minContains", false),
    ("maximum", true),
    ("exclusiveMaximum", true),
    ("maxLength", true),
    ("maxItems", true),
    ("maxProperties", true),
    ("maxContains", true),
];

/// Keywords any change of which may reject a value that was accepted.
const CONSTRAINTS: [&str; 14] = [
    "pattern",
    "format",
    "multipleOf",
    "not",
    "contains",
    "contentEncoding",
    "contentMediaType",
    "patternProperties",
    "dependentRequired",
    "dependentSchemas",
    "if",
    "then",
    "else",
    "unevaluatedItems",
];

/// Maximum number of references followed from one to the next. A type such as `struct A(Option<Box<A>>)`
/// refers to itself and to nothing else.
const MAX_REFERENCES: usize = 16;

/// The pairs of schemas that have been compared or are being compared: recursive types end there.
#[derive(Default)]
struct ComparedPairs {
    /// Pairs of two references that have been compared. Each pair is compared once, where it is found first.
    references: BTreeSet<[String; 2]>,
    /// Pairs with one reference, on the path to the present place. They end the recursion where both documents
    /// inline a recursive type at different members, so that two references never meet.
    pending: Vec<[String; 2]>,
}

impl<'a> Diff<'a> {
    pub(super) fn request_schema(&mut self, before: &'a Value, now: &'a Value) {
        self.schema(before, now, Direction::Request, &mut ComparedPairs::default());
    }

    pub(super) fn response_schema(&mut self, before: &'a Value, now: &'a Value) {
        self.schema(before, now, Direction::Response, &mut ComparedPairs::default());
    }

    fn schema(
        &mut self,
        before: &Value,
        now: &Value,
        direction: Direction,
        compared: &mut ComparedPairs,
    ) {
        if let (Some(old), Some(new)) = (referenced_name(before), referenced_name(now))
            && old != new
        {
            self.allows(&format!("generated clients name the type `{new}` instead of `{old}`"));
        }
        let names = (reference(before), reference(now));
        let pair = || {
            let text = |schema: &Value, name: &Option<String>| {
                name.clone().unwrap_or_else(|| schema.to_string())
            };
            [text(before, &names.0), text(now, &names.1)]
        };
        match names {
            (None, None) => self.compare_resolved(before, now, direction, compared),
            (Some(_), Some(_)) => {
                if compared.references.insert(pair()) {
                    self.compare_resolved(before, now, direction, compared);
                }
            }
            _ if compared.pending.contains(&pair()) => {}
            _ => {
                compared.pending.push(pair());
                self.compare_resolved(before, now, direction, compared);
                compared.pending.pop();
            }
        }
    }

    /// Compares two schemas after their references have been followed.
    fn compare_resolved(
        &mut self,
        before: &Value,
        now: &Value,
        direction: Direction,
        compared: &mut ComparedPairs,
    ) {
        let (document, other) = (self.before, self.now);
        let (before, now) = (resolved(document, before), resolved(other, now));
        let (before, now) = (&*before, &*now);
        let ((single, of), (union, of_union)) = match direction {
            Direction::Request => ((before, self.before), (now, self.now)),
            Direction::Response => ((now, self.now), (before, self.before)),
        };
        if alternatives(single).is_empty()
            && alternatives(union).iter().any(|part| is_same(of, single, of_union, part))
        {
            return self.allows("more alternatives for requests, or fewer in responses");
        }
        self.types(before, now, direction);
        self.values(before, now, direction);
        if direction == Direction::Request {
            self.limits(before, now);
        }
        self.properties(before, now, direction, compared);
        self.items_and_additional(before, now, direction, compared);
        if direction == Direction::Response
            && !before["format"].is_null()
            && before["format"] != now["format"]
        {
            // A client that reads 64 bits reads 32 as well, so that only widening breaks it.
            let is_narrowed = before["format"] == "int64" && now["format"] == "int32";
            let text = format!("format {} instead of {}", now["format"], before["format"]);
            self.add(!is_narrowed, &text);
        }
        self.alternatives(before, now, direction, compared);
        self.parts(&before["prefixItems"], &now["prefixItems"], direction, compared);
        self.all_of(&before["allOf"], &now["allOf"], direction, compared);
    }

    /// Compares the items of lists, and the additional members of objects. A missing keyword allows everything,
    /// as `{}` does.
    fn items_and_additional(
        &mut self,
        before: &Value,
        now: &Value,
        direction: Direction,
        compared: &mut ComparedPairs,
    ) {
        let anything = Value::Object(serde_json::Map::new());
        let schema_of = |schema: &Value, key: &str| match &schema[key] {
            inner @ Value::Object(_) => Some(inner.clone()),
            Value::Null | Value::Bool(true) => Some(anything.clone()),
            _ => None,
        };
        for (key, kind, name) in
            [("items", "array", "[]"), ("additionalProperties", "object", "/*")]
        {
            let is_present = before[key].is_object() || now[key].is_object();
            let is_of_kind = |schema: &Value| is_of_type(schema, kind);
            // Skipped, because a tuple may leave `items` out next to `prefixItems`.
            let is_tuple =
                key == "items" && [before, now].iter().any(|it| it["prefixItems"].is_array());
            let both_present = before[key].is_object() && now[key].is_object();
            if !is_present
                || (!both_present && (is_tuple || !is_of_kind(before) || !is_of_kind(now)))
            {
                continue;
            }
            if let (Some(old), Some(new)) = (schema_of(before, key), schema_of(now, key)) {
                self.within(name, |diff| diff.schema(&old, &new, direction, compared));
            }
        }
        self.within("/{name}", |diff| {
            match (before.get("propertyNames"), now.get("propertyNames")) {
                (Some(old), Some(new)) => diff.schema(old, new, direction, compared),
                (None, Some(new)) if direction == Direction::Request => {
                    diff.breaks(&format!("only some names are accepted now: {new}"));
                }
                (Some(_), None) if direction == Direction::Response => {
                    diff.breaks("any name may occur now");
                }
                _ => {}
            }
        });
    }

    fn types(&mut self, before: &Value, now: &Value, direction: Direction) {
        let (old, new) = (types(self.before, before), types(self.now, now));
        if old == new {
            return;
        }
        let holds = |outer: &BTreeSet<&str>, inner: &BTreeSet<&str>| {
            let takes =
                |one: &&str| outer.contains(one) || (*one == "integer" && outer.contains("number"));
            outer.is_empty() || (!inner.is_empty() && inner.iter().all(takes))
        };
        let fits = match direction {
            Direction::Request => holds(&new, &old),
            Direction::Response => holds(&old, &new),
        };
        let name = |types: &BTreeSet<&str>| match types.is_empty() {
            true => "anything".to_owned(),
            false => types.iter().copied().collect::<Vec<_>>().join(" or "),
        };
        self.add(!fits, &format!("{} instead of {}", name(&new), name(&old)));
    }

    fn values(&mut self, before: &Value, now: &Value, direction: Direction) {
        match (values(before), values(now)) {
            (Some(old), Some(new)) => {
                for gone in old.difference(&new) {
                    self.add(direction == Direction::Request, &format!("the value {gone} removed"));
                }
                for more in new.difference(&old) {
                    self.add(direction == Direction::Response, &format!("the value {more} added"));
                }
            }
            (None, Some(_)) if direction == Direction::Request => {
                self.breaks("only some values are accepted now");
            }
            (Some(_), None) if direction == Direction::Response => {
                self.breaks("any value may occur now");
            }
            _ => {}
        }
    }

    fn limits(&mut self, before: &Value, now: &Value) {
        for (limit, greater_allows_more) in LIMITS {
            let (old, new) = (before[limit].as_f64(), now[limit].as_f64());
            let Some(new) = new else {
                if old.is_some() {
                    self.allows(&format!("`{limit}` removed"));
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
        if now["uniqueItems"] == true && before["uniqueItems"] != true {
            self.breaks("equal items are rejected now");
        }
        for rule in CONSTRAINTS {
            if rule == "format" && is_number_width(&before[rule]) && is_number_width(&now[rule]) {
                // Not compared as text, because the format only tells clients how many bits to use: the limits
                // decide which values are accepted.
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
                (Some(_), None) => self.allows(&format!("`{rule}` removed")),
                _ => {}
            }
        }
    }

    fn properties(
        &mut self,
        before: &Value,
        now: &Value,
        direction: Direction,
        compared: &mut ComparedPairs,
    ) {
        let (old, new) = (&before["properties"], &now["properties"]);
        let (old_must, new_must) = (required(before), required(now));
        for (name, property) in members(old) {
            self.within(&format!("/{name}"), |diff| {
                let Some(now) = new.get(name) else {
                    return diff.breaks("removed");
                };
                match (old_must.contains(name), new_must.contains(name)) {
                    (false, true) if direction == Direction::Request => diff.breaks("required now"),
                    (false, true) => diff.allows("always present now"),
                    (true, false) if direction == Direction::Request => {
                        diff.allows("optional now");
                    }
                    (true, false) => {
                        diff.add(direction == Direction::Response, "may be absent now");
                    }
                    _ => {}
                }
                diff.schema(property, now, direction, compared);
            });
        }
        for (name, _) in members(new).into_iter().filter(|(name, _)| old.get(name).is_none()) {
            let must = direction == Direction::Request && new_must.contains(name);
            let what = if must { "added as required" } else { "added" };
            self.within(&format!("/{name}"), |diff| diff.add(must, what));
        }
        let closed = |schema: &Value| {
            ["additionalProperties", "unevaluatedProperties"]
                .iter()
                .any(|key| schema[*key] == false)
        };
        if direction == Direction::Request && closed(now) && !closed(before) {
            self.breaks("unknown members are rejected now");
        }
    }

    /// Compares `allOf`: every condition has to hold, so that one more allows fewer values.
    fn all_of(
        &mut self,
        before: &Value,
        now: &Value,
        direction: Direction,
        compared: &mut ComparedPairs,
    ) {
        let count = |value: &Value| value.as_array().map_or(0, Vec::len);
        match (count(before), count(now)) {
            (old, new) if old < new => {
                self.add(direction == Direction::Request, "a condition added");
            }
            (old, new) if old > new => {
                self.add(direction == Direction::Response, "a condition removed");
            }
            _ => self.parts(before, now, direction, compared),
        }
    }

    /// Compares the alternatives of unions.
    fn alternatives(
        &mut self,
        before: &Value,
        now: &Value,
        direction: Direction,
        compared: &mut ComparedPairs,
    ) {
        let (old, new) = (alternatives(before), alternatives(now));
        let is_value = |parts: &[Value]| parts.iter().any(|part| part.get("const").is_some());
        if is_value(old) || is_value(new) || values(before).is_some() || values(now).is_some() {
            return;
        }
        let tag =
            |schema: &Value| schema["discriminator"]["propertyName"].as_str().map(str::to_owned);
        match (tag(before), tag(now)) {
            (Some(old), Some(new)) if old != new => {
                return self.breaks(&format!("the discriminator is `{new}` instead of `{old}`"));
            }
            _ => {}
        }
        match (old.is_empty(), new.is_empty()) {
            (true, true) => return,
            (true, false) => {
                return self
                    .add(direction == Direction::Request, "one of several alternatives now");
            }
            // Not breaking for requests as such, because `types` has reported a type that is no longer accepted.
            (false, true) => {
                return self
                    .add(direction == Direction::Response, "no longer one of the alternatives");
            }
            (false, false) => {}
        }
        let tag = tag(now).or_else(|| tag(before));
        let labels = |document: &Value, schema: &Value, parts: &[Value]| -> Vec<String> {
            parts.iter().map(|part| label(document, schema, part, tag.as_deref())).collect()
        };
        let old_labels = labels(self.before, before, old);
        let new_labels = labels(self.now, now, new);
        let (mut gone, mut pairs, mut taken) = (Vec::new(), Vec::new(), vec![false; new.len()]);
        for (part, label) in old.iter().zip(&old_labels) {
            let diff = (0..new.len()).find(|at| !taken[*at] && new_labels[*at] == *label);
            match diff {
                Some(at) => {
                    taken[at] = true;
                    pairs.push((part, &new[at]));
                }
                None => gone.push((part, label)),
            }
        }
        let added: Vec<usize> = (0..new.len()).filter(|at| !taken[*at]).collect();
        if tag.is_none() && gone.len() == added.len() {
            // Paired in their order, because nothing else identifies alternatives without a tag.
            pairs.extend(gone.iter().zip(&added).map(|((part, _), at)| (*part, &new[*at])));
        } else {
            let name = |label: &str| match tag.is_some() {
                true => format!("the alternative `{label}`"),
                false => "an alternative".to_owned(),
            };
            for (_, label) in &gone {
                self.add(direction == Direction::Request, &format!("{} removed", name(label)));
            }
            for at in added {
                self.add(
                    direction == Direction::Response,
                    &format!("{} added", name(&new_labels[at])),
                );
            }
        }
        for (old, new) in pairs {
            self.schema(old, new, direction, compared);
        }
    }

    /// Compares lists of schemas position by position.
    fn parts(
        &mut self,
        before: &Value,
        now: &Value,
        direction: Direction,
        compared: &mut ComparedPairs,
    ) {
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        let (old, new) = (list(before), list(now));
        match (old.len(), new.len()) {
            (old, new) if old > new => {
                self.add(direction == Direction::Request, "an alternative removed");
            }
            (old, new) if old < new => {
                self.add(direction == Direction::Response, "an alternative added");
            }
            _ => old
                .iter()
                .zip(&new)
                .for_each(|(old, new)| self.schema(old, new, direction, compared)),
        }
    }
}

/// Returns whether two schemas are equal after their references have been followed.
fn is_same(document: &Value, one: &Value, other_document: &Value, other: &Value) -> bool {
    *resolved(document, one) == *resolved(other_document, other)
}

/// Returns the alternatives of a union (`oneOf` or `anyOf`).
fn alternatives(schema: &Value) -> &[Value] {
    let parts = ["oneOf", "anyOf"].iter().find_map(|key| schema[*key].as_array());
    parts.map_or(&[], Vec::as_slice)
}

/// Returns a text that identifies an alternative in both documents, whatever its position: the value of the
/// tag, else the reference, else the schema itself.
fn label(document: &Value, union: &Value, part: &Value, tag: Option<&str>) -> String {
    let reference = part["$ref"].as_str();
    let mapping = union["discriminator"]["mapping"].as_object();
    let mapped = mapping
        .into_iter()
        .flatten()
        .find(|(_, to)| reference.is_some() && to.as_str() == reference);
    if let Some((value, _)) = mapped {
        return value.clone();
    }
    let resolved_part = resolved(document, part);
    let tagged = tag.and_then(|tag| {
        let tag = &resolved_part["properties"][tag];
        tag["const"].as_str().or_else(|| tag["enum"][0].as_str())
    });
    tagged.or(reference).map_or_else(|| part.to_string(), str::to_owned)
}

/// Returns the reference that `schema` consists of, with `?` appended if `null` is allowed as well.
fn reference(schema: &Value) -> Option<String> {
    if let Some(path) = schema["$ref"].as_str() {
        return Some(path.to_owned());
    }
    reference(non_null_alternative(schema)?).map(|path| format!("{path}?"))
}

/// Returns the name of the schema that `schema` refers to.
fn referenced_name(schema: &Value) -> Option<&str> {
    let meant = non_null_alternative(schema).unwrap_or(schema);
    meant["$ref"].as_str().and_then(|path| path.strip_prefix(SCHEMA_PREFIX))
}

/// Returns the schema `T` of `T or null`.
fn non_null_alternative(schema: &Value) -> Option<&Value> {
    for key in ["anyOf", "oneOf"] {
        let Some([one, other]) = schema[key].as_array().map(Vec::as_slice) else { continue };
        match (one["type"] == "null", other["type"] == "null") {
            (true, false) => return Some(other),
            (false, true) => return Some(one),
            _ => {}
        }
    }
    None
}

fn is_of_type(schema: &Value, kind: &str) -> bool {
    let all = schema["type"].as_array();
    schema["type"] == kind || all.is_some_and(|all| all.iter().any(|one| one == kind))
}

/// Returns whether a `format` is missing or only names the width of a number.
fn is_number_width(format: &Value) -> bool {
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

/// Returns `schema` with its references followed, and `T or null` as one schema of two types.
fn resolved<'a>(document: &Value, schema: &'a Value) -> Cow<'a, Value> {
    resolved_within(document, schema, 0)
}

fn resolved_within<'a>(document: &Value, schema: &'a Value, depth: usize) -> Cow<'a, Value> {
    if depth > MAX_REFERENCES {
        return Cow::Borrowed(schema);
    }
    if let Some(name) = schema["$ref"].as_str().and_then(|path| path.strip_prefix(SCHEMA_PREFIX)) {
        let definition = document["components"]["schemas"][name].clone();
        let mut whole = resolved_within(document, &definition, depth + 1).into_owned();
        if schema.get("properties").is_some() && whole.is_object() {
            merge_members(&mut whole, schema);
        }
        return Cow::Owned(whole);
    }
    if let Some(inner) = non_null_alternative(schema) {
        let mut whole = resolved_within(document, inner, depth + 1).into_owned();
        let mut both: Vec<Value> = types(document, &whole).into_iter().map(Into::into).collect();
        if !both.is_empty() && whole.is_object() {
            both.push("null".into());
            whole["type"] = both.into();
        }
        return Cow::Owned(whole);
    }
    match schema {
        Value::Object(map) if map.contains_key("patternProperties") => {
            let mut map = map.clone();
            pattern_properties_to_map(&mut map);
            Cow::Owned(map.into())
        }
        _ => Cow::Borrowed(schema),
    }
}

/// Returns the types of the values that `schema` allows; an empty set if they are not known, or all are allowed.
fn types<'a>(document: &'a Value, schema: &'a Value) -> BTreeSet<&'a str> {
    types_within(document, schema, 0)
}

fn types_within<'a>(document: &'a Value, schema: &'a Value, depth: usize) -> BTreeSet<&'a str> {
    match &schema["type"] {
        Value::String(one) => return BTreeSet::from([&**one]),
        Value::Array(list) => return list.iter().filter_map(Value::as_str).collect(),
        _ => {}
    }
    let listed = schema["enum"].as_array().map(Vec::as_slice);
    if let Some(values) = listed.or_else(|| schema.get("const").map(std::slice::from_ref)) {
        return values.iter().map(type_of).collect();
    }
    if depth > MAX_REFERENCES {
        return BTreeSet::new();
    }
    if let Some(name) = schema["$ref"].as_str().and_then(|path| path.strip_prefix(SCHEMA_PREFIX)) {
        return types_within(document, &document["components"]["schemas"][name], depth + 1);
    }
    let mut all = BTreeSet::new();
    for part in alternatives(schema) {
        let of_part = types_within(document, part, depth + 1);
        if of_part.is_empty() {
            return of_part;
        }
        all.extend(of_part);
    }
    all
}

/// Returns the listed values of `enum` and `const`, as JSON text.
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
