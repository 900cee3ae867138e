//! Parameters of path, query and header, each by its name, from the schemas of the types that handlers read
//! them with.

use serde_json::{Map, Value, json};

use super::schemas::SchemaCollector;
use crate::http::{ALLOW_EMPTY_VALUE, Operation, Parameter, ParameterIn, RouteInfo};

/// A parameter of the document, before it is complete.
struct ParameterBuilder {
    name: String,
    location: ParameterIn,
    schema: Value,
    required: bool,
    description: Option<String>,
    /// True if it stands for parameters of any name.
    is_any: bool,
    /// True if a variant of an enum requires it.
    is_required_by_variant: bool,
}

/// Returns all parameters of an operation, those of the path in its order.
pub(super) fn for_route(info: &RouteInfo, schemas: &mut SchemaCollector) -> Vec<Value> {
    let names = path_names(&info.path);
    let mut builders: Vec<ParameterBuilder> = Vec::new();
    for parameter in info.operation.read_parameters() {
        for builder in split(parameter, &names, schemas) {
            let known = |other: &ParameterBuilder| {
                other.name == builder.name && other.location == builder.location
            };
            if !builders.iter().any(known) {
                builders.push(builder);
            }
        }
    }
    builders.extend(query_form_parameters(info, schemas));
    builders.retain(|builder| {
        builder.location != ParameterIn::Query || fits_in_query(&builder.schema, schemas)
    });
    // Added here, because parameters that no argument reads are part of the path as well: OpenAPI requires all.
    builders
        .retain(|builder| builder.location != ParameterIn::Path || names.contains(&builder.name));
    for name in &names {
        if !builders
            .iter()
            .any(|builder| builder.location == ParameterIn::Path && builder.name == *name)
        {
            let schema = json!({ "type": "string" });
            builders.push(ParameterBuilder::new(name.clone(), ParameterIn::Path, schema, true));
        }
    }
    let in_path = |name: &str| names.iter().position(|known| known == name);
    builders.sort_by_key(|builder| match builder.location {
        ParameterIn::Path => (0, in_path(&builder.name)),
        ParameterIn::Query => (1, None),
        ParameterIn::Header => (2, None),
    });
    builders.into_iter().map(|builder| builder.build(schemas)).collect()
}

/// Returns the names of the parameters in a path: of `{id}` and `{*rest}`.
pub(in crate::openapi) fn path_names(path: &str) -> Vec<String> {
    let braces = path.split('{').skip(1).filter_map(|rest| rest.split_once('}'));
    braces.map(|(name, _)| name.trim_start_matches('*').to_owned()).collect()
}

/// Returns the parameters of a form that a `GET` reads from the query.
fn query_form_parameters(info: &RouteInfo, schemas: &mut SchemaCollector) -> Vec<ParameterBuilder> {
    match query_form_schema(info.method.as_str(), &info.operation) {
        Some(schema) => properties(&schemas.input(schema), ParameterIn::Query, true, schemas),
        None => Vec::new(),
    }
}

/// Returns the schema of a form that is read from the query, as the form of a `GET` is.
pub(super) fn query_form_schema(
    method: &str,
    operation: &Operation,
) -> Option<crate::http::MakeSchema> {
    let body = operation.read_body()?;
    let form = body.media_type == "application/x-www-form-urlencoded";
    body.schema.filter(|_| form && method == "GET")
}

fn split(
    parameter: &Parameter,
    names: &[String],
    schemas: &mut SchemaCollector,
) -> Vec<ParameterBuilder> {
    let schema = parameter.schema.map(|make| schemas.input(make));
    match (parameter.place, schema) {
        (ParameterIn::Header, schema) => {
            let name = parameter.name.clone().unwrap_or_default().into_owned();
            let schema = schema.unwrap_or_else(|| json!({ "type": "string" }));
            let mut builder =
                ParameterBuilder::new(name, ParameterIn::Header, schema, parameter.required);
            if !parameter.description.is_empty() {
                builder.description = Some(parameter.description.to_owned());
            }
            vec![builder]
        }
        (ParameterIn::Path, Some(schema)) => path_parameters(&schema, names, schemas),
        (ParameterIn::Query, Some(schema)) => {
            properties(&schema, ParameterIn::Query, parameter.required, schemas)
        }
        (_, None) => Vec::new(),
    }
}

/// Returns the parameters of a path: of a struct by its properties, of a tuple by position, of anything else
/// the only parameter.
fn path_parameters(
    schema: &Value,
    names: &[String],
    schemas: &SchemaCollector,
) -> Vec<ParameterBuilder> {
    let resolved = schemas.resolved(schema);
    if resolved["properties"].is_object() {
        return properties(schema, ParameterIn::Path, true, schemas);
    }
    if let Some(items) = resolved["prefixItems"].as_array() {
        let pairs = names.iter().zip(items);
        let builder = |(name, item): (&String, &Value)| {
            ParameterBuilder::new(name.clone(), ParameterIn::Path, item.clone(), true)
        };
        return pairs.map(builder).collect();
    }
    // A list holds the values of several parameters, one each; a single parameter holds all items, separated by
    // commas. So the schema of the item is needed in the first case alone.
    let item = resolved.get("items").map(|item| match item["prefixItems"].as_array() {
        Some(pair) if pair.len() == 2 => (true, &pair[1]),
        _ => (false, item),
    });
    if let Some((is_pair, item)) = item
        && (is_pair || names.len() > 1)
    {
        let builder = |name: &String| {
            ParameterBuilder::new(name.clone(), ParameterIn::Path, item.clone(), true)
        };
        return names.iter().map(builder).collect();
    }
    match names {
        [name] => {
            vec![ParameterBuilder::new(name.clone(), ParameterIn::Path, schema.clone(), true)]
        }
        _ => Vec::new(),
    }
}

/// Maximum depth of variants and flattened structs: an untagged enum may contain itself.
const MAX_DEPTH: usize = 8;

/// Returns the properties of a struct, and those of the structs and enums that are flattened into it.
fn properties(
    schema: &Value,
    location: ParameterIn,
    required: bool,
    schemas: &SchemaCollector,
) -> Vec<ParameterBuilder> {
    properties_within(schema, location, required, schemas, MAX_DEPTH)
}

fn properties_within(
    schema: &Value,
    location: ParameterIn,
    required: bool,
    schemas: &SchemaCollector,
    depth: usize,
) -> Vec<ParameterBuilder> {
    let Some(depth) = depth.checked_sub(1) else { return Vec::new() };
    let mut builders = Vec::new();
    // Both the variant's own members and those of its type, because a newtype variant refers to its type next to
    // its tag.
    let referred = schemas.resolved(schema);
    let is_tagged = schema.get("$ref").is_some() && schema.get("properties").is_some();
    let schema = if is_tagged { schema.clone() } else { referred.clone() };
    let listed: Vec<&str> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let required = location == ParameterIn::Path
            || (required && listed.contains(&&**name) && property.get("default").is_none());
        builders.push(ParameterBuilder::new(name.clone(), location, property.clone(), required));
    }
    if is_tagged {
        builders.extend(properties_within(&referred, location, required, schemas, depth));
    }
    for part in schema["allOf"].as_array().into_iter().flatten() {
        builders.extend(properties_within(part, location, required, schemas, depth));
    }
    for key in ["anyOf", "oneOf"] {
        let parts = schema[key].as_array().into_iter().flatten();
        let is_null = |part: &&Value| part["type"] == "null";
        let required = required && !parts.clone().any(|part| is_null(&part));
        let variants = parts.filter(|part| !is_null(part));
        let variants = variants
            .map(|part| properties_within(part, location, required, schemas, depth))
            .collect();
        builders.extend(merged(variants));
    }
    // A parameter for any name, because a map reads all parameters.
    let is_map = schema.get("additionalProperties").is_some_and(|more| *more != json!(false));
    if is_map && builders.is_empty() && location == ParameterIn::Query {
        let all = ParameterBuilder::new("parameters".into(), location, schema, false);
        builders.push(ParameterBuilder { is_any: true, ..all });
    }
    builders
}

/// Merges the parameters of the variants of an enum by name. One is required if all variants require it.
fn merged(variants: Vec<Vec<ParameterBuilder>>) -> Vec<ParameterBuilder> {
    let count = variants.len();
    let mut merged: Vec<(ParameterBuilder, Vec<Value>, usize)> = Vec::new();
    for builder in variants.into_iter().flatten() {
        let known = merged.iter_mut().find(|(known, ..)| known.name == builder.name);
        let Some((known, schemas, in_variants)) = known else {
            let schemas = vec![builder.schema.clone()];
            let is_required_by_variant = builder.required || builder.is_required_by_variant;
            merged.push((ParameterBuilder { is_required_by_variant, ..builder }, schemas, 1));
            continue;
        };
        *in_variants += 1;
        known.is_required_by_variant |= builder.required || builder.is_required_by_variant;
        known.required &= builder.required;
        known.description = known.description.take().or(builder.description);
        if !schemas.contains(&builder.schema) {
            schemas.push(builder.schema);
        }
    }
    let finish = |(builder, schemas, in_variants): (ParameterBuilder, Vec<Value>, usize)| {
        let required =
            builder.required && (in_variants == count || builder.location == ParameterIn::Path);
        ParameterBuilder { schema: any_of(schemas), required, ..builder }
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

/// The form in which the value of a parameter is serialized.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ParameterForm {
    /// Text that may be empty.
    Text,
    Scalar,
    List,
    Object,
}

impl ParameterForm {
    fn of(schema: &Value, schemas: &SchemaCollector) -> Self {
        Self::within(schema, schemas, MAX_DEPTH)
    }

    fn within(schema: &Value, schemas: &SchemaCollector, depth: usize) -> Self {
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

/// Returns whether a query can hold the value: not lists whose items are lists or objects.
fn fits_in_query(schema: &Value, schemas: &SchemaCollector) -> bool {
    let schema = schemas.resolved(schema);
    let items = schema.get("items").into_iter();
    let mut items = items.chain(schema["prefixItems"].as_array().into_iter().flatten());
    items.all(|item| {
        !matches!(ParameterForm::of(item, schemas), ParameterForm::List | ParameterForm::Object)
    })
}

impl ParameterBuilder {
    fn new(name: String, location: ParameterIn, schema: Value, required: bool) -> Self {
        let mut schema = without_null(schema);
        let description = match &mut schema {
            Value::Object(map) => map.remove("description"),
            _ => None,
        };
        let description = description.and_then(|text| text.as_str().map(str::to_owned));
        Self {
            name,
            location,
            schema,
            required,
            description,
            is_any: false,
            is_required_by_variant: false,
        }
    }

    fn build(mut self, schemas: &SchemaCollector) -> Value {
        let location = match self.location {
            ParameterIn::Path => "path",
            ParameterIn::Query => "query",
            ParameterIn::Header => "header",
        };
        let mut parameter = Map::new();
        parameter.insert("name".into(), self.name.into());
        parameter.insert("in".into(), location.into());
        parameter.insert("required".into(), self.required.into());
        if let Some(description) = self.description {
            parameter.insert("description".into(), description.into());
        }
        // Taken out of the schema, which is only how an argument's type passes it to this location.
        let may_be_empty =
            self.schema.as_object_mut().and_then(|map| map.remove(ALLOW_EMPTY_VALUE));
        let form = ParameterForm::of(&self.schema, schemas);
        // Set for every type but text: an empty optional parameter counts as absent, but an empty text is a value.
        let is_optional = !self.required && !self.is_required_by_variant;
        let may_be_empty =
            may_be_empty.is_some() || matches!(form, ParameterForm::Scalar | ParameterForm::List);
        if self.location == ParameterIn::Query && is_optional && may_be_empty {
            parameter.insert("allowEmptyValue".into(), true.into());
        }
        match form {
            // `explode`, because most generated clients repeat the name whatever the document says; a single
            // parameter with commas is read as well.
            ParameterForm::List if self.location == ParameterIn::Query => {
                parameter.insert("style".into(), "form".into());
                parameter.insert("explode".into(), true.into());
            }
            ParameterForm::Object if self.location == ParameterIn::Query && !self.is_any => {
                parameter.insert("style".into(), "deepObject".into());
                parameter.insert("explode".into(), true.into());
            }
            _ => {}
        }
        // Required ones only, because Swagger UI sends every example: optional filters would apply unasked.
        if let Some(example) = self.schema["examples"].get(0).filter(|_| self.required) {
            parameter.insert("example".into(), example.clone());
        }
        parameter.insert("schema".into(), self.schema);
        Value::Object(parameter)
    }
}

/// Removes `null` from a schema: paths and queries cannot express it, a parameter is present or absent.
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
