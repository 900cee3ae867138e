//! Writes the document as a Postman collection (format 2.1), with a folder per tag. Its requests succeed in their
//! order, and check the status, the media type and the JSON schema of each response.
//!
//! Written by hand, because no maintained crate writes collections; the format is a published JSON Schema.

use serde_json::{Map, Value, json};

use super::sample_requests::{
    PathValue, SampleAuth, SampleBody, SampleRequest, key_header, token_member, without_variables,
};
use super::url_encoding::{encode_form, encode_value};
use crate::openapi::document::{SCHEMA_PREFIX, references};

/// Returns the collection of `document`.
pub(super) fn collection(
    document: &Value,
    requests: &[SampleRequest<'_>],
    base_url: &str,
) -> Value {
    let schema = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json";
    let mut info = json!({ "name": document["info"]["title"], "schema": schema });
    info["version"] = document["info"]["version"].clone();
    if let Some(description) = document["info"].get("description") {
        info["description"] = description.clone();
    }
    let mut variables = vec![json!({ "key": "baseUrl", "value": base_url })];
    let header = key_header(document);
    let has_tokens =
        uses(requests, SampleAuth::Bearer) || uses(requests, SampleAuth::TokenElsewhere);
    for (key, wanted) in [("apiKey", header.is_some()), ("token", has_tokens)] {
        if wanted {
            variables.push(json!({ "key": key, "value": "" }));
        }
    }
    for request in requests {
        for value in request.path_values.values() {
            let Some(name) = &value.variable else { continue };
            if !variables.iter().any(|known| known["key"] == **name) {
                variables.push(json!({ "key": name, "value": literal(&value.example) }));
            }
        }
    }
    let auth = match header {
        Some(header) => json!({
            "type": "apikey",
            "apikey": [pair("key", header), pair("value", "{{apiKey}}"), pair("in", "header")],
        }),
        None => json!({ "type": "noauth" }),
    };
    let items = folders(document, requests);
    json!({ "info": info, "item": items, "auth": auth, "variable": variables })
}

fn pair(key: &str, value: &str) -> Value {
    json!({ "key": key, "value": value, "type": "string" })
}

fn uses(requests: &[SampleRequest<'_>], auth: SampleAuth) -> bool {
    requests.iter().any(|request| request.auth == auth)
}

/// Returns a folder per tag, with deleting requests in a folder at the end. Requests without a tag are next to the
/// folders.
fn folders(document: &Value, requests: &[SampleRequest<'_>]) -> Vec<Value> {
    let mut folders: Vec<Value> = Vec::new();
    for request in requests {
        let item = item(document, request);
        let last = folders.last_mut().filter(|folder| folder["name"] == request.tag);
        match last.and_then(|folder| folder["item"].as_array_mut()) {
            _ if request.tag.is_empty() => folders.push(item),
            Some(items) => items.push(item),
            None => folders.push(folder(document, request.tag, item)),
        }
    }
    folders
}

fn folder(document: &Value, tag: &str, first: Value) -> Value {
    let tags = document["tags"].as_array().into_iter().flatten();
    let said = tags.filter(|known| known["name"] == tag).find_map(|known| known.get("description"));
    let mut folder = json!({ "name": tag, "item": [first] });
    if let Some(said) = said {
        folder["description"] = said.clone();
    }
    folder
}

fn item(document: &Value, request: &SampleRequest<'_>) -> Value {
    let mut sent = json!({
        "method": request.method,
        "header": headers(request),
        "url": url(request),
    });
    if !request.description.is_empty() {
        sent["description"] = request.description.into();
    }
    match request.auth {
        SampleAuth::Key => {}
        SampleAuth::Anonymous | SampleAuth::TokenElsewhere => {
            sent["auth"] = json!({ "type": "noauth" });
        }
        SampleAuth::Bearer => {
            sent["auth"] = json!({ "type": "bearer", "bearer": [pair("token", "{{token}}")] });
        }
    }
    if let Some((_, body)) = &request.body {
        sent["body"] = match body {
            SampleBody::Json(value) => json!({
                "mode": "raw",
                "raw": request.json_text(value).trim_end(),
                "options": { "raw": { "language": "json" } },
            }),
            // `raw`, because Postman would encode the fields itself after it has replaced variables.
            SampleBody::Form(fields) if fields.iter().any(|(_, value)| value.contains("{{")) => {
                json!({ "mode": "raw", "raw": encode_form(fields) })
            }
            SampleBody::Form(fields) => {
                let fields =
                    fields.iter().map(|(key, value)| json!({ "key": key, "value": value }));
                json!({ "mode": "urlencoded", "urlencoded": fields.collect::<Vec<_>>() })
            }
            SampleBody::Text(text) => json!({ "mode": "raw", "raw": text }),
        };
    }
    let script = json!({ "type": "text/javascript", "exec": tests(document, request) });
    json!({
        "name": request.summary,
        "request": sent,
        "event": [{ "listen": "test", "script": script }],
        "response": [],
    })
}

fn headers(request: &SampleRequest<'_>) -> Vec<Value> {
    let said = |(key, value, sent): &(String, String, bool)| json!({ "key": key, "value": without_variables(value), "disabled": !sent });
    let mut headers: Vec<Value> = request.headers.iter().map(said).collect();
    if let Some((media_type, _)) = &request.body {
        headers.push(json!({ "key": "Content-Type", "value": media_type }));
    }
    headers.push(json!({ "key": "Accept", "value": accepted(request) }));
    headers
}

fn accepted(request: &SampleRequest<'_>) -> String {
    let mut types: Vec<&str> =
        successes(request).flat_map(|(_, answer)| media_types(answer)).collect();
    types.sort_unstable();
    types.dedup();
    match types.is_empty() {
        true => "*/*".into(),
        false => [&types[..], &["application/problem+json"]].concat().join(", "),
    }
}

/// The path with `:name` for its parameters, as Postman has it.
fn url(request: &SampleRequest<'_>) -> Value {
    let parts: Vec<String> = request
        .path
        .trim_start_matches('/')
        .split('/')
        .map(|part| part.replace('{', ":").replace('}', ""))
        .collect();
    let value = |name: &String, value: &PathValue<'_>| {
        let value = match &value.variable {
            Some(variable) => format!("{{{{{variable}}}}}"),
            None => literal(&value.example),
        };
        json!({ "key": name, "value": value })
    };
    let variables: Vec<Value> =
        request.path_values.iter().map(|(name, one)| value(name, one)).collect();
    let query: Vec<Value> = request
        .query
        .iter()
        .map(|(key, value, sent)| json!({ "key": key, "value": literal(value), "disabled": !sent }))
        .collect();
    let sent: Vec<String> = request
        .query
        .iter()
        .filter(|one| one.2)
        .map(|(key, value, _)| format!("{key}={}", literal(value)))
        .collect();
    let mark = if sent.is_empty() { "" } else { "?" };
    let raw = format!("{{{{baseUrl}}}}/{}{mark}{}", parts.join("/"), sent.join("&"));
    let mut url = json!({ "raw": raw, "host": ["{{baseUrl}}"], "path": parts });
    for (key, list) in [("variable", variables), ("query", query)] {
        if !list.is_empty() {
            url[key] = list.into();
        }
    }
    url
}

/// Returns a value of a URL in which Postman reads no variable: it leaves encoded characters as they are.
fn literal(value: &str) -> String {
    if value.contains("{{") { encode_value(value) } else { value.to_owned() }
}

fn successes<'a>(request: &'a SampleRequest<'_>) -> impl Iterator<Item = (&'a str, &'a Value)> {
    let all = request.responses.iter().map(|(status, answer)| (&**status, answer));
    all.filter(|(status, _)| status.starts_with('2'))
}

/// The text of a parameter without an example.
const MADE_UP_TEXT: &str = "text";

/// Returns whether the path names something by a text that no example gives and no earlier request has created.
fn names_nothing(request: &SampleRequest<'_>) -> bool {
    let is_made_up =
        |value: &PathValue<'_>| value.variable.is_none() && value.example == MADE_UP_TEXT;
    request.path_values.values().any(is_made_up)
}

fn media_types(answer: &Value) -> Vec<&str> {
    let content = answer["content"].as_object();
    content.into_iter().flatten().map(|(name, _)| &**name).collect()
}

/// Returns the script that checks the response. If no success is documented, any status below 500 passes.
fn tests(document: &Value, request: &SampleRequest<'_>) -> Vec<String> {
    let mut lines = Vec::new();
    let mut statuses: Vec<&str> = successes(request).map(|(status, _)| status).collect();
    // Nothing is there under a name that was made up.
    if names_nothing(request) && request.responses.contains_key("404") {
        statuses.push("404");
    }
    statuses.sort_unstable();
    let test = |name: &str, body: &str| format!("pm.test({}, () => {{ {body} }});", json!(name));
    if statuses.is_empty() {
        let body = "pm.expect(pm.response.code).to.be.below(500);";
        return vec![test("It responds", body)];
    }
    let list = statuses.join(", ");
    let body = format!("pm.expect(pm.response.code).to.be.oneOf([{list}]);");
    lines.push(test(&format!("The status is {list}"), &body));
    let json_of = |(status, answer): (&str, &Value)| {
        let schema = answer["content"]["application/json"].get("schema")?;
        Some((status.to_owned(), self_contained(schema, document)))
    };
    let mut answered: Vec<(String, Value)> = successes(request).filter_map(json_of).collect();
    answered.sort_by(|a, b| a.0.cmp(&b.0));
    for (status, schema) in answered {
        lines.push(format!("if (pm.response.code === {status}) {{"));
        let header =
            "pm.expect(pm.response.headers.get('Content-Type')).to.match(/^application\\/json/);";
        lines.push(format!("  {}", test("It is JSON", header)));
        lines.push(format!("  const schema = {};", compact(&schema)));
        let body = "pm.response.to.have.jsonSchema(schema);";
        lines.push(format!("  {}", test("It matches the documented schema", body)));
        if let Some(member) = token(&schema) {
            let member = json!(member);
            lines.push(format!(
                "  pm.collectionVariables.set(\"token\", pm.response.json()[{member}]);"
            ));
        }
        if let Some(created) = request.creates.as_ref().filter(|_| status == "201") {
            let member = json!(created.member);
            lines.push("  const location = pm.response.headers.get('Location') || '';".into());
            lines.push(format!(
                "  const created = pm.response.json()[{member}] ?? decodeURIComponent(location.split('/').pop());"
            ));
            let variable = json!(created.variable);
            lines.push(format!("  pm.collectionVariables.set({variable}, String(created));"));
        }
        lines.push("}".into());
    }
    lines
}

/// Returns the member of a response that holds a token.
fn token(schema: &Value) -> Option<&'static str> {
    let reference =
        schema["allOf"][0]["$ref"].as_str().and_then(|path| path.strip_prefix(SCHEMA_PREFIX));
    token_member(match reference {
        Some(name) => &schema["components"]["schemas"][name],
        None => &schema["allOf"][0],
    })
}

/// Returns the schema with everything it refers to, for Postman's validator: it knows draft 7, and no formats of
/// Rust.
fn self_contained(schema: &Value, document: &Value) -> Value {
    let mut needed = Map::new();
    let mut pending = references(schema);
    while let Some(reference) = pending.pop() {
        let Some(name) = reference.strip_prefix(SCHEMA_PREFIX) else { continue };
        if needed.contains_key(name) {
            continue;
        }
        let definition = document["components"]["schemas"][name].clone();
        pending.extend(references(&definition));
        needed.insert(name.to_owned(), definition);
    }
    let mut whole = json!({ "allOf": [schema] });
    if !needed.is_empty() {
        whole["components"] = json!({ "schemas": needed });
    }
    remove_annotations(&mut whole, false);
    whole
}

/// Removes keywords that allow and reject nothing, and formats and patterns, which validators read differently.
fn remove_annotations(value: &mut Value, names: bool) {
    match value {
        Value::Object(map) => {
            if !names {
                const WORDS: [&str; 7] =
                    ["format", "pattern", "description", "title", "examples", "example", "default"];
                map.retain(|key, _| !WORDS.contains(&&**key));
            }
            for (key, inner) in map.iter_mut() {
                remove_annotations(inner, !names && (key == "properties" || key == "schemas"));
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| remove_annotations(item, false)),
        _ => {}
    }
}

/// Returns the JSON on one line, with its keys in a fixed order.
fn compact(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let mut members: Vec<_> = map.iter().collect();
            members.sort_by_key(|(key, _)| *key);
            let member =
                |(key, value): (&String, &Value)| format!("{}:{}", json!(key), compact(value));
            format!("{{{}}}", members.into_iter().map(member).collect::<Vec<_>>().join(","))
        }
        Value::Array(items) => {
            format!("[{}]", items.iter().map(compact).collect::<Vec<_>>().join(","))
        }
        plain => plain.to_string(),
    }
}
