//! From routes to the OpenAPI document.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use super::parameters::{self, read_by_query};
use super::responses::{Failures, essence, media};
use super::schemas::Schemas;
use super::security::Securities;
use super::settings::is_spdx;
use super::{OpenApi, clean, examples, ids, read, unions};
use crate::config::Config;
use crate::handle::Handle;
use crate::http::{HttpSettings, OwnFormat, RouteInfo};

/// What a document is made from.
pub(super) struct Source<'a> {
    pub name: &'a str,
    pub version: Option<&'a str>,
    pub routes: &'a [RouteInfo],
    pub config: &'a Config,
    /// The app that is described, where it is running.
    pub running: Option<&'a Handle>,
    pub said: &'a OpenApi,
    /// The paths whose failures have a format of the service's own.
    pub own_formats: Vec<&'a OwnFormat>,
}

/// A document, and what it could not say.
pub(super) struct Made {
    pub document: Value,
    /// The handlers with types that say nothing of themselves: a line each.
    pub undocumented: Vec<String>,
}

/// The document of `source`.
pub(super) fn make(source: &Source<'_>) -> Made {
    let mut routes: Vec<&RouteInfo> = source.routes.iter().filter(|info| is_listed(info)).collect();
    // Types of one name are numbered as they are met: not by where the code has its routes.
    routes.sort_by_key(|info| (&*info.path, info.method.as_str()));
    let mut schemas = Schemas::new();
    let mut securities = Securities::new(source.config, source.running);
    let failures = Failures::new(read::<HttpSettings>(source.config, "http").error_style);
    let mut paths: Map<String, Value> = Map::new();
    for (info, id) in routes.iter().zip(ids::of(&routes)) {
        let security = securities.of(&info.operation);
        let own_format = source.own_formats.iter().any(|format| format.covers(&info.path));
        let failures = if own_format { failures.in_own_format() } else { failures };
        let operation = operation(info, &id, security, failures, &mut schemas);
        let item = paths.entry(path(&info.path)).or_insert_with(|| json!({}));
        item[info.method.as_str().to_ascii_lowercase()] = operation;
    }
    let mut document = json!({ "paths": paths });
    let (responses, own_schemas) = failures.components(&document["paths"]);
    let mut all = schemas.finish(&mut document, failures.schema_names());
    all.extend(own_schemas);
    let mut components = Map::new();
    for (name, map) in
        [("schemas", all), ("responses", responses), ("securitySchemes", securities.finish())]
    {
        if !map.is_empty() {
            components.insert(name.into(), map.into());
        }
    }
    document["openapi"] = "3.1.0".into();
    document["info"] = info(source);
    document["servers"] = servers(source.said);
    document["tags"] = tags(source.said, &routes);
    document["components"] = components.into();
    clean::document(&mut document);
    unions::name_variants(&mut document);
    examples::fill(&mut document);
    Made { document, undocumented: undocumented(&routes) }
}

/// `HEAD` is had wherever `GET` is; OpenAPI has no `CONNECT`.
fn is_listed(info: &RouteInfo) -> bool {
    info.listed && !matches!(info.method.as_str(), "HEAD" | "CONNECT")
}

/// `{*rest}` is `{rest}` in OpenAPI.
fn path(path: &str) -> String {
    path.replace("{*", "{")
}

fn operation(
    info: &RouteInfo,
    id: &str,
    security: Value,
    failures: Failures,
    schemas: &mut Schemas,
) -> Value {
    let mut operation = json!({ "operationId": id, "security": security });
    let (mut summary, description) = words(info.doc);
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
    let parameters = parameters::of(info, schemas);
    if !parameters.is_empty() {
        operation["parameters"] = parameters.into();
    }
    if let Some(body) = body(info, schemas) {
        operation["requestBody"] = body;
    }
    let (parameters, reads_body) = (&operation["parameters"], operation["requestBody"].is_object());
    let parameters = parameters.as_array().map_or(&[][..], Vec::as_slice);
    operation["responses"] = failures.answers(&info.operation, parameters, reads_body, schemas);
    operation
}

fn body(info: &RouteInfo, schemas: &mut Schemas) -> Option<Value> {
    let read = info.operation.read_body()?;
    if read_by_query(info.method.as_str(), &info.operation).is_some() {
        return None;
    }
    let schema = read.schema.map(|make| schemas.input(make));
    let mut body = json!({ "required": read.required });
    // Text of no length is text, too.
    if read.schema.is_none() {
        body["required"] = false.into();
    }
    let mut content = media(read.media_type, schema);
    if read.media_type == "application/x-www-form-urlencoded" {
        let schema = schemas.resolved(&content["schema"]);
        for (name, member) in schema["properties"].as_object().into_iter().flatten() {
            if is_object(member, schemas, 0) {
                // `name[member]=..`, as in a query.
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
fn is_object(schema: &Value, schemas: &Schemas, depth: usize) -> bool {
    // A union may hold itself: `enum Rule { Not(Box<Rule>), .. }` that is untagged.
    if depth > 4 {
        return false;
    }
    let schema = schemas.resolved(schema);
    let mut parts = ["anyOf", "oneOf", "allOf"].iter().filter_map(|key| schema[*key].as_array());
    schema["type"] == "object"
        || parts.any(|parts| parts.iter().any(|part| is_object(part, schemas, depth + 1)))
}

/// The first paragraph on one line, and the others.
fn words(doc: &str) -> (String, String) {
    let (first, rest) = doc.split_once("\n\n").unwrap_or((doc, ""));
    let first = first.lines().map(str::trim).collect::<Vec<_>>().join(" ");
    (first.trim_end_matches('.').to_owned(), rest.trim().to_owned())
}

fn info(source: &Source<'_>) -> Value {
    let OpenApi { title, description, license, .. } = source.said;
    let mut info = json!({
        "title": title.as_deref().unwrap_or(source.name),
        "version": source.version.unwrap_or("0.0.0"),
    });
    if let Some(description) = description {
        info["description"] = json!(description);
    }
    let OpenApi { contact_name, contact_email, contact_url, .. } = source.said;
    for (key, value) in [("name", contact_name), ("email", contact_email), ("url", contact_url)] {
        if let Some(value) = value {
            info["contact"][key] = json!(value);
        }
    }
    if let Some(license) = license {
        info["license"] = json!({ "name": license });
        if is_spdx(license) {
            info["license"]["identifier"] = json!(license);
        }
    }
    info
}

fn servers(said: &OpenApi) -> Value {
    if said.servers.is_empty() {
        return json!([{ "url": "/", "description": "Where this document is." }]);
    }
    let server = |[url, description]: &[Cow<'static, str>; 2]| match description.is_empty() {
        true => json!({ "url": url }),
        false => json!({ "url": url, "description": description }),
    };
    said.servers.iter().map(server).collect()
}

/// The tags that are described, in that order, then the others.
fn tags(said: &OpenApi, routes: &[&RouteInfo]) -> Value {
    let described = said
        .tags
        .iter()
        .map(|[name, description]| json!({ "name": name, "description": description }));
    let mut all: Vec<Value> = described.collect();
    let mut others: Vec<&str> = routes.iter().filter_map(|info| info.tag).collect();
    others.sort_unstable();
    others.dedup();
    others.retain(|name| !said.tags.iter().any(|[known, _]| known == name));
    all.extend(others.into_iter().map(|name| json!({ "name": name })));
    all.into()
}

fn undocumented(routes: &[&RouteInfo]) -> Vec<String> {
    let mut lines = Vec::new();
    for info in routes {
        for name in info.operation.undocumented_types() {
            lines.push(format!(
                "{} {}: `{name}` says nothing of itself, in `{}` ({})",
                info.method, info.path, info.handler, info.source
            ));
        }
    }
    lines
}
