//! The arguments and responses of a handler, read from its types before the first request.
//!
//! [`Input`] describes an argument, [`Output`] a return type. The route macros call both for every
//! handler, so that no handler describes itself a second time: the app starts the parts that an
//! operation names, and the OpenAPI document is made from it.

use std::any::TypeId;
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use axum::response::Response;
use bytes::Bytes;
use http::StatusCode;
use http::request::Parts;
use schemars::{JsonSchema, Schema, SchemaGenerator};

use crate::config::Config;
use crate::http::routing::route_limits::RouteLimits;
use crate::part::{Dependencies, Part};

/// The description of an argument: what it reads of the request, and the parts that it takes.
///
/// Implement it for an extractor of your own. One without it works as well, and is listed as
/// undocumented.
///
/// ```
/// use piton::http::{Input, Operation};
///
/// struct Tenant(String);
/// impl Input for Tenant {
///     fn describe(operation: &mut Operation) { operation.header("x-tenant"); }
/// }
/// ```
pub trait Input {
    /// Adds what the argument reads to `operation`.
    fn describe(operation: &mut Operation);
}

/// The description of a return type: the responses that it makes.
pub trait Output {
    /// Adds the responses to `operation`.
    fn describe(operation: &mut Operation);
}

/// Everything known of a handler before it runs.
#[derive(Clone, Debug, Default)]
pub struct Operation {
    pub(crate) needs: Dependencies,
    pub(crate) states: Vec<(TypeId, &'static str)>,
    parameters: Vec<Parameter>,
    body: Option<Content>,
    responses: Vec<DocumentedResponse>,
    securities: Vec<&'static str>,
    optional_securities: Vec<&'static str>,
    undocumented: Vec<&'static str>,
    errors: Vec<DocumentedError>,
    returns_result: bool,
    deprecated: bool,
    /// Set if the handler switches to another protocol.
    upgrades: bool,
    wants_peer_address: bool,
    streams_body: bool,
    sends_downloads: bool,
    pub(super) limits: RouteLimits,
    id: Option<&'static str>,
    pub(crate) body_first: Option<BodyFirstRule>,
}

/// A rule by which the body of some requests is read before their guard and their handler, because a
/// token may be in it.
pub(crate) trait BodyFirst: Send + Sync + 'static {
    /// Returns whether the settings require it at all. If not, requests have no overhead.
    fn applies(&self, config: &Config) -> bool;

    /// Returns whether the body of this request has to be read.
    fn wants(&self, head: &Parts, app: &crate::Handle) -> bool;

    /// Stores the body in the request, for the guard and the handler.
    fn keep(&self, head: &mut Parts, body: Bytes);
}

/// The [`BodyFirst`] of arguments, for routes made by hand, of which only the names of the argument
/// types are known.
pub(crate) struct ArgumentBodyFirst {
    pub is_argument: fn(&str) -> bool,
    pub rule: fn() -> BodyFirstRule,
}

inventory::collect!(ArgumentBodyFirst);

impl BodyFirstRule {
    /// Returns the rule of the first of these arguments that has one.
    pub fn of_arguments<'a>(mut names: impl Iterator<Item = &'a str>) -> Option<Self> {
        let rule =
            |name| inventory::iter::<ArgumentBodyFirst>().find(|known| (known.is_argument)(name));
        names.find_map(rule).map(|known| (known.rule)())
    }
}

/// The [`BodyFirst`] of an operation.
#[derive(Clone)]
pub(crate) struct BodyFirstRule(pub Arc<dyn BodyFirst>);

impl fmt::Debug for BodyFirstRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BodyFirstRule")
    }
}

/// Makes the schema of a type when a document asks for it, not before.
pub type MakeSchema = fn(&mut SchemaGenerator) -> Schema;

/// The place of a parameter in the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParameterIn {
    /// In the path, as `{name}`.
    Path,
    /// In the query, after `?`.
    Query,
    /// In a header.
    Header,
}

/// The parameters of one location. For path and query one schema has a property per parameter.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// The place in the request.
    pub place: ParameterIn,
    /// A header's name; `None` for path and query, whose names are in the schema.
    pub name: Option<Cow<'static, str>>,
    /// The schema, where one is known.
    pub schema: Option<MakeSchema>,
    /// Set if a request without it is rejected. For headers only; for path and query the schema lists the
    /// required ones.
    pub required: bool,
    /// The meaning of a header. The schema describes parameters of path and query.
    pub description: &'static str,
}

/// A body and its media type.
#[derive(Clone, Debug)]
pub struct Content {
    /// The media type, such as `application/json`.
    pub media_type: &'static str,
    /// The schema, where one is known.
    pub schema: Option<MakeSchema>,
    /// Set if a request without it is rejected.
    pub required: bool,
}

/// A header of a response.
#[derive(Clone, Debug)]
pub struct DocumentedHeader {
    /// The name of the header.
    pub name: Cow<'static, str>,
    /// The meaning of its value.
    pub description: &'static str,
    /// The schema of its value; `None` for text.
    pub schema: Option<MakeSchema>,
}

/// An error response that an operation is known to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentedError {
    /// The status, from 400 to 599.
    pub status: StatusCode,
    /// The reason for the error; empty if the status says enough.
    pub description: &'static str,
}

/// A possible response.
#[derive(Clone, Debug)]
pub struct DocumentedResponse {
    /// The status.
    pub status: StatusCode,
    /// The body, if there is one.
    pub content: Option<Content>,
    /// The headers it is known to have.
    pub headers: Vec<DocumentedHeader>,
}

impl Operation {
    /// Declares that the handler takes the part `P`, which the app then starts.
    pub fn needs<P: Part>(&mut self) {
        self.needs.add::<P>();
    }

    /// Declares that the handler takes the service's state `S`. The app refuses to start without it.
    pub fn needs_state<S: 'static>(&mut self) {
        self.states.push((TypeId::of::<S>(), std::any::type_name::<S>()));
    }

    /// Declares that the handler reads the properties of `T` as parameters.
    pub fn parameters<T: JsonSchema>(&mut self, place: ParameterIn) {
        let schema = Some(schema_of::<T> as MakeSchema);
        let required = true;
        self.parameters.push(Parameter { place, name: None, schema, required, description: "" });
    }

    /// Declares an optional header.
    pub fn header(&mut self, name: impl Into<Cow<'static, str>>) {
        self.push_header(Parameter {
            place: ParameterIn::Header,
            name: Some(name.into()),
            schema: None,
            required: false,
            description: "",
        });
    }

    /// Declares a required header of the type `T`.
    pub fn header_of<T: JsonSchema>(
        &mut self,
        name: impl Into<Cow<'static, str>>,
        description: &'static str,
    ) {
        self.push_header(Parameter {
            place: ParameterIn::Header,
            name: Some(name.into()),
            schema: Some(schema_of::<T>),
            required: true,
            description,
        });
    }

    /// Adds a header, unless another argument or a middleware of the route has added it.
    fn push_header(&mut self, header: Parameter) {
        let name = header.name.as_deref().unwrap_or_default();
        let is_same = |known: &Parameter| {
            known.place == ParameterIn::Header
                && known.name.as_deref().is_some_and(|known| known.eq_ignore_ascii_case(name))
        };
        if !self.parameters.iter().any(is_same) {
            self.parameters.push(header);
        }
    }

    /// Declares a body of the type `T`.
    pub fn body<T: JsonSchema>(&mut self, media_type: &'static str) {
        self.body = Some(Content { media_type, schema: Some(schema_of::<T>), required: true });
    }

    /// Declares a body of any form.
    pub fn any_body(&mut self, media_type: &'static str) {
        self.body = Some(Content { media_type, schema: None, required: true });
    }

    /// Declares that the argument which reads the body does so in pieces, and never holds all of it. So the body may
    /// be larger than `http.memory_budget`.
    pub fn reads_body_in_pieces(&mut self) {
        self.streams_body = true;
    }

    pub(crate) fn streams_body(&self) -> bool {
        self.streams_body
    }

    /// Declares that the handler returns a download, so that the conditions and the range of the request apply to it.
    /// A type that wraps one calls it, if it does not call the description of `Download`.
    pub fn sends_downloads(&mut self) {
        self.sends_downloads = true;
    }

    pub(crate) fn may_send_downloads(&self) -> bool {
        // A type without a description may be anything, a download included.
        self.sends_downloads || !self.undocumented.is_empty()
    }

    /// Returns the limits of the route that differ from the settings.
    #[must_use]
    pub fn limits(&self) -> &RouteLimits {
        &self.limits
    }

    /// Declares a response with a body of the type `T`.
    pub fn response<T: JsonSchema>(&mut self, status: StatusCode, media_type: &'static str) {
        let content = Content { media_type, schema: Some(schema_of::<T>), required: true };
        self.responses.push(DocumentedResponse {
            status,
            content: Some(content),
            headers: Vec::new(),
        });
    }

    /// Declares a response with a body of any form.
    pub fn response_any(&mut self, status: StatusCode, media_type: &'static str) {
        let content = Content { media_type, schema: None, required: true };
        self.responses.push(DocumentedResponse {
            status,
            content: Some(content),
            headers: Vec::new(),
        });
    }

    /// Declares that the handler switches the connection to another protocol: the response is 101, and
    /// a `Response` of unknown form in the handler's type is not undocumented.
    pub fn upgrades(&mut self) {
        self.upgrades = true;
        self.response_empty(StatusCode::SWITCHING_PROTOCOLS);
    }

    /// Declares a response without a body.
    pub fn response_empty(&mut self, status: StatusCode) {
        self.responses.push(DocumentedResponse { status, content: None, headers: Vec::new() });
    }

    /// Adds a header to the responses with this status that are described so far.
    pub fn response_header(
        &mut self,
        status: StatusCode,
        name: impl Into<Cow<'static, str>>,
        description: &'static str,
    ) {
        self.add_header(status, DocumentedHeader { name: name.into(), description, schema: None });
    }

    /// Adds a header with a value of the type `T`, as [`Operation::response_header`] adds one of text.
    pub fn response_header_of<T: JsonSchema>(
        &mut self,
        status: StatusCode,
        name: impl Into<Cow<'static, str>>,
        description: &'static str,
    ) {
        let schema = Some(schema_of::<T> as MakeSchema);
        self.add_header(status, DocumentedHeader { name: name.into(), description, schema });
    }

    fn add_header(&mut self, status: StatusCode, header: DocumentedHeader) {
        for answer in self.responses.iter_mut().filter(|answer| answer.status == status) {
            if !answer.headers.iter().any(|known| known.name.eq_ignore_ascii_case(&header.name)) {
                answer.headers.push(header.clone());
            }
        }
    }

    /// Adds a header to the responses that `describe` adds: for a type that wraps another.
    pub fn with_header(
        &mut self,
        name: impl Into<Cow<'static, str>>,
        description: &'static str,
        describe: impl FnOnce(&mut Self),
    ) {
        let (first, name) = (self.responses.len(), name.into());
        describe(self);
        for answer in &mut self.responses[first..] {
            answer.headers.push(DocumentedHeader { name: name.clone(), description, schema: None });
        }
    }

    /// Documents an error response of the operation. `description` says when; leave it empty if the
    /// status says enough. Errors that follow from the arguments and the guard of the handler are in the
    /// document without it: see the page `openapi`.
    ///
    /// The attribute `#[errors(404 = "..")]` calls it for a handler; an extractor or a guard that
    /// responds with errors of its own calls it in its `describe`.
    pub fn error(&mut self, status: StatusCode, description: &'static str) {
        match self.errors.iter_mut().find(|known| known.status == status) {
            Some(known) if known.description.is_empty() => known.description = description,
            Some(_) => {}
            None => self.errors.push(DocumentedError { status, description }),
        }
    }

    /// Returns the errors documented by [`Operation::error`].
    #[must_use]
    pub fn errors(&self) -> &[DocumentedError] {
        &self.errors
    }

    /// Records that the handler returns a `Result`.
    pub(crate) fn returns_a_result(&mut self) {
        self.returns_result = true;
    }

    /// Returns whether the handler returns a `Result`.
    #[must_use]
    pub fn returns_result(&self) -> bool {
        self.returns_result
    }

    /// Declares that a caller must use the security scheme of this name: `bearer`, `api_key`.
    pub fn security(&mut self, scheme: &'static str) {
        add_scheme(&mut self.securities, scheme);
    }

    /// Reads the body of requests first, according to the rule. A guard's rule outranks that of an
    /// argument.
    #[cfg_attr(not(feature = "jwt"), expect(dead_code, reason = "only tokens are in bodies"))]
    pub(crate) fn body_first(&mut self, rule: impl BodyFirst) {
        self.body_first = Some(BodyFirstRule(Arc::new(rule)));
    }

    /// Makes everything that `describe` adds optional: parameters, the body, security schemes.
    pub fn optionally(&mut self, describe: impl FnOnce(&mut Self)) {
        let (parameters, securities) = (self.parameters.len(), self.securities.len());
        let had_body = self.body.is_some();
        describe(self);
        for parameter in &mut self.parameters[parameters..] {
            parameter.required = false;
        }
        if let (false, Some(body)) = (had_body, &mut self.body) {
            body.required = false;
        }
        for scheme in self.securities.split_off(securities) {
            add_scheme(&mut self.optional_securities, scheme);
        }
    }

    /// Marks the operation as deprecated: clients should use another.
    pub fn deprecated(&mut self) {
        self.deprecated = true;
    }

    /// Returns whether the operation is deprecated.
    #[must_use]
    pub fn is_deprecated(&self) -> bool {
        self.deprecated
    }

    /// Sets the operation's id in the OpenAPI document, instead of one made from the handler's module
    /// and name. Generated clients name a function after it.
    pub fn id(&mut self, id: &'static str) {
        self.id = Some(id);
    }

    /// Returns the id set by [`Operation::id`], if there is one.
    #[must_use]
    pub fn custom_id(&self) -> Option<&'static str> {
        self.id
    }

    /// Returns the names of the security schemes that a caller may use and need not.
    #[must_use]
    pub fn optional_security_schemes(&self) -> &[&'static str] {
        &self.optional_securities
    }

    /// Returns the names of the security schemes that a caller must use.
    #[must_use]
    pub fn security_schemes(&self) -> &[&'static str] {
        &self.securities
    }

    /// Records the name of a type that has no description.
    pub fn undocumented(&mut self, type_name: &'static str) {
        self.undocumented.push(type_name);
    }

    /// Records an argument that has no description. It may read anything, the address of the
    /// connection's other end included.
    pub(crate) fn undocumented_input(&mut self, type_name: &'static str) {
        self.undocumented(type_name);
        self.reads_peer_address();
    }

    /// Declares that the handler reads `axum::extract::ConnectInfo<SocketAddr>`, the address of the
    /// connection's other end. Requests carry it only if some route declares it. [`ClientIp`] needs no
    /// declaration.
    ///
    /// [`ClientIp`]: crate::http::ClientIp
    pub fn reads_peer_address(&mut self) {
        self.wants_peer_address = true;
    }

    pub(crate) fn wants_peer_address(&self) -> bool {
        self.wants_peer_address
    }

    /// Returns the parameters that the handler reads.
    #[must_use]
    pub fn read_parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// Returns the body that the handler reads, if any.
    #[must_use]
    pub fn read_body(&self) -> Option<&Content> {
        self.body.as_ref()
    }

    /// Returns the described responses.
    #[must_use]
    pub fn responses(&self) -> &[DocumentedResponse] {
        &self.responses
    }

    /// Returns the names of the types without a description.
    #[must_use]
    pub fn undocumented_types(&self) -> &[&'static str] {
        &self.undocumented
    }

    /// Changes the status of the responses that `describe` adds: for a type that wraps another and has a
    /// status of its own.
    pub fn with_status(&mut self, status: StatusCode, describe: impl FnOnce(&mut Self)) {
        let first = self.responses.len();
        describe(self);
        for answer in &mut self.responses[first..] {
            answer.status = status;
        }
    }
}

/// Adds a scheme once. One with a detail, such as `bearer:refresh` of a guard, stands for the plain
/// one of an argument, `bearer`.
fn add_scheme(schemes: &mut Vec<&'static str>, scheme: &'static str) {
    let details = |detailed: &str, plain: &str| {
        detailed.strip_prefix(plain).is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
    };
    if schemes.iter().any(|known| details(known, scheme)) {
        return;
    }
    match schemes.iter_mut().find(|known| details(scheme, known)) {
        Some(plain) => *plain = scheme,
        None => schemes.push(scheme),
    }
}

/// The ways to authenticate by a scheme that operations name ([`Operation::security`]): each entry is one
/// alternative, a name and an OpenAPI security scheme. A module that authenticates callers
/// submits it:
///
/// ```
/// use piton::http::SecuritySchemes;
/// use piton::serde_json::json;
///
/// piton::__private::inventory::submit! {
///     SecuritySchemes {
///         scheme: "badge",
///         ways: |_| vec![("badge", json!({ "type": "apiKey", "in": "header", "name": "X-Badge" }))],
///         open: |_| false,
///     }
/// }
/// # fn main() {}
/// ```
pub struct SecuritySchemes {
    /// The name that operations use.
    pub scheme: &'static str,
    /// The ways there are, by the settings.
    pub ways: fn(&Config) -> Vec<(&'static str, serde_json::Value)>,
    /// Returns whether the running app accepts every caller anyway, such as with no key configured.
    pub open: fn(&crate::Handle) -> bool,
}

inventory::collect!(SecuritySchemes);

fn schema_of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

const TEXT: &str = "text/plain; charset=utf-8";

/// Implements `Input` for arguments that the OpenAPI document does not mention, such as the method.
macro_rules! reads_nothing_named {
    ($($type:ty),* $(,)?) => { $(impl Input for $type { fn describe(_: &mut Operation) {} })* };
}

reads_nothing_named!(
    http::HeaderMap,
    http::Method,
    http::Uri,
    http::Version,
    http::Extensions,
    axum::extract::MatchedPath,
    crate::Handle,
);

/// An extension may be `ConnectInfo`, so that requests carry it.
impl<T> Input for axum::Extension<T> {
    fn describe(operation: &mut Operation) {
        operation.reads_peer_address();
    }
}

impl<T> Input for axum::extract::ConnectInfo<T> {
    fn describe(operation: &mut Operation) {
        operation.reads_peer_address();
    }
}

macro_rules! reads_any_body {
    ($($type:ty: $media_type:expr),* $(,)?) => {
        $(impl Input for $type {
            fn describe(operation: &mut Operation) { operation.any_body($media_type); }
        })*
    };
}

reads_any_body!(
    String: TEXT,
    bytes::Bytes: "application/octet-stream",
);

/// Implements `Input` for arguments that hand the body over as it arrives.
macro_rules! streams_any_body {
    ($($type:ty: $media_type:expr),* $(,)?) => {
        $(impl Input for $type {
            fn describe(operation: &mut Operation) {
                operation.any_body($media_type);
                operation.reads_body_in_pieces();
            }
        })*
    };
}

streams_any_body!(
    axum::body::Body: "application/octet-stream",
    axum::extract::Request: "*/*",
);

macro_rules! answers_text {
    ($($type:ty),* $(,)?) => {
        $(impl Output for $type {
            fn describe(operation: &mut Operation) { operation.response_any(StatusCode::OK, TEXT); }
        })*
    };
}

answers_text!(&'static str, String, Cow<'static, str>);

impl Output for () {
    fn describe(operation: &mut Operation) {
        operation.response_empty(StatusCode::OK);
    }
}

impl<T> Output for axum::response::Html<T> {
    fn describe(operation: &mut Operation) {
        operation.response_any(StatusCode::OK, "text/html; charset=utf-8");
    }
}

impl Output for bytes::Bytes {
    fn describe(operation: &mut Operation) {
        operation.response_any(StatusCode::OK, "application/octet-stream");
    }
}

impl Output for axum::response::Redirect {
    fn describe(operation: &mut Operation) {
        operation.response_empty(StatusCode::SEE_OTHER);
        operation.response_header(StatusCode::SEE_OTHER, "Location", "The URL to go to.");
    }
}

/// The status is a value, so a document cannot know it.
impl Output for StatusCode {
    fn describe(operation: &mut Operation) {
        operation.undocumented("StatusCode");
    }
}

impl Output for Response {
    fn describe(operation: &mut Operation) {
        if !operation.upgrades {
            operation.undocumented("Response");
        }
    }
}

/// Describes success. An error is a value, so the document knows only those of [`Operation::error`].
impl<T: Output, E> Output for Result<T, E> {
    fn describe(operation: &mut Operation) {
        operation.returns_a_result();
        T::describe(operation);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::probe::*;

    struct Silent;

    #[test]
    #[expect(clippy::needless_borrow, reason = "the borrow is what tells the two traits apart")]
    fn a_type_that_says_nothing_of_itself_is_listed_and_not_refused() {
        let mut operation = Operation::default();
        (&Probe::<Silent>::NEW).describe_input(&mut operation);
        (&Probe::<String>::NEW).describe_input(&mut operation);
        (&&&Probe::<Result<String, Silent>>::NEW).describe_output(&mut operation);
        assert_eq!(operation.undocumented_types().len(), 1);
        assert!(operation.undocumented_types()[0].ends_with("Silent"));
        assert_eq!(operation.read_body().unwrap().media_type, TEXT);
        assert_eq!(operation.responses()[0].status, StatusCode::OK);
    }

    #[test]
    #[expect(clippy::needless_borrow, reason = "the borrows are what tells the traits apart")]
    fn a_result_of_an_unknown_type_is_a_result_still() {
        let mut operation = Operation::default();
        (&&&Probe::<Result<Silent, String>>::NEW).describe_output(&mut operation);
        assert!(operation.returns_result());
        assert!(operation.undocumented_types()[0].ends_with("Silent"));
        (&&&Probe::<Silent>::NEW).describe_output(&mut operation);
        assert_eq!(operation.undocumented_types().len(), 2);
    }
}
