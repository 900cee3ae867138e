//! Two schemas of the same place: is what was taken still taken, is what is given what was given?

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde_json::Value;

use super::super::clean::name_keys_of_map;
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

/// Keywords of which any change may refuse a value that was taken.
const RULES: [&str; 14] = [
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

/// The pairs of schemas that have been compared, or are being compared.
#[derive(Default)]
struct Seen {
    /// Pairs of which both are references, each reported in the first place that leads to it.
    compared: BTreeSet<[String; 2]>,
    /// Pairs of which one is a reference, on the way to the present place: both documents may spell a
    /// recursive type out at different members, so that two references never meet.
    open: Vec<[String; 2]>,
}

impl<'a> Found<'a> {
    pub(super) fn request_schema(&mut self, before: &'a Value, now: &'a Value) {
        self.schema(before, now, Way::Request, &mut Seen::default());
    }

    pub(super) fn answer_schema(&mut self, before: &'a Value, now: &'a Value) {
        self.schema(before, now, Way::Answer, &mut Seen::default());
    }

    fn schema(&mut self, before: &Value, now: &Value, way: Way, seen: &mut Seen) {
        if let (Some(old), Some(new)) = (named(before), named(now))
            && old != new
        {
            self.allows(&format!("generated clients call the type `{new}` instead of `{old}`"));
        }
        let names = (reference(before), reference(now));
        let pair = || {
            let text = |schema: &Value, name: &Option<String>| {
                name.clone().unwrap_or_else(|| schema.to_string())
            };
            [text(before, &names.0), text(now, &names.1)]
        };
        match names {
            (None, None) => self.meant(before, now, way, seen),
            (Some(_), Some(_)) => {
                if seen.compared.insert(pair()) {
                    self.meant(before, now, way, seen);
                }
            }
            _ if seen.open.contains(&pair()) => {}
            _ => {
                seen.open.push(pair());
                self.meant(before, now, way, seen);
                seen.open.pop();
            }
        }
    }

    /// Compares what two schemas mean, behind their references.
    fn meant(&mut self, before: &Value, now: &Value, way: Way, seen: &mut Seen) {
        let (document, other) = (self.before, self.now);
        let (before, now) = (plain(document, before), plain(other, now));
        let (before, now) = (&*before, &*now);
        let ((one, of), (one_in, of_in)) = match way {
            Way::Request => ((before, self.before), (now, self.now)),
            Way::Answer => ((now, self.now), (before, self.before)),
        };
        if alternatives(one).is_empty()
            && alternatives(one_in).iter().any(|part| is_same(of, one, of_in, part))
        {
            return self.allows("more alternatives for requests, or fewer in answers");
        }
        self.types(before, now, way);
        self.values(before, now, way);
        if way == Way::Request {
            self.limits(before, now);
        }
        self.properties(before, now, way, seen);
        self.unnamed(before, now, way, seen);
        if way == Way::Answer && !before["format"].is_null() && before["format"] != now["format"] {
            // Whoever reads 64 bits reads 32.
            let is_narrowed = before["format"] == "int64" && now["format"] == "int32";
            let text = format!("of the format {} now, and was {}", now["format"], before["format"]);
            self.add(!is_narrowed, &text);
        }
        self.alternatives(before, now, way, seen);
        self.parts(&before["prefixItems"], &now["prefixItems"], way, seen);
        self.conditions(&before["allOf"], &now["allOf"], way, seen);
    }

    /// Compares the items of lists, and the members of objects that have no names in the document. A
    /// keyword that is missing allows everything, as `{}` does.
    fn unnamed(&mut self, before: &Value, now: &Value, way: Way, seen: &mut Seen) {
        let anything = Value::Object(serde_json::Map::new());
        let schema_of = |schema: &Value, key: &str| match &schema[key] {
            inner @ Value::Object(_) => Some(inner.clone()),
            Value::Null | Value::Bool(true) => Some(anything.clone()),
            _ => None,
        };
        for (key, kind, name) in
            [("items", "array", "[]"), ("additionalProperties", "object", "/*")]
        {
            let is_said = before[key].is_object() || now[key].is_object();
            let is_of_kind = |schema: &Value| is_of_type(schema, kind);
            // Items of tuples may be left unsaid beside `prefixItems`.
            let is_tuple =
                key == "items" && [before, now].iter().any(|it| it["prefixItems"].is_array());
            let both_said = before[key].is_object() && now[key].is_object();
            if !is_said || (!both_said && (is_tuple || !is_of_kind(before) || !is_of_kind(now))) {
                continue;
            }
            if let (Some(old), Some(new)) = (schema_of(before, key), schema_of(now, key)) {
                self.within(name, |found| found.schema(&old, &new, way, seen));
            }
        }
        self.within("/{name}", |found| {
            match (before.get("propertyNames"), now.get("propertyNames")) {
                (Some(old), Some(new)) => found.schema(old, new, way, seen),
                (None, Some(new)) if way == Way::Request => {
                    found.breaks(&format!("only some names are taken now: {new}"));
                }
                (Some(_), None) if way == Way::Answer => found.breaks("any name may come now"),
                _ => {}
            }
        });
    }

    fn types(&mut self, before: &Value, now: &Value, way: Way) {
        let (old, new) = (types(self.before, before), types(self.now, now));
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
        if now["uniqueItems"] == true && before["uniqueItems"] != true {
            self.breaks("equal items are refused now");
        }
        for rule in RULES {
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

    fn properties(&mut self, before: &Value, now: &Value, way: Way, seen: &mut Seen) {
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
        let closed = |schema: &Value| {
            ["additionalProperties", "unevaluatedProperties"]
                .iter()
                .any(|key| schema[*key] == false)
        };
        if way == Way::Request && closed(now) && !closed(before) {
            self.breaks("members that are not known are refused now");
        }
    }

    /// Each of these has to hold: one more allows less.
    fn conditions(&mut self, before: &Value, now: &Value, way: Way, seen: &mut Seen) {
        let count = |value: &Value| value.as_array().map_or(0, Vec::len);
        match (count(before), count(now)) {
            (old, new) if old < new => self.add(way == Way::Request, "a condition added"),
            (old, new) if old > new => self.add(way == Way::Answer, "a condition removed"),
            _ => self.parts(before, now, way, seen),
        }
    }

    /// Compares the alternatives of unions.
    fn alternatives(&mut self, before: &Value, now: &Value, way: Way, seen: &mut Seen) {
        let (old, new) = (alternatives(before), alternatives(now));
        let is_value = |parts: &[Value]| parts.iter().any(|part| part.get("const").is_some());
        if is_value(old) || is_value(new) || values(before).is_some() || values(now).is_some() {
            return;
        }
        let tag =
            |schema: &Value| schema["discriminator"]["propertyName"].as_str().map(str::to_owned);
        match (tag(before), tag(now)) {
            (Some(old), Some(new)) if old != new => {
                return self.breaks(&format!(
                    "the alternatives are told apart by `{new}` instead of `{old}`"
                ));
            }
            _ => {}
        }
        match (old.is_empty(), new.is_empty()) {
            (true, true) => return,
            (true, false) => {
                return self.add(way == Way::Request, "one of several alternatives now");
            }
            // A type that is not among those there were has been reported.
            (false, true) => {
                return self.add(way == Way::Answer, "not one of the alternatives any more");
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
            let found = (0..new.len()).find(|at| !taken[*at] && new_labels[*at] == *label);
            match found {
                Some(at) => {
                    taken[at] = true;
                    pairs.push((part, &new[at]));
                }
                None => gone.push((part, label)),
            }
        }
        let added: Vec<usize> = (0..new.len()).filter(|at| !taken[*at]).collect();
        if tag.is_none() && gone.len() == added.len() {
            // Without a tag the rest can only be compared in its order.
            pairs.extend(gone.iter().zip(&added).map(|((part, _), at)| (*part, &new[*at])));
        } else {
            let name = |label: &str| match tag.is_some() {
                true => format!("the alternative `{label}`"),
                false => "an alternative".to_owned(),
            };
            for (_, label) in &gone {
                self.add(way == Way::Request, &format!("{} removed", name(label)));
            }
            for at in added {
                self.add(way == Way::Answer, &format!("{} added", name(&new_labels[at])));
            }
        }
        for (old, new) in pairs {
            self.schema(old, new, way, seen);
        }
    }

    /// Compares schemas that are told apart by their places.
    fn parts(&mut self, before: &Value, now: &Value, way: Way, seen: &mut Seen) {
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        let (old, new) = (list(before), list(now));
        match (old.len(), new.len()) {
            (old, new) if old > new => self.add(way == Way::Request, "an alternative removed"),
            (old, new) if old < new => self.add(way == Way::Answer, "an alternative added"),
            _ => old.iter().zip(&new).for_each(|(old, new)| self.schema(old, new, way, seen)),
        }
    }
}

/// Returns whether two schemas are written alike, behind the references that they are.
fn is_same(document: &Value, one: &Value, other_document: &Value, other: &Value) -> bool {
    *plain(document, one) == *plain(other_document, other)
}

/// The alternatives of a union.
fn alternatives(schema: &Value) -> &[Value] {
    let parts = ["oneOf", "anyOf"].iter().find_map(|key| schema[*key].as_array());
    parts.map_or(&[], Vec::as_slice)
}

/// A text that is the same for an alternative in both documents, wherever it stands among the others: the
/// value of the tag, else the reference, else the schema itself.
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
    let part_meant = plain(document, part);
    let tagged = tag.and_then(|tag| {
        let tag = &part_meant["properties"][tag];
        tag["const"].as_str().or_else(|| tag["enum"][0].as_str())
    });
    tagged.or(reference).map_or_else(|| part.to_string(), str::to_owned)
}

/// The reference that `schema` is, and whether `null` is allowed beside it.
fn reference(schema: &Value) -> Option<String> {
    if let Some(path) = schema["$ref"].as_str() {
        return Some(path.to_owned());
    }
    reference(beside_null(schema)?).map(|path| format!("{path}?"))
}

/// The name of the schema that `schema` refers to.
fn named(schema: &Value) -> Option<&str> {
    let meant = beside_null(schema).unwrap_or(schema);
    meant["$ref"].as_str().and_then(|path| path.strip_prefix(PLACE))
}

/// The schema that stands beside `null` in `T or null`.
fn beside_null(schema: &Value) -> Option<&Value> {
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
    meant(document, schema, 0)
}

fn meant<'a>(document: &Value, schema: &'a Value, depth: usize) -> Cow<'a, Value> {
    if depth > MAX_REFERENCES {
        return Cow::Borrowed(schema);
    }
    if let Some(name) = schema["$ref"].as_str().and_then(|path| path.strip_prefix(PLACE)) {
        let definition = document["components"]["schemas"][name].clone();
        let mut whole = meant(document, &definition, depth + 1).into_owned();
        if schema.get("properties").is_some() && whole.is_object() {
            merge(&mut whole, schema);
        }
        return Cow::Owned(whole);
    }
    if let Some(inner) = beside_null(schema) {
        let mut whole = meant(document, inner, depth + 1).into_owned();
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
            name_keys_of_map(&mut map);
            Cow::Owned(map.into())
        }
        _ => Cow::Borrowed(schema),
    }
}

/// The types of the values that `schema` allows; none if they cannot be known, or all are allowed.
fn types<'a>(document: &'a Value, schema: &'a Value) -> BTreeSet<&'a str> {
    types_within(document, schema, 0)
}

fn types_within<'a>(document: &'a Value, schema: &'a Value, depth: usize) -> BTreeSet<&'a str> {
    match &schema["type"] {
        Value::String(one) => return BTreeSet::from([&**one]),
        Value::Array(list) => return list.iter().filter_map(Value::as_str).collect(),
        _ => {}
    }
    // Values that are listed are of types, too.
    let listed = schema["enum"].as_array().map(Vec::as_slice);
    if let Some(values) = listed.or_else(|| schema.get("const").map(std::slice::from_ref)) {
        return values.iter().map(type_of).collect();
    }
    if depth > MAX_REFERENCES {
        return BTreeSet::new();
    }
    if let Some(name) = schema["$ref"].as_str().and_then(|path| path.strip_prefix(PLACE)) {
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
