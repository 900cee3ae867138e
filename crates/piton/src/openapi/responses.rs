//! The responses of an operation: those of its types, its documented errors, and the one format of every
//! other failure.

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::schemas::{PLACE, Schemas};
use crate::http::{Answer, AnswerHeader, ErrorAnswer, ErrorStyle, Operation};

/// How failures look, by the settings.
#[derive(Clone, Copy)]
pub(super) struct Failures {
    style: ErrorStyle,
    /// The service renders failures in a format of its own, which the document does not know.
    is_own: bool,
}

/// The name of the schema of a failure.
const PROBLEM: &str = "problem";
/// One of the faults that a problem lists.
const FAULT: &str = "problem_fault";
const FAILURE: &str = "failure";

/// The media type of RFC 9457.
const PROBLEM_TYPE: &str = "application/problem+json";

/// The prefix of references to answers.
const ANSWER_PLACE: &str = "#/components/responses/";

/// The errors in `components.responses`: the status, the name there, and the description.
const ERRORS: [(u16, &str, &str); 16] = [
    (400, "bad_request", "The request cannot be read: it is not JSON, not UTF-8, or incomplete."),
    (401, "unauthorized", "The credentials are missing or not valid: see `security`."),
    (403, "forbidden", "The caller may not do this."),
    (404, "not_found", "There is no such resource."),
    (405, "method_not_allowed", "The path has other methods: see the header `Allow`."),
    (408, "request_timeout", "The request did not arrive in time."),
    (409, "conflict", "It conflicts with the current state of the resource."),
    (410, "gone", "The resource does not exist any more."),
    (
        412,
        "precondition_failed",
        "A precondition failed: the resource has changed since the client read it.",
    ),
    (413, "content_too_large", "The body is larger than this service accepts."),
    (415, "unsupported_media_type", "The body is of another media type: see the header `Accept`."),
    (
        422,
        "unprocessable_content",
        "The request was read but is not valid; `errors` says where and why.",
    ),
    (428, "precondition_required", "A precondition is missing: send `If-Match`."),
    (429, "too_many_requests", "Too many requests: try again later."),
    (502, "bad_gateway", "Another service did not respond properly."),
    (
        503,
        "service_unavailable",
        "The service is busy or stopping, or takes too long: try again later.",
    ),
];

impl Failures {
    pub fn new(style: ErrorStyle) -> Self {
        Self { style, is_own: false }
    }

    /// Returns the failures of a path with an error format of its own.
    pub fn in_own_format(self) -> Self {
        Self { is_own: true, ..self }
    }

    /// Returns the names of the schemas of failures.
    pub fn schema_names(self) -> &'static [&'static str] {
        match self.style {
            ErrorStyle::Problem => &[PROBLEM, FAULT],
            ErrorStyle::Gnar => &[FAILURE],
        }
    }

    /// Returns all responses of an operation with these parameters.
    pub fn answers(
        self,
        operation: &Operation,
        parameters: &[Value],
        reads_body: bool,
        schemas: &mut Schemas,
    ) -> Value {
        let mut answers = Map::new();
        for answer in operation.answers() {
            add(&mut answers, answer, schemas);
        }
        let is_known = !answers.is_empty();
        match self.style {
            _ if self.is_own => {
                // Such a format chooses the status too.
                let description = "Any failure, in the format of this path.";
                answers.insert("default".into(), json!({ "description": description }));
            }
            ErrorStyle::Problem => {
                for error in errors(operation, parameters, reads_body) {
                    let answer = || refusal(&error, asks(operation));
                    answers.entry(error.status.as_str()).or_insert_with(answer);
                }
                let any = json!({ "$ref": format!("{ANSWER_PLACE}{PROBLEM}") });
                answers.insert("default".into(), any);
            }
            ErrorStyle::Gnar if is_known => envelopes(&mut answers),
            ErrorStyle::Gnar => {}
        }
        if !is_known {
            let description = "Not documented: the type of the handler does not tell.";
            answers.insert("default".into(), json!({ "description": description }));
        }
        Value::Object(answers)
    }

    /// Returns the `components.responses` that `paths` refers to, and the schemas they use.
    pub fn components(self, paths: &Value) -> (Map<String, Value>, Map<String, Value>) {
        let (mut responses, mut schemas) = (Map::new(), Map::new());
        match self.style {
            ErrorStyle::Problem => {
                schemas.insert(PROBLEM.into(), problem());
                schemas.insert(FAULT.into(), fault());
                let any = "Any failure, as RFC 9457 has it. Its `status` is that of the answer.";
                let named = ERRORS.iter().map(|(status, name, text)| {
                    (*name, problem_answer(text, StatusCode::from_u16(*status).ok()))
                });
                let all = named.chain([(PROBLEM, problem_answer(any, None))]);
                let used = super::schemas::references(paths);
                responses.extend(all.filter_map(|(name, answer)| {
                    let is_used = used.contains(&format!("{ANSWER_PLACE}{name}"));
                    is_used.then(|| (name.to_owned(), answer))
                }));
            }
            ErrorStyle::Gnar => {
                schemas.insert(FAILURE.into(), failure());
            }
        }
        (responses, schemas)
    }
}

/// Returns the errors of an operation: the documented ones, and those that follow from its arguments, guard
/// and return type.
fn errors(operation: &Operation, parameters: &[Value], reads_body: bool) -> Vec<ErrorAnswer> {
    let mut errors = operation.errors().to_vec();
    let mut add = |status, is_answered: bool| {
        if is_answered && !errors.iter().any(|known| known.status == status) {
            errors.push(ErrorAnswer { status, description: "" });
        }
    };
    let asks = asks(operation);
    let of = |place: &'static str| parameters.iter().filter(move |one| one["in"] == place);
    let is_checked = |parameter: &Value| parameter["schema"] != json!({ "type": "string" });
    // Text and bytes are taken as they are; JSON and forms are of a type, and of one media type.
    let typed_body = reads_body && operation.read_body().is_some_and(|body| body.schema.is_some());
    add(StatusCode::BAD_REQUEST, reads_body || of("path").chain(of("query")).next().is_some());
    add(StatusCode::UNAUTHORIZED, asks);
    add(StatusCode::FORBIDDEN, asks);
    add(StatusCode::NOT_FOUND, operation.returns_result() && of("path").next().is_some());
    add(StatusCode::PAYLOAD_TOO_LARGE, reads_body);
    add(StatusCode::UNSUPPORTED_MEDIA_TYPE, typed_body);
    // A parameter of the query that is given twice is refused whatever its type is.
    let checked = of("query").next().is_some() || of("path").any(is_checked);
    add(StatusCode::UNPROCESSABLE_ENTITY, typed_body || checked);
    add(StatusCode::SERVICE_UNAVAILABLE, true);
    errors
}

/// Returns whether something before the handler wants to know who is calling.
fn asks(operation: &Operation) -> bool {
    !operation.securities().is_empty() || !operation.optional_securities().is_empty()
}

/// The answer of an error: one of the components, or one of its own where the operation says more.
fn refusal(error: &ErrorAnswer, asks: bool) -> Value {
    if error.status == StatusCode::UNAUTHORIZED && !asks {
        // The handler's own, of a login for example: only what asks for credentials names their scheme.
        return without_challenge(error);
    }
    let known = ERRORS.iter().find(|(status, ..)| *status == error.status.as_u16());
    match known {
        Some((_, name, _)) if error.description.is_empty() => {
            json!({ "$ref": format!("{ANSWER_PLACE}{name}") })
        }
        _ => own_answer(error),
    }
}

fn own_answer(error: &ErrorAnswer) -> Value {
    let phrase = error.status.canonical_reason().unwrap_or("A failure");
    let said = Some(error.description).filter(|text| !text.is_empty());
    let mut answer = problem_answer(said.unwrap_or(phrase), Some(error.status));
    if let Some(said) = said {
        answer["content"][PROBLEM_TYPE]["example"]["detail"] = said.into();
    }
    answer
}

fn without_challenge(error: &ErrorAnswer) -> Value {
    let mut answer = own_answer(error);
    if let Value::Object(answer) = &mut answer {
        answer.remove("headers");
    }
    answer
}

fn problem_answer(description: &str, status: Option<StatusCode>) -> Value {
    let schema = json!({ "$ref": format!("{PLACE}{PROBLEM}") });
    let mut answer = json!({
        "description": description,
        "content": { PROBLEM_TYPE: { "schema": schema } },
    });
    if let Some(status) = status {
        answer["content"][PROBLEM_TYPE]["example"] = json!({
            "type": "about:blank",
            "title": status.canonical_reason().unwrap_or("Unknown"),
            "status": status.as_u16(),
        });
    }
    let (name, said, schema) = match status {
        Some(StatusCode::UNAUTHORIZED) => (
            "WWW-Authenticate",
            "The authentication that is expected.",
            json!({ "type": "string" }),
        ),
        Some(StatusCode::METHOD_NOT_ALLOWED) => {
            ("Allow", "The methods of the path.", json!({ "type": "string" }))
        }
        Some(StatusCode::UNSUPPORTED_MEDIA_TYPE) => {
            ("Accept", "The media type to send.", json!({ "type": "string" }))
        }
        Some(StatusCode::PRECONDITION_FAILED) => {
            ("ETag", "The current entity tag.", json!({ "type": "string" }))
        }
        Some(StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) => (
            "Retry-After",
            "Seconds to wait before trying again.",
            json!({ "type": "integer", "minimum": 0 }),
        ),
        _ => return answer,
    };
    answer["headers"][name] = json!({ "description": said, "schema": schema });
    answer
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
        let schema = header_schema(header, schemas);
        let said = json!({ "description": header.description, "schema": schema });
        entry["headers"][&*header.name] = said;
    }
}

fn header_schema(header: &AnswerHeader, schemas: &mut Schemas) -> Value {
    match header.schema {
        Some(make) => schemas.output(make),
        None if header.name.eq_ignore_ascii_case("location") => {
            json!({ "type": "string", "format": "uri-reference" })
        }
        None => json!({ "type": "string" }),
    }
}

/// `text/plain` of `text/plain; charset=utf-8`: that is how the answer's own is compared.
pub(super) fn essence(media_type: &str) -> &str {
    media_type.split(';').next().unwrap_or(media_type).trim()
}

/// Returns the content of this media type. Without a schema it is text or bytes, unless its form is not known.
pub(super) fn media(media_type: &str, schema: Option<Value>) -> Value {
    match schema {
        Some(schema) => json!({ "schema": schema }),
        None if media_type.starts_with("text/") => json!({ "schema": { "type": "string" } }),
        // OpenAPI 3.1 writes nothing here, but generators know bytes only by `format: binary`.
        None if essence(media_type) == "application/octet-stream" => {
            json!({ "schema": { "type": "string", "format": "binary" } })
        }
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

fn fault() -> Value {
    json!({
        "type": "object",
        "description": "One thing that is wrong with a request.",
        "required": ["detail"],
        "properties": {
            "detail": { "type": "string", "description": "What is wrong there." },
            "pointer": {
                "type": "string",
                "description": "Where in the body: a JSON Pointer as a fragment of a URI (RFC 6901).",
            },
            "parameter": { "type": "string", "description": "Which parameter." },
        },
    })
}

fn problem() -> Value {
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
                "items": { "$ref": format!("{PLACE}{FAULT}") },
                "description": "Every fault of the request that was found.",
            },
        },
    })
}
