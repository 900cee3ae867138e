//! The responses of an operation: those of its types, its documented errors, and a `default` for every other
//! failure.

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::references::{SCHEMA_PREFIX, references};
use super::schemas::SchemaCollector;
use crate::http::{
    DocumentedError, DocumentedHeader, DocumentedResponse, ErrorStyle, Operation, RouteLimits,
};

/// The responses of failures, in the error style of the settings.
#[derive(Clone, Copy)]
pub(super) struct ErrorResponses {
    style: ErrorStyle,
    /// True for a path with `App::error_renderer`, whose format the document does not know.
    has_own_renderer: bool,
}

/// The schema of a problem document.
const PROBLEM_SCHEMA: &str = "problem";
/// The schema of an entry of a problem's `errors`.
const FIELD_ERROR_SCHEMA: &str = "problem_fault";
/// The schema of Gnar Gear's error envelope.
const ENVELOPE_SCHEMA: &str = "failure";

/// The media type of RFC 9457.
const PROBLEM_TYPE: &str = "application/problem+json";

/// The prefix of references to responses.
const RESPONSE_PREFIX: &str = "#/components/responses/";

/// The errors in `components.responses`: status, name, description.
const ERROR_COMPONENTS: [(u16, &str, &str); 16] = [
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

impl ErrorResponses {
    pub fn new(style: ErrorStyle) -> Self {
        Self { style, has_own_renderer: false }
    }

    /// Returns the failures of a path with an error format of its own.
    pub fn with_own_renderer(self) -> Self {
        Self { has_own_renderer: true, ..self }
    }

    /// Returns the names of the schemas of failures.
    pub fn schema_names(self) -> &'static [&'static str] {
        match self.style {
            ErrorStyle::Problem => &[PROBLEM_SCHEMA, FIELD_ERROR_SCHEMA],
            ErrorStyle::Gnar => &[ENVELOPE_SCHEMA],
        }
    }

    /// Returns all responses of an operation with these parameters.
    pub fn responses(
        self,
        operation: &Operation,
        parameters: &[Value],
        reads_body: bool,
        schemas: &mut SchemaCollector,
    ) -> Value {
        let mut responses = Map::new();
        for answer in operation.responses() {
            add(&mut responses, answer, schemas);
        }
        let is_known = !responses.is_empty();
        match self.style {
            _ if self.has_own_renderer => {
                // `default` alone, because such a format chooses the status too.
                let description = "Any failure, in the format of this path.";
                responses.insert("default".into(), json!({ "description": description }));
            }
            ErrorStyle::Problem => {
                for error in errors(operation, parameters, reads_body) {
                    let answer = || {
                        limit_response(&error, operation.limits())
                            .unwrap_or_else(|| error_response(&error, authenticates(operation)))
                    };
                    responses.entry(error.status.as_str()).or_insert_with(answer);
                }
                let any = json!({ "$ref": format!("{RESPONSE_PREFIX}{PROBLEM_SCHEMA}") });
                responses.insert("default".into(), any);
            }
            ErrorStyle::Gnar if is_known => add_envelope(&mut responses),
            ErrorStyle::Gnar => {}
        }
        if !is_known {
            let description = "Not documented: the handler's type does not describe it.";
            responses.insert("default".into(), json!({ "description": description }));
        }
        Value::Object(responses)
    }

    /// Returns the `components.responses` that `paths` refers to, and the schemas they use.
    pub fn components(self, paths: &Value) -> (Map<String, Value>, Map<String, Value>) {
        let (mut responses, mut schemas) = (Map::new(), Map::new());
        match self.style {
            ErrorStyle::Problem => {
                schemas.insert(PROBLEM_SCHEMA.into(), problem_schema());
                schemas.insert(FIELD_ERROR_SCHEMA.into(), field_error_schema());
                let any = "Any failure, as a problem document (RFC 9457). Its `status` is that of the response.";
                let named = ERROR_COMPONENTS.iter().map(|(status, name, text)| {
                    (*name, problem_response(text, StatusCode::from_u16(*status).ok()))
                });
                let all = named.chain([(PROBLEM_SCHEMA, problem_response(any, None))]);
                let used = references(paths);
                responses.extend(all.filter_map(|(name, answer)| {
                    let is_used = used.contains(&format!("{RESPONSE_PREFIX}{name}"));
                    is_used.then(|| (name.to_owned(), answer))
                }));
            }
            ErrorStyle::Gnar => {
                schemas.insert(ENVELOPE_SCHEMA.into(), envelope_schema());
            }
        }
        (responses, schemas)
    }
}

/// Returns the errors of an operation: the documented ones, and those that follow from its arguments, guard
/// and return type.
fn errors(operation: &Operation, parameters: &[Value], reads_body: bool) -> Vec<DocumentedError> {
    let mut errors = operation.errors().to_vec();
    let mut add = |status, applies: bool| {
        if applies && !errors.iter().any(|known| known.status == status) {
            errors.push(DocumentedError { status, description: "" });
        }
    };
    let authenticates_caller = authenticates(operation);
    let of = |place: &'static str| parameters.iter().filter(move |one| one["in"] == place);
    let is_checked = |parameter: &Value| parameter["schema"] != json!({ "type": "string" });
    // Text and bytes are accepted as they are, so that only JSON and forms can be of the wrong type.
    let typed_body = reads_body && operation.read_body().is_some_and(|body| body.schema.is_some());
    add(StatusCode::BAD_REQUEST, reads_body || of("path").chain(of("query")).next().is_some());
    add(StatusCode::UNAUTHORIZED, authenticates_caller);
    add(StatusCode::FORBIDDEN, authenticates_caller);
    add(StatusCode::NOT_FOUND, operation.returns_result() && of("path").next().is_some());
    add(StatusCode::REQUEST_TIMEOUT, reads_body && operation.limits().max_time().is_some());
    add(StatusCode::PAYLOAD_TOO_LARGE, reads_body);
    add(StatusCode::UNSUPPORTED_MEDIA_TYPE, typed_body);
    // Any query, because a parameter that is given twice is rejected whatever its type is.
    let checked = of("query").next().is_some() || of("path").any(is_checked);
    add(StatusCode::UNPROCESSABLE_ENTITY, typed_body || checked);
    add(StatusCode::SERVICE_UNAVAILABLE, true);
    errors
}

/// Returns whether a guard or argument authenticates the caller before the handler runs.
fn authenticates(operation: &Operation) -> bool {
    !operation.security_schemes().is_empty() || !operation.optional_security_schemes().is_empty()
}

/// Returns the response of an error: a component, or its own where the operation describes the error.
fn error_response(error: &DocumentedError, authenticates: bool) -> Value {
    if error.status == StatusCode::UNAUTHORIZED && !authenticates {
        // Without `WWW-Authenticate`, because the 401 is the handler's own, of a login for example: no scheme
        // protects the route.
        return without_challenge(error);
    }
    let known = ERROR_COMPONENTS.iter().find(|(status, ..)| *status == error.status.as_u16());
    match known {
        Some((_, name, _)) if error.description.is_empty() => {
            json!({ "$ref": format!("{RESPONSE_PREFIX}{name}") })
        }
        _ => own_response(error),
    }
}

/// Returns the response of an error that follows from a limit of the operation's own, with that limit.
fn limit_response(error: &DocumentedError, limits: &RouteLimits) -> Option<Value> {
    if !error.description.is_empty() {
        return None;
    }
    let within = || limits.max_time().map(humantime::format_duration);
    let description = match error.status {
        StatusCode::PAYLOAD_TOO_LARGE => {
            format!("The body is larger than {}.", limits.max_body()?)
        }
        StatusCode::REQUEST_TIMEOUT => format!("The body did not arrive within {}.", within()?),
        StatusCode::SERVICE_UNAVAILABLE => {
            format!("The service is busy or stopping, or did not respond within {}.", within()?)
        }
        _ => return None,
    };
    Some(problem_response(&description, Some(error.status)))
}

fn own_response(error: &DocumentedError) -> Value {
    let phrase = error.status.canonical_reason().unwrap_or("A failure");
    let said = Some(error.description).filter(|text| !text.is_empty());
    let mut answer = problem_response(said.unwrap_or(phrase), Some(error.status));
    if let Some(said) = said {
        answer["content"][PROBLEM_TYPE]["example"]["detail"] = said.into();
    }
    answer
}

fn without_challenge(error: &DocumentedError) -> Value {
    let mut answer = own_response(error);
    if let Value::Object(answer) = &mut answer {
        answer.remove("headers");
    }
    answer
}

fn problem_response(description: &str, status: Option<StatusCode>) -> Value {
    let schema = json!({ "$ref": format!("{SCHEMA_PREFIX}{PROBLEM_SCHEMA}") });
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

fn add(
    responses: &mut Map<String, Value>,
    answer: &DocumentedResponse,
    schemas: &mut SchemaCollector,
) {
    let description = answer.status.canonical_reason().unwrap_or("Answered");
    let entry = responses
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

fn header_schema(header: &DocumentedHeader, schemas: &mut SchemaCollector) -> Value {
    match header.schema {
        Some(make) => schemas.output(make),
        None if header.name.eq_ignore_ascii_case("location") => {
            json!({ "type": "string", "format": "uri-reference" })
        }
        None => json!({ "type": "string" }),
    }
}

/// Returns the media type without parameters: `text/plain` of `text/plain; charset=utf-8`.
pub(super) fn essence(media_type: &str) -> &str {
    media_type.split(';').next().unwrap_or(media_type).trim()
}

/// Returns the media type object of OpenAPI. Without a schema it describes text or bytes, if the type is known.
pub(super) fn media(media_type: &str, schema: Option<Value>) -> Value {
    match schema {
        Some(schema) => json!({ "schema": schema }),
        None if media_type.starts_with("text/") => json!({ "schema": { "type": "string" } }),
        // `format: binary`, which OpenAPI 3.1 does not need, because generators recognize bytes by it alone.
        None if essence(media_type) == "application/octet-stream" => {
            json!({ "schema": { "type": "string", "format": "binary" } })
        }
        // Any fields and files: the handler reads them one by one.
        None if essence(media_type) == "multipart/form-data" => {
            json!({ "schema": { "type": "object" } })
        }
        None => json!({}),
    }
}

/// Adds Gnar Gear's error envelope to the response with 200: there failures have that status.
fn add_envelope(responses: &mut Map<String, Value>) {
    let envelope = json!({ "$ref": format!("{SCHEMA_PREFIX}{ENVELOPE_SCHEMA}") });
    let ok = responses
        .entry(StatusCode::OK.as_str())
        .or_insert_with(|| json!({ "description": "What failed" }));
    let schema = &mut ok["content"]["application/json"]["schema"];
    *schema = match schema.take() {
        Value::Null => envelope,
        schema => json!({ "anyOf": [schema, envelope] }),
    };
}

fn envelope_schema() -> Value {
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

fn field_error_schema() -> Value {
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

fn problem_schema() -> Value {
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
                "items": { "$ref": format!("{SCHEMA_PREFIX}{FIELD_ERROR_SCHEMA}") },
                "description": "Every fault of the request that was found.",
            },
        },
    })
}
