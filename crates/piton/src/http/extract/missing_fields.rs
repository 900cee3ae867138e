//! Finds all missing members of a JSON body, of which serde names only the first.
//!
//! They are found by the schema by which the route documents its body, because it is derived from the same type.

use axum::extract::MatchedPath;
use http::request::Parts;
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};

use crate::context;
use crate::error::handler_error::{Error, FieldError, MAX_FIELD_ERRORS, max_field_errors};
use crate::http::extract::json_pointer::push_token;
use crate::http::extract::serde_messages::missing_field;
use crate::http::routing::operation::MakeSchema;

/// Adds all missing members to `error`, if it names one and the route documents its body.
#[cold]
pub(super) fn add_missing_fields(error: Error, parts: &Parts, body: &[u8]) -> Error {
    let Some(first) =
        error.field_errors().iter().find(|error| missing_field(&error.detail).is_some())
    else {
        return error;
    };
    let (Some(make), Ok(value)) = (body_schema(parts), serde_json::from_slice(body)) else {
        return error;
    };
    let missing: Vec<FieldError> =
        find_missing(&value, make).into_iter().map(field_error).collect();
    // The schema must agree with serde on the first member, because a handler may document another type than it
    // reads.
    if !missing.iter().any(|error| error.pointer == first.pointer) {
        return error;
    }
    let is_known = |other: &FieldError| {
        error.field_errors().iter().any(|known| known.pointer == other.pointer)
    };
    let more: Vec<FieldError> = missing.into_iter().filter(|other| !is_known(other)).collect();
    error.with_field_errors(max_field_errors(body.len()), more)
}

/// Makes the error of a missing member.
fn field_error((pointer, name): MissingField) -> FieldError {
    FieldError::at(pointer, format!("missing field `{name}`"))
}

/// Returns the schema of the body that the matched route documents.
fn body_schema(parts: &Parts) -> Option<MakeSchema> {
    let app = context::try_app().ok()?;
    let path = parts.extensions.get::<MatchedPath>()?.as_str();
    let mut routes = app.routes().iter();
    let route = routes.find(|route| route.path == path && route.method == parts.method)?;
    route.operation.read_body()?.schema
}

/// The JSON Pointer and the name of a missing member.
type MissingField = (String, String);

/// Maximum number of missing members that are looked for: one more than are reported.
const MAX_MISSING: usize = MAX_FIELD_ERRORS + 1;

/// Maximum depth of schemas within schemas. A type may contain itself.
const MAX_DEPTH: usize = 256;

/// Returns the members that `body` lacks by the schema.
fn find_missing(body: &Value, make: MakeSchema) -> Vec<MissingField> {
    let settings = SchemaSettings::draft2020_12().for_deserialize();
    let mut generator: SchemaGenerator = settings.into_generator();
    let schema = make(&mut generator).to_value();
    let mut search =
        MissingFieldSearch { definitions: generator.definitions(), missing: Vec::new() };
    search.visit(body, &schema, "", MAX_DEPTH);
    search.missing
}

/// The state of a search.
struct MissingFieldSearch<'a> {
    definitions: &'a Map<String, Value>,
    missing: Vec<MissingField>,
}

impl MissingFieldSearch<'_> {
    /// Collects what `value` lacks by `schema`. Alternatives (`oneOf`) are skipped, because it is unknown which of them
    /// applies.
    fn visit(&mut self, value: &Value, schema: &Value, pointer: &str, depth: usize) {
        let Some(depth) = depth.checked_sub(1).filter(|_| self.missing.len() < MAX_MISSING) else {
            return;
        };
        if let Some(definition) = Self::referenced(self.definitions, schema) {
            self.visit(value, definition, pointer, depth);
        }
        for part in subschemas(schema) {
            self.visit(value, part, pointer, depth);
        }
        match value {
            Value::Object(members) => {
                self.collect_required(members, schema, pointer);
                for (name, member) in members {
                    self.visit(member, &schema["properties"][name], &child(pointer, name), depth);
                }
            }
            Value::Array(items) if schema["items"].is_object() => {
                for (index, item) in items.iter().enumerate() {
                    self.visit(item, &schema["items"], &child(pointer, &index.to_string()), depth);
                }
            }
            _ => {}
        }
    }

    /// Collects the required members that an object lacks.
    fn collect_required(&mut self, members: &Map<String, Value>, schema: &Value, pointer: &str) {
        let required = schema["required"].as_array().into_iter().flatten();
        for name in required.filter_map(Value::as_str) {
            if self.missing.len() < MAX_MISSING && !members.contains_key(name) {
                self.missing.push((child(pointer, name), name.to_owned()));
            }
        }
    }

    /// Returns the schema that `$ref` names.
    fn referenced<'d>(definitions: &'d Map<String, Value>, schema: &Value) -> Option<&'d Value> {
        let (_, name) = schema["$ref"].as_str()?.rsplit_once('/')?;
        let name = name.replace("~1", "/").replace("~0", "~");
        definitions.get(&name)
    }
}

/// Returns the schemas that apply as well: those of `allOf`, and the one of an `Option`, which is `anyOf` it and null.
fn subschemas(schema: &Value) -> impl Iterator<Item = &Value> {
    let list = |name: &str| schema[name].as_array().map_or(&[][..], Vec::as_slice);
    let option = match list("anyOf") {
        [some, null] if null["type"] == "null" => Some(some),
        _ => None,
    };
    list("allOf").iter().chain(option)
}

/// Returns the pointer of a member or an element of the value at `pointer`.
fn child(pointer: &str, token: &str) -> String {
    let mut pointer = pointer.to_owned();
    push_token(&mut pointer, token);
    pointer
}

#[cfg(test)]
mod tests {
    use schemars::JsonSchema;
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Deserialize, JsonSchema)]
    #[expect(dead_code, reason = "only its schema is used")]
    struct Company {
        cnpj: String,
        name: String,
        trade_name: Option<String>,
        #[serde(default)]
        partners: Vec<Partner>,
        seat: Option<Seat>,
    }

    #[derive(Deserialize, JsonSchema)]
    #[expect(dead_code, reason = "only its schema is used")]
    struct Partner {
        #[serde(rename = "a/b")]
        share: u8,
        parent: Option<Box<Partner>>,
    }

    #[derive(Deserialize, JsonSchema)]
    #[expect(dead_code, reason = "only its schema is used")]
    struct Seat {
        city: String,
    }

    fn pointers(body: &Value) -> Vec<String> {
        let make: MakeSchema = SchemaGenerator::subschema_for::<Company>;
        find_missing(body, make).into_iter().map(|(pointer, _)| pointer).collect()
    }

    #[test]
    fn missing_members_are_found_at_any_depth() {
        assert_eq!(pointers(&json!({})), ["/cnpj", "/name"]);
        let body = json!({
            "cnpj": 7, "seat": {},
            "partners": [{ "a/b": 1 }, { "parent": { "parent": null } }],
        });
        let mut missing = pointers(&body);
        missing.sort();
        assert_eq!(missing, ["/name", "/partners/1/a~1b", "/partners/1/parent/a~1b", "/seat/city"]);
    }

    #[test]
    fn one_missing_member_more_than_reported_is_found() {
        let partners: Vec<Value> = (0..1000).map(|_| json!({})).collect();
        assert_eq!(pointers(&json!({ "partners": partners })).len(), MAX_MISSING);
    }
}
