//! Sample requests for every operation of the document, in an order in which they succeed on a newly started
//! service: creating requests come first, and store the id that the others use in a variable.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::openapi::document::{SCHEMA_PREFIX, example_of, free_name, path_names};
use crate::openapi::stable_json;

/// A request with example values.
pub(super) struct SampleRequest<'a> {
    pub id: &'a str,
    pub summary: &'a str,
    pub description: &'a str,
    pub tag: &'a str,
    pub method: String,
    /// The path with `{name}` for each parameter.
    pub path: &'a str,
    /// Name, value, and whether it is sent. Optional ones are listed, and switched off.
    pub query: Vec<(String, String, bool)>,
    pub headers: Vec<(String, String, bool)>,
    /// The value of each path parameter: a variable that an earlier request sets, or an example.
    pub path_values: BTreeMap<String, PathValue<'a>>,
    pub body: Option<(&'a str, SampleBody)>,
    /// The schema of the body, with its reference followed.
    pub body_schema: &'a Value,
    pub auth: SampleAuth,
    pub responses: &'a Map<String, Value>,
    /// The resource that it creates.
    pub creates: Option<CreatedResource>,
    /// True if a response holds a token: see [`token_member`].
    pub yields_token: bool,
    /// Variables in the place of members of the body, and whether they are in quotes.
    pub body_variables: Vec<(String, bool)>,
}

impl SampleRequest<'_> {
    /// Returns a JSON body as text with variables in it. Other `{{` are escaped, because the tools would read those
    /// of an example as variables as well.
    pub fn json_text(&self, body: &Value) -> String {
        let mut text = replace_outside_token(&stable_json::pretty(body), "{\\u007b");
        for (variable, quoted) in &self.body_variables {
            let value = format!("{{{{{variable}}}}}");
            let value = if *quoted { format!("\"{value}\"") } else { value };
            text = text.replace(&placeholder(variable).to_string(), &value);
        }
        text
    }
}

/// Returns the placeholder of a variable in a body. It begins with a NUL, as no example does.
fn placeholder(variable: &str) -> Value {
    Value::String(format!("\0{variable}"))
}

/// Separates `{{`, so that no variable is read. For headers, which have no escape.
pub(super) fn without_variables(text: &str) -> String {
    replace_outside_token(text, "{ {")
}

/// Replaces each `{{` that does not begin the variable of the token.
fn replace_outside_token(text: &str, braces: &str) -> String {
    let parts = text.split(TOKEN).map(|part| part.replace("{{", braces));
    parts.collect::<Vec<_>>().join(TOKEN)
}

/// Returns the member of a response that holds a token.
pub(super) fn token_member(schema: &Value) -> Option<&'static str> {
    ["access_token", "token"].into_iter().find(|name| schema["properties"].get(name).is_some())
}

/// The body of a sample request.
pub(super) enum SampleBody {
    Json(Value),
    Form(Vec<(String, String)>),
    Text(String),
}

/// The value of a path parameter.
#[derive(Clone)]
pub(super) struct PathValue<'a> {
    /// The schema of the parameter.
    pub schema: &'a Value,
    /// The variable that an earlier request sets, if any.
    pub variable: Option<String>,
    pub example: String,
}

/// The variable for a created resource, and the member of the 201 response that identifies it.
#[derive(Clone)]
pub(super) struct CreatedResource {
    pub variable: String,
    pub member: String,
}

/// The credentials of a request: the first security requirement that suffices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SampleAuth {
    Anonymous,
    Key,
    Bearer,
    /// A token that is not in `Authorization: Bearer`, but in another header, the query or the body.
    TokenElsewhere,
}

/// The variable of the token.
pub(super) const TOKEN: &str = "{{token}}";

/// Returns the requests, in an order in which they succeed.
pub(super) fn from_document(document: &Value) -> Vec<SampleRequest<'_>> {
    let paths: Vec<(&str, &Value)> = members(&document["paths"]);
    let mut requests: Vec<SampleRequest<'_>> = paths
        .iter()
        .flat_map(|(path, item)| {
            members(item).into_iter().map(move |(method, it)| (path, method, it))
        })
        .map(|(path, method, operation)| request(document, path, method, operation))
        .collect();
    set_created_variables(document, &mut requests, &paths);
    let order = tag_order(document);
    requests.sort_by_key(|request| {
        let tag = order.iter().position(|tag| *tag == request.tag).unwrap_or(order.len());
        let creates = request.method == "POST" && !request.path.contains('{');
        let deletes = request.method == "DELETE";
        let method = ["GET", "POST", "PUT", "PATCH"].iter().position(|one| *one == request.method);
        // Tokens last among the creating requests, because an account exists before its owner logs in.
        (deletes, tag, !creates, request.yields_token, request.path, method)
    });
    requests
}

/// Returns the members of an object in the order of their names. A Cargo feature of `serde_json` would change
/// the order otherwise.
fn members(value: &Value) -> Vec<(&str, &Value)> {
    let mut members: Vec<(&str, &Value)> =
        value.as_object().into_iter().flatten().map(|(key, value)| (&**key, value)).collect();
    members.sort_by_key(|(key, _)| *key);
    members
}

fn tag_order(document: &Value) -> Vec<&str> {
    let tags = document["tags"].as_array().into_iter().flatten();
    tags.filter_map(|tag| tag["name"].as_str()).collect()
}

fn request<'a>(
    document: &'a Value,
    path: &'a str,
    method: &str,
    operation: &'a Value,
) -> SampleRequest<'a> {
    let schemas = &document["components"]["schemas"];
    let mut request = SampleRequest {
        id: operation["operationId"].as_str().unwrap_or_default(),
        summary: operation["summary"].as_str().unwrap_or(path),
        description: operation["description"].as_str().unwrap_or_default(),
        tag: operation["tags"][0].as_str().unwrap_or_default(),
        method: method.to_ascii_uppercase(),
        path,
        query: Vec::new(),
        headers: Vec::new(),
        path_values: BTreeMap::new(),
        body: body(&operation["requestBody"]),
        body_schema: body_schema(document, &operation["requestBody"]),
        auth: auth(document, operation),
        responses: operation["responses"].as_object().expect("each operation has answers"),
        creates: None,
        yields_token: yields_token(document, &operation["responses"]),
        body_variables: Vec::new(),
    };
    for parameter in operation["parameters"].as_array().into_iter().flatten() {
        let name = parameter["name"].as_str().unwrap_or_default().to_owned();
        let said = parameter.get("example").cloned();
        let example = said.or_else(|| example_of(&parameter["schema"], schemas));
        let example = example.unwrap_or_default();
        let sent = parameter["required"] == true;
        let is_exploded = example.is_array() && parameter["explode"] != false;
        if parameter["in"] == "query" && (is_exploded || parameter["style"] == "deepObject") {
            let mut pairs = Vec::new();
            push_pairs(name, &example, &mut pairs);
            request.query.extend(pairs.into_iter().map(|(name, value)| (name, value, sent)));
            continue;
        }
        let example = url_text(&example);
        match parameter["in"].as_str() {
            Some("query") => request.query.push((name, example, sent)),
            Some("header") => request.headers.push((name, example, sent)),
            _ => {
                // The name as a fallback, because the path without a value would be another one.
                let example = if example.is_empty() { name.clone() } else { example };
                let schema = &parameter["schema"];
                let value = PathValue { schema, variable: None, example };
                request.path_values.insert(name, value);
            }
        }
    }
    if request.auth == SampleAuth::TokenElsewhere
        && let Some(scheme) = scheme(document, operation)
    {
        place_token(&mut request, scheme);
    }
    request
}

/// Adds the pairs of a value: a pair for each item of a list, and `name[member]` for each member of an object.
fn push_pairs(name: String, value: &Value, pairs: &mut Vec<(String, String)>) {
    match value {
        Value::Array(items) => {
            pairs.extend(items.iter().map(|item| (name.clone(), url_text(item))));
        }
        Value::Object(_) => {
            for (member, value) in members(value) {
                if !value.is_null() {
                    push_pairs(format!("{name}[{member}]"), value, pairs);
                }
            }
        }
        value => pairs.push((name, url_text(value))),
    }
}

/// Puts the token where its security scheme says.
fn place_token(request: &mut SampleRequest<'_>, scheme: &Value) {
    let text = |member: &str| scheme[member].as_str().unwrap_or_default().to_owned();
    let (name, value) = (text("name"), text("x-value").replace("<token>", TOKEN));
    match scheme["in"].as_str() {
        Some("query") => request.query.push((name, value, true)),
        Some("cookie") => request.headers.push(("Cookie".into(), format!("{name}={value}"), true)),
        Some("header") => request.headers.push((name, value, true)),
        _ => {
            let name = text("x-member");
            let (_, body) = request.body.get_or_insert_with(|| {
                ("application/json", SampleBody::Json(Value::Object(Map::new())))
            });
            if let SampleBody::Json(Value::Object(members)) = body {
                members.insert(name, value.into());
            }
        }
    }
}

/// Returns a value as text in a path or a query.
fn url_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        Value::Array(items) => items.iter().map(url_text).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

fn body(described: &Value) -> Option<(&str, SampleBody)> {
    let (media_type, media) = *members(&described["content"]).first()?;
    let example =
        media.get("example").cloned().or_else(|| media["schema"]["examples"].get(0).cloned());
    let body = match example {
        Some(example) if media_type.contains("form") => {
            let mut pairs = Vec::new();
            for (name, value) in members(&example) {
                push_pairs(name.to_owned(), value, &mut pairs);
            }
            SampleBody::Form(pairs)
        }
        Some(example) => SampleBody::Json(example),
        None if media_type.contains("json") => SampleBody::Json(Value::Object(Map::new())),
        None => SampleBody::Text(String::new()),
    };
    Some((media_type, body))
}

fn body_schema<'a>(document: &'a Value, described: &'a Value) -> &'a Value {
    let content = members(&described["content"]).first().map(|(_, media)| *media);
    resolved(document, content.map_or(&Value::Null, |media| &media["schema"]))
}

/// The schema that `schema` refers to, or itself.
fn resolved<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    match schema["$ref"].as_str().and_then(|path| path.strip_prefix(SCHEMA_PREFIX)) {
        Some(name) => &document["components"]["schemas"][name],
        None => schema,
    }
}

fn yields_token(document: &Value, answers: &Value) -> bool {
    members(answers).into_iter().any(|(status, answer)| {
        let schema = &answer["content"]["application/json"]["schema"];
        status.starts_with('2') && token_member(resolved(document, schema)).is_some()
    })
}

/// Returns whether two schemas allow the same values; descriptions do not count.
fn is_same(document: &Value, one: &Value, other: &Value) -> bool {
    let without_annotations = |schema: &Value| {
        let mut schema = resolved(document, schema).clone();
        if let Value::Object(map) = &mut schema {
            for key in ["title", "description", "examples", "example", "default", "deprecated"] {
                map.remove(key);
            }
        }
        schema
    };
    without_annotations(one) == without_annotations(other)
}

/// Returns the first security scheme that suffices for an operation.
fn scheme<'a>(document: &'a Value, operation: &Value) -> Option<&'a Value> {
    let requirements = operation["security"].as_array().into_iter().flatten();
    let first = requirements.filter_map(Value::as_object).find_map(|way| way.keys().min())?;
    document["components"]["securitySchemes"].get(first)
}

fn auth(document: &Value, operation: &Value) -> SampleAuth {
    let Some(scheme) = scheme(document, operation) else { return SampleAuth::Anonymous };
    match scheme["type"].as_str() {
        _ if scheme.get("x-value").is_some() => SampleAuth::TokenElsewhere,
        Some("apiKey") if scheme["in"] == "header" => SampleAuth::Key,
        Some("http") => SampleAuth::Bearer,
        _ => SampleAuth::Anonymous,
    }
}

/// Variables with a meaning of their own in the exported files.
const RESERVED_VARIABLES: [&str; 3] = ["baseUrl", "apiKey", "token"];

/// Returns a name for a variable, of letters, digits and `_`: some tools read anything else as an operator.
pub(super) fn variable_name(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let name: String = name.chars().map(plain).collect();
    if name.starts_with(|c: char| c.is_ascii_digit()) { format!("_{name}") } else { name }
}

/// Sets the variables for created resources: `POST /companies` sets the one that `/companies/{cnpj}` uses.
fn set_created_variables(
    document: &Value,
    requests: &mut [SampleRequest<'_>],
    paths: &[(&str, &Value)],
) {
    let mut made: BTreeMap<String, CreatedResource> = BTreeMap::new();
    for request in requests.iter_mut() {
        if request.method != "POST" || !request.responses.contains_key("201") {
            continue;
        }
        let below = format!("{}/{{", request.path.trim_end_matches('/'));
        let Some(rest) = paths.iter().find_map(|(path, _)| path.strip_prefix(&below)) else {
            continue;
        };
        let Some((member, _)) = rest.split_once('}') else { continue };
        let mut segments = request.path.split('/').filter(|part| !part.starts_with('{'));
        let last = segments.rfind(|part| !part.is_empty()).unwrap_or("created");
        let variable = free_name(&variable_name(&format!("{last}_{member}")), |name| {
            RESERVED_VARIABLES.contains(&name)
                || made.values().any(|known: &CreatedResource| known.variable == name)
        });
        let created = CreatedResource { variable, member: member.to_owned() };
        made.insert(format!("{below}{member}}}"), created.clone());
        request.creates = Some(created);
    }
    for request in requests {
        for name in path_names(request.path) {
            let end = request.path.find(&format!("{{{name}}}")).map(|at| at + name.len() + 2);
            let here = &request.path[..end.unwrap_or(request.path.len())];
            let (Some(created), Some(value)) = (made.get(here), request.path_values.get_mut(&name))
            else {
                continue;
            };
            value.variable = Some(created.variable.clone());
            // The same variable, because a body that repeats a value of the path has to agree with it. Not for a
            // member of another type, which has the same name by chance.
            if let Some((_, SampleBody::Json(Value::Object(body)))) = &mut request.body
                && let Some(member) = body.get_mut(&name)
                && is_same(document, value.schema, &request.body_schema["properties"][&name])
            {
                request.body_variables.push((created.variable.clone(), member.is_string()));
                *member = placeholder(&created.variable);
            }
        }
    }
}

/// Returns the header of the API key, if some operation requires one.
pub(super) fn key_header(document: &Value) -> Option<&str> {
    let schemes = document["components"]["securitySchemes"].as_object()?;
    let is_key = |one: &&Value| {
        one["type"] == "apiKey" && one["in"] == "header" && one.get("x-value").is_none()
    };
    let keys = schemes.values().filter(is_key);
    keys.filter_map(|scheme| scheme["name"].as_str()).min()
}
