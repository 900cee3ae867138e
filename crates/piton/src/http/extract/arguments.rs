//! Arguments of handlers: axum's extractors, with refusals in our error format and a description
//! of what they read. axum's own extractors work beside them.

use std::ops::{Deref, DerefMut};

use axum::body::Body;
use axum::extract::path::ErrorKind;
use axum::extract::rejection::PathRejection;
use axum::extract::{FromRef, FromRequest, FromRequestParts, RawPathParams, Request};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use http_body::Body as _;
use http_body_util::{BodyExt, LengthLimitError};
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::context;
use crate::error::handler_error::{Error, FieldError, MAX_FIELD_ERRORS, max_field_errors};
use crate::handle::{Handle, short_type_name};
use crate::http::extract::body_errors::push_token;
use crate::http::extract::urlencoded::{self, ParameterError, PathError};
use crate::http::routing::operation::{Input, Operation, ParameterIn};
use crate::http::server::body_budget::{NeverFits, NoRoom, no_room};
use crate::memory::SMALL;

/// Gives the wrapper's content by `.0`, `*` and methods.
macro_rules! transparent {
    ($($name:ident),*) => {
        $(
            impl<T> Deref for $name<T> {
                type Target = T;
                fn deref(&self) -> &T { &self.0 }
            }

            impl<T> DerefMut for $name<T> {
                fn deref_mut(&mut self) -> &mut T { &mut self.0 }
            }
        )*
    };
}

transparent!(Json, Path, Query, Form, State);

/// JSON, in the request's body or in the answer's.
///
/// # Errors
/// 415 when the request does not say that its body is JSON, 413 when it is too large, 400 when it
/// is not JSON, 422 with a JSON Pointer when it is JSON of another shape.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Json<T>(pub T);

/// Parameters of the path, in their order (`Path<(u32, String)>`), by name (a struct), or the one
/// there is (`Path<u32>`).
///
/// # Errors
/// 422 with the parameter's name when it is not of its type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Path<T>(pub T);

/// Parameters of the query, by name.
///
/// # Errors
/// 422 with the parameter's name when one is missing or not of its type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Query<T>(pub T);

/// A form: the body of a `POST` (`application/x-www-form-urlencoded`), the query of a `GET`.
///
/// # Errors
/// As [`Json`], with the field's name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Form<T>(pub T);

/// The service's own state, as given to `App::state`. Without it the app does not start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct State<T>(pub T);

// ---------------------------------------------------------------------------- bodies

#[cold]
pub(crate) fn unsupported(headers: &HeaderMap, wanted: &'static str) -> Error {
    let detail = match headers.get(header::CONTENT_TYPE) {
        Some(_) => format!("the body must be `{wanted}`, and its `content-type` says otherwise"),
        None => format!("the request has no `content-type`: send `content-type: {wanted}`"),
    };
    Error::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail)
        .header(header::ACCEPT, HeaderValue::from_static(wanted))
}

/// Reads the whole body, whose size and memory the stack has limited.
pub(crate) async fn read(mut body: Body) -> Result<Bytes, Error> {
    context::buffer_body();
    let Some(first) = next(&mut body).await? else { return Ok(Bytes::new()) };
    // Nearly every body arrives in one piece, which is returned without a copy.
    if body.is_end_stream() {
        return Ok(first);
    }
    let mut chunks = Chunks::default();
    chunks.push(&first);
    drop(first);
    while let Some(piece) = next(&mut body).await? {
        chunks.push(&piece);
    }
    Ok(chunks.join())
}

/// The pieces of an incomplete body, in chunks of one size. A single buffer that grows leaves holes
/// in the heap that later ones do not fit into. With it, five floods of 400 bodies of 2 MiB, in a
/// budget of 64 MiB, raised the process from 166 MB to 223 MB.
#[derive(Default)]
struct Chunks(Vec<Vec<u8>>);

impl Chunks {
    const SIZE: usize = 64 << 10;

    fn push(&mut self, mut piece: &[u8]) {
        while !piece.is_empty() {
            let room = self.0.last().map_or(0, |last| Self::SIZE - last.len());
            if room == 0 {
                self.0.push(Vec::with_capacity(Self::SIZE));
                continue;
            }
            let (fitting, rest) = piece.split_at(room.min(piece.len()));
            if let Some(last) = self.0.last_mut() {
                last.extend_from_slice(fitting);
            }
            piece = rest;
        }
    }

    fn join(mut self) -> Bytes {
        if self.0.len() == 1 {
            return self.0.pop().unwrap_or_default().into();
        }
        let mut whole = Vec::with_capacity(self.0.iter().map(Vec::len).sum());
        // Each chunk is freed once it is copied, so that not all of the body is in memory twice.
        for chunk in self.0 {
            whole.extend_from_slice(&chunk);
        }
        whole.into()
    }
}

async fn next(body: &mut Body) -> Result<Option<Bytes>, Error> {
    while let Some(frame) = body.frame().await {
        if let Ok(piece) = frame.map_err(unread)?.into_data() {
            return Ok(Some(piece));
        }
    }
    Ok(None)
}

#[cold]
fn unread(error: axum::Error) -> Error {
    let error = error.into_inner();
    if error.is::<LengthLimitError>() || error.is::<NeverFits>() {
        return too_large();
    }
    if error.is::<NoRoom>() {
        return no_room();
    }
    Error::bad_request("the body ended before it was complete").caused_by(error)
}

/// 413, said in one place for every way of finding out.
pub(crate) fn too_large() -> Error {
    Error::new(StatusCode::PAYLOAD_TOO_LARGE, "the body is larger than this service accepts")
}

// ---------------------------------------------------------------------------- Path

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        let Ok(parameters) = RawPathParams::from_request_parts(parts, &()).await else {
            return Err(path_not_utf8(parts).await);
        };
        urlencoded::parse_path(parameters.iter()).map(Self).map_err(path_refusal)
    }
}

impl<T: JsonSchema> Input for Path<T> {
    fn describe(operation: &mut Operation) {
        operation.parameters::<T>(ParameterIn::Path);
    }
}

/// Returns 400 with the parameter of the path that is not UTF-8.
#[cold]
async fn path_not_utf8(parts: &mut Parts) -> Error {
    let rejection = axum::extract::Path::<()>::from_request_parts(parts, &()).await.err();
    let Some(PathRejection::FailedToDeserializePathParams(failure)) = rejection else {
        return Error::internal("the route has no parameters of a path");
    };
    match failure.into_kind() {
        ErrorKind::InvalidUtf8InPathParam { key } => Error::bad_request("the path is not UTF-8")
            .field_error(FieldError::parameter(key, "is not UTF-8")),
        other => Error::internal(other.to_string()),
    }
}

#[cold]
fn path_refusal(refusal: PathError) -> Error {
    match refusal {
        PathError::Parameters(wrong) => {
            let fault = |(parameter, detail)| FieldError { detail, pointer: None, parameter };
            Error::unprocessable("invalid path parameters")
                .with_field_errors(MAX_FIELD_ERRORS, wrong.into_iter().map(fault))
        }
        // The route and the handler disagree, which no client can correct.
        PathError::Route(what) => Error::internal(what),
    }
}

// ---------------------------------------------------------------------------- Query, Form

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        parse_query(parts).map(Self)
    }
}

impl<T: JsonSchema> Input for Query<T> {
    fn describe(operation: &mut Operation) {
        operation.parameters::<T>(ParameterIn::Query);
    }
}

fn parse_query<T: DeserializeOwned>(parts: &Parts) -> Result<T, Error> {
    let query = parts.uri.query().unwrap_or_default().as_bytes();
    query_is_text(query)?;
    urlencoded::parse(query).map_err(|wrong| query_refusal(query.len(), wrong))
}

/// Refuses a query with parameters that are not UTF-8, with 400.
pub(crate) fn query_is_text(query: &[u8]) -> Result<(), Error> {
    is_text(query, "the query is not UTF-8", |name| FieldError::parameter(name, "is not UTF-8"))
}

fn is_text(text: &[u8], what: &'static str, fault: fn(String) -> FieldError) -> Result<(), Error> {
    let wrong = urlencoded::names_not_utf8(text);
    if wrong.is_empty() {
        return Ok(());
    }
    Err(Error::bad_request(what).with_field_errors(MAX_FIELD_ERRORS, wrong.into_iter().map(fault)))
}

/// 422 with everything that is wrong with a query of `length` bytes.
#[cold]
pub(crate) fn query_refusal(length: usize, wrong: Vec<ParameterError>) -> Error {
    let fault = |(parameter, detail)| FieldError { detail, pointer: None, parameter };
    Error::unprocessable("invalid query parameters")
        .with_field_errors(max_field_errors(length), wrong.into_iter().map(fault))
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Form<T> {
    type Rejection = Error;

    async fn from_request(request: Request, _: &S) -> Result<Self, Error> {
        let (parts, body) = request.into_parts();
        if matches!(parts.method, Method::GET | Method::HEAD) {
            return parse_query(&parts).map(Self);
        }
        if !is_form(&parts.headers) {
            return Err(unsupported(&parts.headers, "application/x-www-form-urlencoded"));
        }
        let bytes = read(body).await?;
        hold_pairs(&bytes)?;
        is_text(&bytes, "the form is not UTF-8", |name| field(Some(name), "is not UTF-8".into()))?;
        urlencoded::parse(&bytes).map(Self).map_err(|wrong| form_refusal(bytes.len(), wrong))
    }
}

/// Maximum number of fields of a form. With this many, they take about 12 MB while they are read.
const MAX_FIELDS: usize = 50_000;

/// Charges the memory budget for the fields of a form: one of nothing but `&a&a..` grows to a hundred
/// times its size.
fn hold_pairs(bytes: &[u8]) -> Result<(), Error> {
    if bytes.len() as u64 <= SMALL {
        return Ok(());
    }
    if bytes.iter().filter(|byte| **byte == b'&').count() >= MAX_FIELDS {
        let what = format!("the form has more than {MAX_FIELDS} fields");
        return Err(Error::new(StatusCode::PAYLOAD_TOO_LARGE, what));
    }
    let held = context::hold_estimate(urlencoded::memory_estimate(bytes), bytes.len() as u64);
    held.map_err(|_| no_room())
}

#[cold]
fn form_refusal(length: usize, wrong: Vec<ParameterError>) -> Error {
    Error::unprocessable("invalid form fields").with_field_errors(
        max_field_errors(length),
        wrong.into_iter().map(|(name, what)| field(name, what)),
    )
}

/// Returns the fault of a field of a form, or of the whole form.
fn field(name: Option<String>, what: String) -> FieldError {
    let mut pointer = String::new();
    if let Some(name) = name {
        push_token(&mut pointer, &name);
    }
    FieldError::at(pointer, what)
}

impl<T: JsonSchema> Input for Form<T> {
    fn describe(operation: &mut Operation) {
        operation.body::<T>("application/x-www-form-urlencoded");
    }
}

impl<T: Serialize> IntoResponse for Form<T> {
    fn into_response(self) -> Response {
        axum::Form(self.0).into_response()
    }
}

fn is_form(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = value.and_then(|value| value.split(';').next()).unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

// ---------------------------------------------------------------------------- State

impl<T, S> FromRequestParts<S> for State<T>
where
    T: Clone + Send + Sync + 'static,
    S: Send + Sync,
    Handle: FromRef<S>,
{
    type Rejection = Error;

    async fn from_request_parts(_: &mut Parts, state: &S) -> Result<Self, Error> {
        Handle::from_ref(state).state::<T>().map(Self).ok_or_else(|| {
            Error::internal(format!(
                "no state of the type: say `App::state(..)` with a `{}`",
                short_type_name::<T>()
            ))
        })
    }
}

impl<T: 'static> Input for State<T> {
    fn describe(operation: &mut Operation) {
        operation.needs_state::<T>();
    }
}

/// What is optional reads the same as what is not, and goes on without it.
impl<T: Input> Input for Option<T> {
    fn describe(operation: &mut Operation) {
        operation.optionally(T::describe);
    }
}

impl<T: Input, E> Input for Result<T, E> {
    fn describe(operation: &mut Operation) {
        operation.optionally(T::describe);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[tokio::test]
    async fn a_body_in_pieces_of_whatever_size_is_read_whole() {
        for sizes in [vec![], vec![0, 1], vec![1; 100], vec![65_536; 3], vec![65_535, 2, 200_000]] {
            let text: Vec<u8> = (0..sizes.iter().sum()).map(|at: usize| at as u8).collect();
            let mut from = 0;
            let pieces = sizes.iter().map(|size| {
                from += size;
                Ok::<_, std::io::Error>(Bytes::copy_from_slice(&text[from - size..from]))
            });
            let pieces: Vec<_> = pieces.collect();
            let body = Body::from_stream(futures_util::stream::iter(pieces));
            assert_eq!(read(body).await.unwrap(), text, "{sizes:?}");
        }
    }

    #[tokio::test]
    async fn a_form_of_very_many_fields_is_too_large() {
        let form = |fields: usize| {
            let body = vec!["a=1"; fields].join("&");
            let form = "application/x-www-form-urlencoded";
            Request::post("/").header("content-type", form).body(Body::from(body)).unwrap()
        };
        let read =
            async |fields| Form::<HashMap<String, Vec<u8>>>::from_request(form(fields), &()).await;
        assert_eq!(read(50_000).await.unwrap()["a"].len(), 50_000);
        let refused = read(50_001).await.unwrap_err();
        assert_eq!(refused.status(), StatusCode::PAYLOAD_TOO_LARGE);
    }
}
