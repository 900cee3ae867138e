//! Writes the document as a `.http` file, for VS Code's REST Client and JetBrains' editors, which send a request
//! by a click, and for httpyac, which sends all of them.
//!
//! Each variable has a value, because httpyac reads `@name =` without one as a request, and then knows no
//! variable below it. Names are letters, digits and `_`, because it reads `{{..}}` as JavaScript.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::Value;

use super::sample_requests::{
    SampleAuth, SampleBody, SampleRequest, key_header, variable_name, without_variables,
};
use super::url_encoding::{encode_form, encode_value};

/// Returns the `.http` file of `document`.
pub(super) fn http_file(
    document: &Value,
    requests: &[SampleRequest<'_>],
    base_url: &str,
) -> String {
    let title = document["info"]["title"].as_str().unwrap_or_default();
    let mut text = format!("# {}\n\n@baseUrl = {base_url}\n", one_line(title));
    let header = key_header(document);
    if header.is_some() {
        text.push_str("@apiKey = your-api-key\n");
    }
    if requests
        .iter()
        .any(|request| matches!(request.auth, SampleAuth::Bearer | SampleAuth::TokenElsewhere))
    {
        text.push_str("@token = your-token\n");
    }
    for (name, example) in variables(requests) {
        let _ = writeln!(text, "@{name} = {}", encode_value(example));
    }
    for request in requests {
        write(&mut text, request, header.unwrap_or_default());
    }
    text
}

fn variables<'a>(requests: &'a [SampleRequest<'_>]) -> BTreeMap<&'a str, &'a str> {
    let values = requests.iter().flat_map(|request| request.path_values.values());
    values.filter_map(|value| Some((&**value.variable.as_ref()?, &*value.example))).collect()
}

fn write(text: &mut String, request: &SampleRequest<'_>, key_header: &str) {
    let (summary, name) = (one_line(request.summary), variable_name(request.id));
    let _ = writeln!(text, "\n### {summary}\n# @name {name}");
    let _ = writeln!(text, "{} {{{{baseUrl}}}}{}", request.method, path(request));
    match request.auth {
        SampleAuth::Anonymous | SampleAuth::TokenElsewhere => {}
        SampleAuth::Key => {
            let _ = writeln!(text, "{key_header}: {{{{apiKey}}}}");
        }
        SampleAuth::Bearer => text.push_str("Authorization: Bearer {{token}}\n"),
    }
    for (name, value, _) in request.headers.iter().filter(|(.., sent)| *sent) {
        let _ = writeln!(text, "{name}: {}", without_variables(&one_line(value)));
    }
    let Some((media_type, body)) = &request.body else { return };
    let _ = writeln!(text, "Content-Type: {media_type}\n");
    match body {
        SampleBody::Json(value) => text.push_str(&request.json_text(value)),
        SampleBody::Text(body) => text.push_str(body),
        SampleBody::Form(fields) => {
            let _ = writeln!(text, "{}", encode_form(fields));
        }
    }
}

fn path(request: &SampleRequest<'_>) -> String {
    let mut path = request.path.to_owned();
    for (name, value) in &request.path_values {
        let value = match &value.variable {
            Some(variable) => format!("{{{{{variable}}}}}"),
            None => encode_value(&value.example),
        };
        path = path.replace(&format!("{{{name}}}"), &value);
    }
    let sent: Vec<String> = request
        .query
        .iter()
        .filter(|(.., sent)| *sent)
        .map(|(name, value, _)| format!("{}={}", encode_value(name), encode_value(value)))
        .collect();
    if sent.is_empty() { path } else { format!("{path}?{}", sent.join("&")) }
}

/// Returns `text` on one line, because the format gives each line a meaning of its own.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
