//! The document as a list of requests to send one after the other to a service that has just been
//! started: what creates goes before what looks at it, and hands on what it has created.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::schemas::{PLACE, free_name};
use super::{examples, parameters};

/// One request to send.
pub(super) struct Request<'a> {
    pub id: &'a str,
    pub summary: &'a str,
    pub description: &'a str,
    pub tag: &'a str,
    pub method: String,
    /// With `{name}` for each parameter.
    pub path: &'a str,
    /// Name, value, and whether it is sent: those that need not be are there to be switched on.
    pub query: Vec<(String, String, bool)>,
    pub headers: Vec<(String, String, bool)>,
    /// What stands for each parameter of the path: a variable of a request before, or an example.
    pub path_values: BTreeMap<String, PathValue<'a>>,
    pub body: Option<(&'a str, Body)>,
    /// The schema of the body, behind its reference.
    pub body_schema: &'a Value,
    pub auth: Auth,
    pub responses: &'a Map<String, Value>,
    /// What it creates: the variable, and the member of the answer that holds it.
    pub creates: Option<Created>,
    /// Whether an answer of it lets its receiver in: see [`token_member`].
    pub yields_token: bool,
    /// Variables that stand for members of the body, and whether in quotes.
    pub body_variables: Vec<(String, bool)>,
}

impl Request<'_> {
    /// A JSON body as text in which the tools replace our variables and nothing else: they would read `{{`
    /// of an example as a variable, too.
    pub fn json_text(&self, body: &Value) -> String {
        let mut text = outside_token(&super::json::pretty(body), "{\\u007b");
        for (variable, quoted) in &self.body_variables {
            let value = format!("{{{{{variable}}}}}");
            let value = if *quoted { format!("\"{value}\"") } else { value };
            text = text.replace(&marker(variable).to_string(), &value);
        }
        text
    }
}

/// Holds the place of a variable in a body. No example begins with a NUL.
fn marker(variable: &str) -> Value {
    Value::String(format!("\0{variable}"))
}

/// `{{` apart, where it cannot be written in another way: in a header.
pub(super) fn without_variables(text: &str) -> String {
    outside_token(text, "{ {")
}

/// Replaces each `{{` that does not begin the variable of the token.
fn outside_token(text: &str, braces: &str) -> String {
    let parts = text.split(TOKEN).map(|part| part.replace("{{", braces));
    parts.collect::<Vec<_>>().join(TOKEN)
}

/// The member of an answer that lets its receiver in.
pub(super) fn token_member(schema: &Value) -> Option<&'static str> {
    ["access_token", "token"].into_iter().find(|name| schema["properties"].get(name).is_some())
}

/// A body to send.
pub(super) enum Body {
    Json(Value),
    Form(Vec<(String, String)>),
    Text(String),
}

/// What stands for a parameter of the path.
#[derive(Clone)]
pub(super) struct PathValue<'a> {
    /// The schema of the parameter.
    pub schema: &'a Value,
    /// The variable that a request before has set, if one has.
    pub variable: Option<String>,
    pub example: String,
}

/// What an answer with 201 is remembered by.
#[derive(Clone)]
pub(super) struct Created {
    pub variable: String,
    pub member: String,
}

/// Who is calling, by the first way that is enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Auth {
    Nobody,
    Key,
    Bearer,
    /// A token elsewhere than in `Authorization: Bearer`: it is among the headers, the query or the body.
    Elsewhere,
}

/// The token of a request, a variable in the files of requests.
pub(super) const TOKEN: &str = "{{token}}";

/// The requests, in the order in which they work.
pub(super) fn of(document: &Value) -> Vec<Request<'_>> {
    let paths: Vec<(&str, &Value)> = members(&document["paths"]);
    let mut requests: Vec<Request<'_>> = paths
        .iter()
        .flat_map(|(path, item)| {
            members(item).into_iter().map(move |(method, it)| (path, method, it))
        })
        .map(|(path, method, operation)| request(document, path, method, operation))
        .collect();
    name_what_is_created(document, &mut requests, &paths);
    let order = tag_order(document);
    requests.sort_by_key(|request| {
        let tag = order.iter().position(|tag| *tag == request.tag).unwrap_or(order.len());
        let creates = request.method == "POST" && !request.path.contains('{');
        let deletes = request.method == "DELETE";
        let method = ["GET", "POST", "PUT", "PATCH"].iter().position(|one| *one == request.method);
        // An account is made before its owner logs in.
        (deletes, tag, !creates, request.yields_token, request.path, method)
    });
    requests
}

/// In the order of their names, whatever the features of the build make of maps.
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
) -> Request<'a> {
    let schemas = &document["components"]["schemas"];
    let mut request = Request {
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
        let example = said.or_else(|| examples::of(&parameter["schema"], schemas));
        let example = example.unwrap_or_default();
        let sent = parameter["required"] == true;
        let is_exploded = example.is_array() && parameter["explode"] != false;
        if parameter["in"] == "query" && (is_exploded || parameter["style"] == "deepObject") {
            let mut pairs = Vec::new();
            push_pairs(name, &example, &mut pairs);
            request.query.extend(pairs.into_iter().map(|(name, value)| (name, value, sent)));
            continue;
        }
        let example = plain(&example);
        match parameter["in"].as_str() {
            Some("query") => request.query.push((name, example, sent)),
            Some("header") => request.headers.push((name, example, sent)),
            _ => {
                // Without a value it would be another path.
                let example = if example.is_empty() { name.clone() } else { example };
                let schema = &parameter["schema"];
                let value = PathValue { schema, variable: None, example };
                request.path_values.insert(name, value);
            }
        }
    }
    if request.auth == Auth::Elsewhere
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
            pairs.extend(items.iter().map(|item| (name.clone(), plain(item))));
        }
        Value::Object(_) => {
            for (member, value) in members(value) {
                if !value.is_null() {
                    push_pairs(format!("{name}[{member}]"), value, pairs);
                }
            }
        }
        value => pairs.push((name, plain(value))),
    }
}

/// Puts the token where its security scheme says.
fn place_token(request: &mut Request<'_>, scheme: &Value) {
    let text = |member: &str| scheme[member].as_str().unwrap_or_default().to_owned();
    let (name, value) = (text("name"), text("x-value").replace("<token>", TOKEN));
    match scheme["in"].as_str() {
        Some("query") => request.query.push((name, value, true)),
        Some("cookie") => request.headers.push(("Cookie".into(), format!("{name}={value}"), true)),
        Some("header") => request.headers.push((name, value, true)),
        _ => {
            let name = text("x-member");
            let (_, body) = request
                .body
                .get_or_insert_with(|| ("application/json", Body::Json(Value::Object(Map::new()))));
            if let Body::Json(Value::Object(members)) = body {
                members.insert(name, value.into());
            }
        }
    }
}

/// A value as it stands in a path or a query.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

fn body(described: &Value) -> Option<(&str, Body)> {
    let (media_type, media) = *members(&described["content"]).first()?;
    let example =
        media.get("example").cloned().or_else(|| media["schema"]["examples"].get(0).cloned());
    let body = match example {
        Some(example) if media_type.contains("form") => {
            let mut pairs = Vec::new();
            for (name, value) in members(&example) {
                push_pairs(name.to_owned(), value, &mut pairs);
            }
            Body::Form(pairs)
        }
        Some(example) => Body::Json(example),
        None if media_type.contains("json") => Body::Json(Value::Object(Map::new())),
        None => Body::Text(String::new()),
    };
    Some((media_type, body))
}

fn body_schema<'a>(document: &'a Value, described: &'a Value) -> &'a Value {
    let content = members(&described["content"]).first().map(|(_, media)| *media);
    resolved(document, content.map_or(&Value::Null, |media| &media["schema"]))
}

/// The schema that `schema` refers to, or itself.
fn resolved<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    match schema["$ref"].as_str().and_then(|path| path.strip_prefix(PLACE)) {
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

/// Returns whether two schemas allow the same values, whatever they say of them to people.
fn is_same(document: &Value, one: &Value, other: &Value) -> bool {
    let bare = |schema: &Value| {
        let mut schema = resolved(document, schema).clone();
        if let Value::Object(map) = &mut schema {
            for key in ["title", "description", "examples", "example", "default", "deprecated"] {
                map.remove(key);
            }
        }
        schema
    };
    bare(one) == bare(other)
}

/// Returns the first security scheme that is enough for an operation.
fn scheme<'a>(document: &'a Value, operation: &Value) -> Option<&'a Value> {
    let enough = operation["security"].as_array().into_iter().flatten();
    let first = enough.filter_map(Value::as_object).find_map(|way| way.keys().min())?;
    document["components"]["securitySchemes"].get(first)
}

fn auth(document: &Value, operation: &Value) -> Auth {
    let Some(scheme) = scheme(document, operation) else { return Auth::Nobody };
    match scheme["type"].as_str() {
        _ if scheme.get("x-value").is_some() => Auth::Elsewhere,
        Some("apiKey") if scheme["in"] == "header" => Auth::Key,
        Some("http") => Auth::Bearer,
        _ => Auth::Nobody,
    }
}

/// Variables that a file of requests has for itself.
const RESERVED: [&str; 3] = ["baseUrl", "apiKey", "token"];

/// The name of a variable: letters, digits and `_`. Some tools read anything else as an operator.
pub(super) fn variable(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let name: String = name.chars().map(plain).collect();
    if name.starts_with(|c: char| c.is_ascii_digit()) { format!("_{name}") } else { name }
}

/// What `POST /companies` has created is what `/companies/{cnpj}` means.
fn name_what_is_created(document: &Value, requests: &mut [Request<'_>], paths: &[(&str, &Value)]) {
    let mut made: BTreeMap<String, Created> = BTreeMap::new();
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
        let variable = free_name(&variable(&format!("{last}_{member}")), |name| {
            RESERVED.contains(&name) || made.values().any(|known: &Created| known.variable == name)
        });
        let created = Created { variable, member: member.to_owned() };
        made.insert(format!("{below}{member}}}"), created.clone());
        request.creates = Some(created);
    }
    for request in requests {
        for name in parameters::path_names(request.path) {
            let end = request.path.find(&format!("{{{name}}}")).map(|at| at + name.len() + 2);
            let here = &request.path[..end.unwrap_or(request.path.len())];
            let (Some(created), Some(value)) = (made.get(here), request.path_values.get_mut(&name))
            else {
                continue;
            };
            value.variable = Some(created.variable.clone());
            // A body that repeats what the path says has to say the same. A member of another type has the
            // same name by chance.
            if let Some((_, Body::Json(Value::Object(body)))) = &mut request.body
                && let Some(member) = body.get_mut(&name)
                && is_same(document, value.schema, &request.body_schema["properties"][&name])
            {
                request.body_variables.push((created.variable.clone(), member.is_string()));
                *member = marker(&created.variable);
            }
        }
    }
}
