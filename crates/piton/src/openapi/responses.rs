//! The answers of an operation: those that its types name, and the one format of every failure.

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::schemas::{PLACE, Schemas};
use crate::http::{Answer, ErrorStyle, Operation};

/// How failures look, by the settings.
#[derive(Clone, Copy)]
pub(super) struct Failures {
    style: ErrorStyle,
}

/// What the schema of a failure is called. No type of Rust has a name like it.
const PROBLEM: &str = "problem";
const FAILURE: &str = "failure";

impl Failures {
    pub fn new(style: ErrorStyle) -> Self {
        Self { style }
    }

    /// All answers of an operation.
    pub fn answers(self, operation: &Operation, schemas: &mut Schemas) -> Value {
        let mut answers = Map::new();
        for answer in operation.answers() {
            add(&mut answers, answer, schemas);
        }
        if operation.answers().is_empty() {
            let description = "What the handler answers: its type does not say.";
            return json!({ "default": { "description": description } });
        }
        match self.style {
            ErrorStyle::Problem => self.problems(&mut answers, operation),
            ErrorStyle::Gnar => envelopes(&mut answers),
        }
        Value::Object(answers)
    }

    fn problems(self, answers: &mut Map<String, Value>, operation: &Operation) {
        if !operation.securities().is_empty() || !operation.optional_securities().is_empty() {
            for (status, name) in [("401", "unauthorized"), ("403", "forbidden")] {
                let reference = format!("#/components/responses/{name}");
                answers.entry(status).or_insert_with(|| json!({ "$ref": reference }));
            }
        }
        answers.insert("default".into(), json!({ "$ref": "#/components/responses/problem" }));
    }

    /// `components.responses` and the schemas they use.
    pub fn components(self) -> (Map<String, Value>, Map<String, Value>) {
        let (mut responses, mut schemas) = (Map::new(), Map::new());
        match self.style {
            ErrorStyle::Problem => {
                schemas.insert(PROBLEM.into(), problem());
                for (name, description) in [
                    (
                        "problem",
                        "Any failure, as RFC 9457 has it. Its `status` is that of the answer.",
                    ),
                    ("unauthorized", "Nobody knows who is calling: see `security`."),
                    ("forbidden", "Whoever is calling may not do this."),
                ] {
                    let schema = json!({ "$ref": format!("{PLACE}{PROBLEM}") });
                    let content = json!({ "application/problem+json": { "schema": schema } });
                    let response = json!({ "description": description, "content": content });
                    responses.insert(name.into(), response);
                }
            }
            ErrorStyle::Gnar => {
                schemas.insert(FAILURE.into(), failure());
            }
        }
        (responses, schemas)
    }
}

fn add(answers: &mut Map<String, Value>, answer: &Answer, schemas: &mut Schemas) {
    let description = answer.status.canonical_reason().unwrap_or("Answered");
    let entry = answers
        .entry(answer.status.as_str())
        .or_insert_with(|| json!({ "description": description }));
    if let Some(content) = &answer.content {
        let schema = content.schema.map(|make| schemas.output(make));
        entry["content"][essence(content.media_type)] = media(content.media_type, schema);
    }
    for header in &answer.headers {
        let said = json!({ "description": header.description, "schema": { "type": "string" } });
        entry["headers"][&*header.name] = said;
    }
}

/// `text/plain` of `text/plain; charset=utf-8`: that is how the answer's own is compared.
pub(super) fn essence(media_type: &str) -> &str {
    media_type.split(';').next().unwrap_or(media_type).trim()
}

/// The body of this media type. What has no schema is text, or bytes, of which there is nothing to say.
pub(super) fn media(media_type: &str, schema: Option<Value>) -> Value {
    match schema {
        Some(schema) => json!({ "schema": schema }),
        None if media_type.starts_with("text/") => json!({ "schema": { "type": "string" } }),
        None => json!({}),
    }
}

/// Gnar Gear's failures are answers with 200 and an envelope.
fn envelopes(answers: &mut Map<String, Value>) {
    let envelope = json!({ "$ref": format!("{PLACE}{FAILURE}") });
    let ok = answers
        .entry(StatusCode::OK.as_str())
        .or_insert_with(|| json!({ "description": "What failed" }));
    let schema = &mut ok["content"]["application/json"]["schema"];
    *schema = match schema.take() {
        Value::Null => envelope,
        schema => json!({ "anyOf": [schema, envelope] }),
    };
}

fn failure() -> Value {
    json!({
        "type": "object",
        "description": "A failure, with the status 200.",
        "required": ["error"],
        "properties": {
            "error": { "type": "string", "description": "What went wrong." },
            "traceback": { "type": "string", "description": "Where, for developers." },
        },
    })
}

fn problem() -> Value {
    let fault = json!({
        "type": "object",
        "required": ["detail"],
        "properties": {
            "detail": { "type": "string", "description": "What is wrong there." },
            "pointer": {
                "type": "string",
                "description": "Where in the body: a JSON Pointer as a fragment of a URI (RFC 6901).",
            },
            "parameter": { "type": "string", "description": "Which parameter." },
        },
    });
    json!({
        "type": "object",
        "title": "Problem",
        "description": "A failure (RFC 9457).",
        "required": ["type", "title", "status"],
        "properties": {
            "type": {
                "type": "string",
                "format": "uri-reference",
                "description": "`about:blank`: nothing beyond the status.",
            },
            "title": { "type": "string", "description": "The status in words." },
            "status": { "type": "integer", "minimum": 400, "maximum": 599 },
            "detail": { "type": "string", "description": "What went wrong." },
            "instance": {
                "type": "string",
                "format": "uri-reference",
                "description": "The path that was asked for.",
            },
            "request_id": { "type": "string", "description": "What the log knows the request by." },
            "errors": {
                "type": "array",
                "items": fault,
                "description": "Every fault of the request that was found.",
            },
        },
    })
}
