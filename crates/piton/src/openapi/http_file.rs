//! The document as a `.http` file, for VS Code's REST Client and for JetBrains' editors: each request
//! is sent by a click beside it, or all of them by httpyac.
//!
//! Each variable has a value: httpyac reads `@name =` without one as a request, and then knows no variable
//! below it. Names are letters, digits and `_`, because it takes what stands in `{{..}}` for JavaScript.

use std::collections::BTreeMap;
use std::fmt::Write;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::postman::key_header;
use super::requests::{Auth, Body, Request, TOKEN, variable, without_variables};

/// Characters that are percent-encoded in the value of a query: all but the unreserved ones of RFC 3986 and the
/// comma, which separates the items of a list.
const RESERVED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b',');

/// The file for `document`.
pub(super) fn file(document: &Value, requests: &[Request<'_>], base_url: &str) -> String {
    let title = document["info"]["title"].as_str().unwrap_or_default();
    let mut text = format!("# {}\n\n@baseUrl = {base_url}\n", one_line(title));
    let header = key_header(document);
    if header.is_some() {
        text.push_str("@apiKey = your-api-key\n");
    }
    if requests.iter().any(|request| matches!(request.auth, Auth::Bearer | Auth::Elsewhere)) {
        text.push_str("@token = your-token\n");
    }
    for (name, example) in variables(requests) {
        let _ = writeln!(text, "@{name} = {}", encoded(example));
    }
    for request in requests {
        write(&mut text, request, header.unwrap_or_default());
    }
    text
}

fn variables<'a>(requests: &'a [Request<'_>]) -> BTreeMap<&'a str, &'a str> {
    let values = requests.iter().flat_map(|request| request.path_values.values());
    values.filter_map(|value| Some((&**value.variable.as_ref()?, &*value.example))).collect()
}

fn write(text: &mut String, request: &Request<'_>, key_header: &str) {
    let (summary, name) = (one_line(request.summary), variable(request.id));
    let _ = writeln!(text, "\n### {summary}\n# @name {name}");
    let _ = writeln!(text, "{} {{{{baseUrl}}}}{}", request.method, path(request));
    match request.auth {
        Auth::Nobody | Auth::Elsewhere => {}
        Auth::Key => {
            let _ = writeln!(text, "{key_header}: {{{{apiKey}}}}");
        }
        Auth::Bearer => text.push_str("Authorization: Bearer {{token}}\n"),
    }
    for (name, value, _) in request.headers.iter().filter(|(.., sent)| *sent) {
        let _ = writeln!(text, "{name}: {}", without_variables(&one_line(value)));
    }
    let Some((media_type, body)) = &request.body else { return };
    let _ = writeln!(text, "Content-Type: {media_type}\n");
    match body {
        Body::Json(value) => text.push_str(&request.json_text(value)),
        Body::Text(said) => text.push_str(said),
        Body::Form(fields) => {
            let _ = writeln!(text, "{}", form(fields));
        }
    }
}

/// The fields as the body of a form.
pub(super) fn form(fields: &[(String, String)]) -> String {
    let pair = |(name, value): &(String, String)| format!("{}={}", encoded(name), encoded(value));
    fields.iter().map(pair).collect::<Vec<_>>().join("&")
}

fn path(request: &Request<'_>) -> String {
    let mut path = request.path.to_owned();
    for (name, value) in &request.path_values {
        let value = match &value.variable {
            Some(variable) => format!("{{{{{variable}}}}}"),
            None => encoded(&value.example),
        };
        path = path.replace(&format!("{{{name}}}"), &value);
    }
    let sent: Vec<String> = request
        .query
        .iter()
        .filter(|(.., sent)| *sent)
        .map(|(name, value, _)| format!("{}={}", encoded(name), encoded(value)))
        .collect();
    if sent.is_empty() { path } else { format!("{path}?{}", sent.join("&")) }
}

/// The text on one line: a line of its own would be another thing to the reader of the file.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Encodes a value of a query. The variable of the token stays as it is.
pub(super) fn encoded(text: &str) -> String {
    if let Some((before, after)) = text.split_once(TOKEN) {
        return format!("{}{TOKEN}{}", encoded(before), encoded(after));
    }
    utf8_percent_encode(text, RESERVED).to_string()
}
