//! Rejects the parameters of a list that neither the filter nor the list reads.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::sort::SortBy;
use crate::http::extract::urlencoded::{
    NameValuePairs, ParameterError, field_names, object_and_member,
};

/// Returns whether `name` is a parameter of order or page.
pub(super) fn is_list_parameter<B: SortBy>(name: &str) -> bool {
    matches!(name, "page" | "per_page") || name == "sort" && !B::FIELDS.is_empty()
}

/// Removes the parameters without a value, and rejects each that `F` does not read, also if `F` itself ignores unknown
/// fields.
pub(super) fn reject_unknown<F, B>(
    pairs: &mut NameValuePairs<'_>,
    max: usize,
    errors: &mut Vec<ParameterError>,
) where
    F: DeserializeOwned + JsonSchema,
    B: SortBy,
{
    let mut unknown = Vec::new();
    if let Some(fields) = field_names::<F>() {
        pairs.remove_if(|name, is_empty| {
            // The part before the bracket counts, because `range[min]` is a member of the field `range`.
            let object = object_and_member(name).map_or(name, |(object, _)| object);
            let is_field = fields.contains(&name) || fields.contains(&object);
            if !is_field && unknown.len() <= max {
                unknown.push(name.to_owned());
            }
            is_empty || !is_field
        });
        unknown.truncate(max + 1);
        let members = pairs.find_unread_members::<F>(max);
        pairs.remove_if(|name, _| members.iter().any(|unknown| unknown == name));
        unknown.extend(members);
    } else {
        // Each name is probed, because a type with flattened fields does not announce them, and serde accepts the
        // parameters that no field reads.
        pairs.remove_if(|_, is_empty| is_empty);
        unknown = pairs.find_unread_names::<F>(max, documented_names::<F>);
        pairs.remove_if(|name, _| unknown.iter().any(|unknown| unknown == name));
    }
    let names = match field_names::<F>() {
        _ if unknown.is_empty() => return,
        Some(fields) => fields.iter().map(|&name| name.to_owned()).collect(),
        None => documented_names::<F>().0,
    };
    let error = |name: String| {
        let message = unknown_parameter_message::<B>(&name, &names);
        (Some(name), message)
    };
    errors.extend(unknown.into_iter().map(error));
}

/// Returns the names of the parameters in the schema of `F`, and whether the schema allows others.
#[cold]
fn documented_names<F: JsonSchema>() -> (Vec<String>, bool) {
    let settings = SchemaSettings::draft2020_12().for_deserialize();
    let mut generator = settings.into_generator();
    let schema = F::json_schema(&mut generator).to_value();
    let mut names = Vec::new();
    let is_open = collect_names(&schema, generator.definitions(), &mut names, &mut Vec::new());
    (names, is_open)
}

/// Adds the names of all properties of `schema` to `names`. Returns whether it allows properties of any name.
fn collect_names(
    schema: &Value,
    definitions: &Map<String, Value>,
    names: &mut Vec<String>,
    followed: &mut Vec<String>,
) -> bool {
    let more = schema.get("additionalProperties");
    let mut is_open = more.is_some_and(|more| *more != Value::Bool(false));
    for name in schema["properties"].as_object().into_iter().flat_map(Map::keys) {
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    let referred = schema["$ref"].as_str().and_then(|path| path.rsplit_once('/'));
    if let Some((_, name)) = referred
        && let Some(definition) = definitions.get(name)
        && !followed.iter().any(|followed| followed == name)
    {
        // Each definition is followed once, because a type may contain itself.
        followed.push(name.to_owned());
        is_open |= collect_names(definition, definitions, names, followed);
    }
    for key in ["allOf", "anyOf", "oneOf"] {
        for part in schema[key].as_array().into_iter().flatten() {
            is_open |= collect_names(part, definitions, names, followed);
        }
    }
    is_open
}

/// Returns the message for an unknown parameter.
#[cold]
fn unknown_parameter_message<B: SortBy>(name: &str, fields: &[String]) -> String {
    if fields.iter().any(|field| field == name) {
        return "cannot be combined with the other parameters".into();
    }
    let list_parameters =
        ["sort", "page", "per_page"].into_iter().filter(|name| is_list_parameter::<B>(name));
    let all: Vec<String> = fields
        .iter()
        .map(String::as_str)
        .chain(list_parameters)
        .map(|name| format!("`{name}`"))
        .collect();
    format!("unknown parameter; expected one of {}", all.join(", "))
}
