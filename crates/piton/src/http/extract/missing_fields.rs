//! Every member that a JSON body lacks, where serde names the first alone.
//!
//! What serde reads stops at the first member that is missing, and cannot be asked for the others. The
//! schema can: the one by which the route documents its body, which is made of the same type.

use axum::extract::MatchedPath;
use http::request::Parts;
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};

use crate::context;
use crate::error::handler_error::{Error, FieldError, max_field_errors};
use crate::http::extract::body_errors::push_token;
use crate::http::extract::serde_messages::missing_field;
use crate::http::routing::operation::MakeSchema;

/// `error` with all that is missing, if something is and the route documents its body.
#[cold]
pub(crate) fn told(error: Error, parts: &Parts, body: &[u8]) -> Error {
    let Some(first) =
        error.field_errors().iter().find(|fault| missing_field(&fault.detail).is_some())
    else {
        return error;
    };
    let (Some(make), Ok(value)) = (documented(parts), serde_json::from_slice(body)) else {
        return error;
    };
    let faults: Vec<FieldError> = absent(&value, make).into_iter().map(fault).collect();
    // A schema that does not say what serde says is another type's, and tells nothing of this one.
    if !faults.iter().any(|fault| fault.pointer == first.pointer) {
        return error;
    }
    let is_known = |fault: &FieldError| {
        error.field_errors().iter().any(|known| known.pointer == fault.pointer)
    };
    let more: Vec<FieldError> = faults.into_iter().filter(|fault| !is_known(fault)).collect();
    error.with_field_errors(max_field_errors(body.len()), more)
}

fn fault((pointer, name): Absent) -> FieldError {
    FieldError::at(pointer, format!("missing field `{name}`"))
}

/// The schema of the body of the route that was matched.
fn documented(parts: &Parts) -> Option<MakeSchema> {
    let app = context::try_app()?;
    let path = parts.extensions.get::<MatchedPath>()?.as_str();
    let mut routes = app.routes().iter();
    let route = routes.find(|route| route.path == path && route.method == parts.method)?;
    route.operation.read_body()?.schema
}

/// The pointer of what is missing, and its name.
type Absent = (String, String);

/// What is looked for in one body, one more than is told among them.
const MOST: usize = crate::error::handler_error::MAX_FIELD_ERRORS + 1;

/// How deep schemas may refer to schemas in one another.
const DEPTH: usize = 256;

fn absent(body: &Value, make: MakeSchema) -> Vec<Absent> {
    let settings = SchemaSettings::draft2020_12().for_deserialize();
    let mut generator: SchemaGenerator = settings.into_generator();
    let schema = make(&mut generator).to_value();
    let mut search = Search { definitions: generator.definitions(), found: Vec::new() };
    search.look(body, &schema, "", DEPTH);
    search.found
}

struct Search<'a> {
    definitions: &'a Map<String, Value>,
    found: Vec<Absent>,
}

impl Search<'_> {
    /// Looks through `value` by what `schema` requires. What it leaves open (`oneOf`) is not looked at.
    fn look(&mut self, value: &Value, schema: &Value, place: &str, depth: usize) {
        let Some(depth) = depth.checked_sub(1).filter(|_| self.found.len() < MOST) else { return };
        if let Some(definition) = Self::referred(self.definitions, schema) {
            self.look(value, definition, place, depth);
        }
        for part in parts_of(schema) {
            self.look(value, part, place, depth);
        }
        match value {
            Value::Object(members) => {
                self.require(members, schema, place);
                for (name, member) in members {
                    self.look(member, &schema["properties"][name], &below(place, name), depth);
                }
            }
            Value::Array(items) if schema["items"].is_object() => {
                for (index, item) in items.iter().enumerate() {
                    self.look(item, &schema["items"], &below(place, &index.to_string()), depth);
                }
            }
            _ => {}
        }
    }

    fn require(&mut self, members: &Map<String, Value>, schema: &Value, place: &str) {
        let required = schema["required"].as_array().into_iter().flatten();
        for name in required.filter_map(Value::as_str) {
            if self.found.len() < MOST && !members.contains_key(name) {
                self.found.push((below(place, name), name.to_owned()));
            }
        }
    }

    fn referred<'d>(definitions: &'d Map<String, Value>, schema: &Value) -> Option<&'d Value> {
        let (_, name) = schema["$ref"].as_str()?.rsplit_once('/')?;
        let name = name.replace("~1", "/").replace("~0", "~");
        definitions.get(&name)
    }
}

/// The schemas that hold as well: all of `allOf`, and that of an `Option`, which is one or null.
fn parts_of(schema: &Value) -> impl Iterator<Item = &Value> {
    let list = |name: &str| schema[name].as_array().map_or(&[][..], Vec::as_slice);
    let option = match list("anyOf") {
        [some, null] if null["type"] == "null" => Some(some),
        _ => None,
    };
    list("allOf").iter().chain(option)
}

fn below(place: &str, token: &str) -> String {
    let mut pointer = place.to_owned();
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
    #[expect(dead_code, reason = "its schema alone is asked for")]
    struct Company {
        cnpj: String,
        name: String,
        trade_name: Option<String>,
        #[serde(default)]
        partners: Vec<Partner>,
        seat: Option<Seat>,
    }

    #[derive(Deserialize, JsonSchema)]
    #[expect(dead_code, reason = "its schema alone is asked for")]
    struct Partner {
        #[serde(rename = "a/b")]
        share: u8,
        parent: Option<Box<Partner>>,
    }

    #[derive(Deserialize, JsonSchema)]
    #[expect(dead_code, reason = "its schema alone is asked for")]
    struct Seat {
        city: String,
    }

    fn places(body: &Value) -> Vec<String> {
        let make: MakeSchema = SchemaGenerator::subschema_for::<Company>;
        absent(body, make).into_iter().map(|(pointer, _)| pointer).collect()
    }

    #[test]
    fn all_that_is_missing_is_found_at_any_depth() {
        assert_eq!(places(&json!({})), ["/cnpj", "/name"]);
        let body = json!({
            "cnpj": 7, "seat": {},
            "partners": [{ "a/b": 1 }, { "parent": { "parent": null } }],
        });
        let mut found = places(&body);
        found.sort();
        assert_eq!(found, ["/name", "/partners/1/a~1b", "/partners/1/parent/a~1b", "/seat/city"]);
    }

    #[test]
    fn of_very_many_one_more_than_is_told_is_found() {
        let partners: Vec<Value> = (0..1000).map(|_| json!({})).collect();
        assert_eq!(places(&json!({ "partners": partners })).len(), MOST);
    }
}
