//! Builds the OpenAPI document from routes.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use super::parameters::{self, query_form_schema};
use super::responses::{ErrorResponses, essence, media};
use super::schemas::SchemaCollector;
use super::security::SecuritySchemeCollector;
use super::{enum_variants, examples, operation_ids, portable_schemas};
use crate::config::Config;
use crate::handle::Handle;
use crate::http::{HttpSettings, RendererPath, RouteInfo};
use crate::openapi::info::OpenApi;
use crate::openapi::info_checks::is_spdx;
use crate::openapi::settings::read_checked;

/// Everything that a document is built from.
pub(in crate::openapi) struct DocumentSource<'a> {
    pub name: &'a str,
    pub version: Option<&'a str>,
    pub routes: &'a [RouteInfo],
    pub config: &'a Config,
    /// The described app, if it is running.
    pub running: Option<&'a Handle>,
    pub info: &'a OpenApi,
    /// The paths with an error format of their own: see `App::error_renderer`.
    pub own_formats: Vec<&'a RendererPath>,
}

/// A document, and the types that it could not describe.
pub(in crate::openapi) struct DocumentOutput {
    pub document: Value,
    /// One line for each type of a handler that does not describe itself.
    pub undocumented: Vec<String>,
}

/// Builds the document of `source`.
pub(in crate::openapi) fn build_document(source: &DocumentSource<'_>) -> DocumentOutput {
    let mut routes: Vec<&RouteInfo> = source.routes.iter().filter(|info| is_listed(info)).collect();
    // Sorted first, because types of one name are numbered in the order of the routes: otherwise moving a
    // route in the code would rename them.
    routes.sort_by_key(|info| (&*info.path, info.method.as_str()));
    let mut schemas = SchemaCollector::new();
    let mut security_schemes = SecuritySchemeCollector::new(source.config, source.running);
    let error_responses =
        ErrorResponses::new(read_checked::<HttpSettings>(source.config, "http").error_style);
    let mut paths: Map<String, Value> = Map::new();
    for (info, id) in routes.iter().zip(operation_ids::for_routes(&routes)) {
        let security = security_schemes.requirements_of(&info.operation);
        let own_format = source.own_formats.iter().any(|format| format.covers(&info.path));
        let error_responses =
            if own_format { error_responses.with_own_renderer() } else { error_responses };
        let operation = operation(info, &id, security, error_responses, &mut schemas);
        let item = paths.entry(openapi_path(&info.path)).or_insert_with(|| json!({}));
        item[info.method.as_str().to_ascii_lowercase()] = operation;
    }
    let mut document = json!({ "paths": paths });
    let (responses, own_schemas) = error_responses.components(&document["paths"]);
    let mut all = schemas.finish(&mut document, error_responses.schema_names());
    all.extend(own_schemas);
    let mut components = Map::new();
    for (name, map) in
        [("schemas", all), ("responses", responses), ("securitySchemes", security_schemes.finish())]
    {
        if !map.is_empty() {
            components.insert(name.into(), map.into());
        }
    }
    document["openapi"] = "3.1.0".into();
    document["info"] = info(source);
    document["servers"] = servers(source.info);
    document["tags"] = tags(source.info, &routes);
    document["components"] = components.into();
    portable_schemas::rewrite(&mut document);
    enum_variants::name_variants(&mut document);
    examples::fill_missing(&mut document);
    DocumentOutput { document, undocumented: undocumented(&routes) }
}

/// Returns whether the route is in the document. `HEAD` is left out because every `GET` has it, and `CONNECT`
/// because OpenAPI does not know it.
fn is_listed(info: &RouteInfo) -> bool {
    info.listed && !matches!(info.method.as_str(), "HEAD" | "CONNECT")
}

/// Returns the path in OpenAPI's form: `{rest}` for `{*rest}`.
fn openapi_path(path: &str) -> String {
    path.replace("{*", "{")
}

fn operation(
    info: &RouteInfo,
    id: &str,
    security: Value,
    error_responses: ErrorResponses,
    schemas: &mut SchemaCollector,
) -> Value {
    let mut operation = json!({ "operationId": id, "security": security });
    let (mut summary, description) = summary_and_description(info.doc);
    if summary.is_empty() {
        summary = title(id);
    }
    for (key, text) in [("summary", summary), ("description", description)] {
        if !text.is_empty() {
            operation[key] = text.into();
        }
    }
    if let Some(tag) = info.tag {
        operation["tags"] = json!([tag]);
    }
    if info.operation.is_deprecated() {
        operation["deprecated"] = true.into();
    }
    let parameters = parameters::for_route(info, schemas);
    if !parameters.is_empty() {
        operation["parameters"] = parameters.into();
    }
    if let Some(body) = body(info, schemas) {
        operation["requestBody"] = body;
    }
    let (parameters, reads_body) = (&operation["parameters"], operation["requestBody"].is_object());
    let parameters = parameters.as_array().map_or(&[][..], Vec::as_slice);
    operation["responses"] =
        error_responses.responses(&info.operation, parameters, reads_body, schemas);
    operation
}

fn body(info: &RouteInfo, schemas: &mut SchemaCollector) -> Option<Value> {
    let read = info.operation.read_body()?;
    if query_form_schema(info.method.as_str(), &info.operation).is_some() {
        return None;
    }
    let schema = read.schema.map(|make| schemas.input(make));
    let mut body = json!({ "required": read.required });
    // Not required, because a missing body is the same as empty text.
    if read.schema.is_none() {
        body["required"] = false.into();
    }
    let mut content = media(read.media_type, schema);
    if read.media_type == "application/x-www-form-urlencoded" {
        let schema = schemas.resolved(&content["schema"]);
        for (name, member) in schema["properties"].as_object().into_iter().flatten() {
            if is_object(member, schemas, 0) {
                // Otherwise generators would send the member as JSON; it is read as `name[member]=..`.
                content["encoding"][name] = json!({ "style": "deepObject", "explode": true });
            }
        }
    }
    body["content"][essence(read.media_type)] = content;
    Some(body)
}

/// Returns the summary of an operation without a doc comment: `Orders list` for `orders_list`.
fn title(id: &str) -> String {
    let text = id.split('_').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// Returns whether values of `schema` are objects, also where they may be missing.
fn is_object(schema: &Value, schemas: &SchemaCollector, depth: usize) -> bool {
    // Bounded, because an untagged enum may contain itself: `enum Rule { Not(Box<Rule>), .. }`.
    if depth > 4 {
        return false;
    }
    let schema = schemas.resolved(schema);
    let mut parts = ["anyOf", "oneOf", "allOf"].iter().filter_map(|key| schema[*key].as_array());
    schema["type"] == "object"
        || parts.any(|parts| parts.iter().any(|part| is_object(part, schemas, depth + 1)))
}

/// Splits a doc comment into its first paragraph, on one line, and the rest.
fn summary_and_description(doc: &str) -> (String, String) {
    let (first, rest) = doc.split_once("\n\n").unwrap_or((doc, ""));
    let first = first.lines().map(str::trim).collect::<Vec<_>>().join(" ");
    (first.trim_end_matches('.').to_owned(), rest.trim().to_owned())
}

fn info(source: &DocumentSource<'_>) -> Value {
    let OpenApi { title, description, license, .. } = source.info;
    let mut object = json!({
        "title": title.as_deref().unwrap_or(source.name),
        "version": source.version.unwrap_or("0.0.0"),
    });
    if let Some(description) = description {
        object["description"] = json!(description);
    }
    let OpenApi { contact_name, contact_email, contact_url, .. } = source.info;
    for (key, value) in [("name", contact_name), ("email", contact_email), ("url", contact_url)] {
        if let Some(value) = value {
            object["contact"][key] = json!(value);
        }
    }
    if let Some(license) = license {
        object["license"] = json!({ "name": license });
        if is_spdx(license) {
            object["license"]["identifier"] = json!(license);
        }
    }
    object
}

fn servers(info: &OpenApi) -> Value {
    if info.servers.is_empty() {
        return json!([{ "url": "/", "description": "The host of this document." }]);
    }
    let server = |[url, description]: &[Cow<'static, str>; 2]| match description.is_empty() {
        true => json!({ "url": url }),
        false => json!({ "url": url, "description": description }),
    };
    info.servers.iter().map(server).collect()
}

/// Returns the tags: first the described ones in their order, then the others by name.
fn tags(info: &OpenApi, routes: &[&RouteInfo]) -> Value {
    let described = info
        .tags
        .iter()
        .map(|[name, description]| json!({ "name": name, "description": description }));
    let mut all: Vec<Value> = described.collect();
    let mut others: Vec<&str> = routes.iter().filter_map(|info| info.tag).collect();
    others.sort_unstable();
    others.dedup();
    others.retain(|name| !info.tags.iter().any(|[known, _]| known == name));
    all.extend(others.into_iter().map(|name| json!({ "name": name })));
    all.into()
}

fn undocumented(routes: &[&RouteInfo]) -> Vec<String> {
    let mut lines = Vec::new();
    for info in routes {
        for name in info.operation.undocumented_types() {
            lines.push(format!(
                "{} {}: `{name}` has no schema, in `{}` ({})",
                info.method, info.path, info.handler, info.source
            ));
        }
    }
    lines
}
