//! Parameters of path, query and header, each by its name, out of the schemas of the types that
//! handlers read them with.

use serde_json::{Map, Value, json};

use super::schemas::Schemas;
use crate::http::{ALLOW_EMPTY_VALUE, Operation, Parameter, Place, RouteInfo};

/// One parameter of the document.
struct Draft {
    name: String,
    place: Place,
    schema: Value,
    required: bool,
    description: Option<String>,
    /// Stands for parameters of any name.
    is_any: bool,
    /// Some variant of an enum requires it.
    is_required_by_variant: bool,
}

/// All parameters of an operation, those of the path in its order.
pub(super) fn of(info: &RouteInfo, schemas: &mut Schemas) -> Vec<Value> {
    let names = path_names(&info.path);
    let mut drafts: Vec<Draft> = Vec::new();
    for parameter in info.operation.read_parameters() {
        for draft in split(parameter, &names, schemas) {
            let known = |other: &Draft| other.name == draft.name && other.place == draft.place;
            if !drafts.iter().any(known) {
                drafts.push(draft);
            }
        }
    }
    drafts.extend(form_of_a_get(info, schemas));
    drafts.retain(|draft| draft.place != Place::Query || can_be_written(&draft.schema, schemas));
    // What the handler does not read is part of the path all the same.
    drafts.retain(|draft| draft.place != Place::Path || names.contains(&draft.name));
    for name in &names {
        if !drafts.iter().any(|draft| draft.place == Place::Path && draft.name == *name) {
            let schema = json!({ "type": "string" });
            drafts.push(Draft::of(name.clone(), Place::Path, schema, true));
        }
    }
    let in_path = |name: &str| names.iter().position(|known| known == name);
    drafts.sort_by_key(|draft| match draft.place {
        Place::Path => (0, in_path(&draft.name)),
        Place::Query => (1, None),
        Place::Header => (2, None),
    });
    drafts.into_iter().map(|draft| draft.finish(schemas)).collect()
}

/// The parameters that a path names: `{id}`, `{*rest}`.
pub(super) fn path_names(path: &str) -> Vec<String> {
    let braces = path.split('{').skip(1).filter_map(|rest| rest.split_once('}'));
    braces.map(|(name, _)| name.trim_start_matches('*').to_owned()).collect()
}

/// A form of a `GET` is its query.
fn form_of_a_get(info: &RouteInfo, schemas: &mut Schemas) -> Vec<Draft> {
    match read_by_query(info.method.as_str(), &info.operation) {
        Some(schema) => properties(&schemas.input(schema), Place::Query, true, schemas),
        None => Vec::new(),
    }
}

/// The type of a form that is read from the query.
pub(super) fn read_by_query(
    method: &str,
    operation: &Operation,
) -> Option<crate::http::MakeSchema> {
    let body = operation.read_body()?;
    let form = body.media_type == "application/x-www-form-urlencoded";
    body.schema.filter(|_| form && method == "GET")
}

fn split(parameter: &Parameter, names: &[String], schemas: &mut Schemas) -> Vec<Draft> {
    let schema = parameter.schema.map(|make| schemas.input(make));
    match (parameter.place, schema) {
        (Place::Header, schema) => {
            let name = parameter.name.clone().unwrap_or_default().into_owned();
            let schema = schema.unwrap_or_else(|| json!({ "type": "string" }));
            let mut draft = Draft::of(name, Place::Header, schema, parameter.required);
            if !parameter.description.is_empty() {
                draft.description = Some(parameter.description.to_owned());
            }
            vec![draft]
        }
        (Place::Path, Some(schema)) => in_path(&schema, names, schemas),
        (Place::Query, Some(schema)) => {
            properties(&schema, Place::Query, parameter.required, schemas)
        }
        (_, None) => Vec::new(),
    }
}

/// A struct by its properties, a tuple by the places, anything else is the one parameter there is.
fn in_path(schema: &Value, names: &[String], schemas: &Schemas) -> Vec<Draft> {
    let resolved = schemas.resolved(schema);
    if resolved["properties"].is_object() {
        return properties(schema, Place::Path, true, schemas);
    }
    if let Some(items) = resolved["prefixItems"].as_array() {
        let pairs = names.iter().zip(items);
        let draft = |(name, item): (&String, &Value)| {
            Draft::of(name.clone(), Place::Path, item.clone(), true)
        };
        return pairs.map(draft).collect();
    }
    // Of several parameters, a list has one value each; of a single one, the values between its commas.
    let item = resolved.get("items").map(|item| match item["prefixItems"].as_array() {
        Some(pair) if pair.len() == 2 => (true, &pair[1]),
        _ => (false, item),
    });
    if let Some((is_pair, item)) = item
        && (is_pair || names.len() > 1)
    {
        let draft = |name: &String| Draft::of(name.clone(), Place::Path, item.clone(), true);
        return names.iter().map(draft).collect();
    }
    match names {
        [name] => vec![Draft::of(name.clone(), Place::Path, schema.clone(), true)],
        _ => Vec::new(),
    }
}

/// Maximum depth of variants and flattened structs: an untagged enum may contain itself.
const MAX_DEPTH: usize = 8;

/// The properties of a struct, and of those that it is made of.
fn properties(schema: &Value, place: Place, required: bool, schemas: &Schemas) -> Vec<Draft> {
    properties_within(schema, place, required, schemas, MAX_DEPTH)
}

fn properties_within(
    schema: &Value,
    place: Place,
    required: bool,
    schemas: &Schemas,
    depth: usize,
) -> Vec<Draft> {
    let Some(depth) = depth.checked_sub(1) else { return Vec::new() };
    let mut drafts = Vec::new();
    // A newtype variant refers to its type beside its tag.
    let referred = schemas.resolved(schema);
    let is_tagged = schema.get("$ref").is_some() && schema.get("properties").is_some();
    let schema = if is_tagged { schema.clone() } else { referred.clone() };
    let listed: Vec<&str> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let required = place == Place::Path
            || (required && listed.contains(&&**name) && property.get("default").is_none());
        drafts.push(Draft::of(name.clone(), place, property.clone(), required));
    }
    if is_tagged {
        drafts.extend(properties_within(&referred, place, required, schemas, depth));
    }
    for part in schema["allOf"].as_array().into_iter().flatten() {
        drafts.extend(properties_within(part, place, required, schemas, depth));
    }
    for key in ["anyOf", "oneOf"] {
        let parts = schema[key].as_array().into_iter().flatten();
        let is_null = |part: &&Value| part["type"] == "null";
        let required = required && !parts.clone().any(|part| is_null(&part));
        let variants = parts.filter(|part| !is_null(part));
        let variants =
            variants.map(|part| properties_within(part, place, required, schemas, depth)).collect();
        drafts.extend(merged(variants));
    }
    // A map takes whatever there is.
    let open = schema.get("additionalProperties").is_some_and(|more| *more != json!(false));
    if open && drafts.is_empty() && place == Place::Query {
        let all = Draft::of("parameters".into(), place, schema, false);
        drafts.push(Draft { is_any: true, ..all });
    }
    drafts
}

/// Merges the parameters of the variants of an enum by name. One is required if all variants require it.
fn merged(variants: Vec<Vec<Draft>>) -> Vec<Draft> {
    let count = variants.len();
    let mut merged: Vec<(Draft, Vec<Value>, usize)> = Vec::new();
    for draft in variants.into_iter().flatten() {
        let known = merged.iter_mut().find(|(known, ..)| known.name == draft.name);
        let Some((known, schemas, in_variants)) = known else {
            let schemas = vec![draft.schema.clone()];
            let is_required_by_variant = draft.required || draft.is_required_by_variant;
            merged.push((Draft { is_required_by_variant, ..draft }, schemas, 1));
            continue;
        };
        *in_variants += 1;
        known.is_required_by_variant |= draft.required || draft.is_required_by_variant;
        known.required &= draft.required;
        known.description = known.description.take().or(draft.description);
        if !schemas.contains(&draft.schema) {
            schemas.push(draft.schema);
        }
    }
    let finish = |(draft, schemas, in_variants): (Draft, Vec<Value>, usize)| {
        let required = draft.required && (in_variants == count || draft.place == Place::Path);
        Draft { schema: any_of(schemas), required, ..draft }
    };
    merged.into_iter().map(finish).collect()
}

/// Returns the schema of a value that matches one of `schemas`. Enums are joined into one.
fn any_of(mut schemas: Vec<Value>) -> Value {
    if schemas.len() == 1 {
        return schemas.remove(0);
    }
    let words = |schema: &Value| -> Option<Vec<Value>> {
        match (&schema["const"], &schema["enum"]) {
            (Value::String(word), _) => Some(vec![word.clone().into()]),
            (_, Value::Array(words)) => Some(words.clone()),
            _ => None,
        }
    };
    match schemas.iter().map(words).collect::<Option<Vec<_>>>() {
        Some(words) => json!({ "type": "string", "enum": words.concat() }),
        None => json!({ "anyOf": schemas }),
    }
}

/// The form in which the value of a parameter is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// Text that may be empty.
    Text,
    Scalar,
    List,
    Object,
}

impl Shape {
    fn of(schema: &Value, schemas: &Schemas) -> Self {
        Self::within(schema, schemas, MAX_DEPTH)
    }

    fn within(schema: &Value, schemas: &Schemas, depth: usize) -> Self {
        let Some(depth) = depth.checked_sub(1) else { return Self::Scalar };
        let schema = schemas.resolved(schema);
        let is = |kind: &str| {
            let kinds = schema["type"].as_array().into_iter().flatten();
            schema["type"] == kind || kinds.into_iter().any(|it| it == kind)
        };
        let parts = ["anyOf", "oneOf", "allOf"].into_iter().flat_map(|key| schema[key].as_array());
        let parts: Vec<Self> =
            parts.flatten().map(|part| Self::within(part, schemas, depth)).collect();
        let narrows = ["format", "pattern", "enum", "const", "minLength"];
        if is("array") || parts.contains(&Self::List) {
            Self::List
        } else if is("object") || parts.contains(&Self::Object) {
            Self::Object
        } else if is("string") && narrows.iter().all(|key| schema.get(key).is_none()) {
            Self::Text
        } else {
            Self::Scalar
        }
    }
}

/// Returns whether a query can hold a value: the items of a list are neither lists nor objects.
fn can_be_written(schema: &Value, schemas: &Schemas) -> bool {
    let schema = schemas.resolved(schema);
    let items = schema.get("items").into_iter();
    let mut items = items.chain(schema["prefixItems"].as_array().into_iter().flatten());
    items.all(|item| !matches!(Shape::of(item, schemas), Shape::List | Shape::Object))
}

impl Draft {
    fn of(name: String, place: Place, schema: Value, required: bool) -> Self {
        let mut schema = without_null(schema);
        let description = match &mut schema {
            Value::Object(map) => map.remove("description"),
            _ => None,
        };
        let description = description.and_then(|text| text.as_str().map(str::to_owned));
        Self {
            name,
            place,
            schema,
            required,
            description,
            is_any: false,
            is_required_by_variant: false,
        }
    }

    fn finish(mut self, schemas: &Schemas) -> Value {
        let place = match self.place {
            Place::Path => "path",
            Place::Query => "query",
            Place::Header => "header",
        };
        let mut parameter = Map::new();
        parameter.insert("name".into(), self.name.into());
        parameter.insert("in".into(), place.into());
        parameter.insert("required".into(), self.required.into());
        if let Some(description) = self.description {
            parameter.insert("description".into(), description.into());
        }
        // What stands beside the schema here is carried in it to here.
        let may_be_empty =
            self.schema.as_object_mut().and_then(|map| map.remove(ALLOW_EMPTY_VALUE));
        let shape = Shape::of(&self.schema, schemas);
        // An empty value of an optional parameter counts as absent, except that text is then empty.
        let is_optional = !self.required && !self.is_required_by_variant;
        let may_be_empty = may_be_empty.is_some() || matches!(shape, Shape::Scalar | Shape::List);
        if self.place == Place::Query && is_optional && may_be_empty {
            parameter.insert("allowEmptyValue".into(), true.into());
        }
        match shape {
            // Most generated clients repeat the name whatever the document says. One parameter with commas is read
            // as well.
            Shape::List if self.place == Place::Query => {
                parameter.insert("style".into(), "form".into());
                parameter.insert("explode".into(), true.into());
            }
            Shape::Object if self.place == Place::Query && !self.is_any => {
                parameter.insert("style".into(), "deepObject".into());
                parameter.insert("explode".into(), true.into());
            }
            _ => {}
        }
        // The page sends what it is given: of a filter nobody asked for that would not be right.
        if let Some(example) = self.schema["examples"].get(0).filter(|_| self.required) {
            parameter.insert("example".into(), example.clone());
        }
        parameter.insert("schema".into(), self.schema);
        Value::Object(parameter)
    }
}

/// There is no way to write `null` in a path or a query: a parameter is there or is not.
fn without_null(mut schema: Value) -> Value {
    let null = |value: &Value| *value == json!("null") || value["type"] == "null";
    if let Some(types) = schema.get_mut("type").and_then(Value::as_array_mut) {
        types.retain(|one| !null(one));
        if let [only] = &types[..] {
            schema["type"] = only.clone();
        }
    }
    if let Some(values) = schema.get_mut("enum").and_then(Value::as_array_mut) {
        values.retain(|value| !value.is_null());
    }
    if schema["default"].is_null()
        && let Value::Object(map) = &mut schema
    {
        map.remove("default");
    }
    for key in ["anyOf", "oneOf"] {
        let Some(parts) = schema.get_mut(key).and_then(Value::as_array_mut) else { continue };
        parts.retain(|part| !null(part));
        if let [only] = &parts[..] {
            let only = only.clone();
            let Value::Object(map) = &mut schema else { continue };
            map.remove(key);
            for (key, value) in only.as_object().into_iter().flatten() {
                map.entry(key).or_insert_with(|| value.clone());
            }
        }
    }
    schema
}
