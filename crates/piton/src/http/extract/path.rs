//! The argument `Path`: parameters of the path.

use axum::extract::path::ErrorKind;
use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequestParts, RawPathParams};
use http::request::Parts;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::error::handler_error::{Error, FieldError, MAX_FIELD_ERRORS};
use crate::http::extract::deref_macro::deref_to_contents;
use crate::http::extract::urlencoded::{PathError, parse_path};
use crate::http::routing::operation::{Input, Operation, ParameterIn};

/// The parameters of the path: several in their order (`Path<(u32, String)>`), by name (a struct), or a single one
/// (`Path<u32>`).
///
/// ```
/// use piton::prelude::*;
///
/// #[get("/users/{id}/files/{name}")]
/// async fn file(Path((id, name)): Path<(u32, String)>) -> String {
///     format!("{name} of {id}")
/// }
/// # fn main() {}
/// ```
///
/// # Errors
/// 422 with the parameter's name if it is not of its type; 400 if it is not UTF-8.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Path<T>(pub T);

deref_to_contents!(Path);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        let Ok(parameters) = RawPathParams::from_request_parts(parts, &()).await else {
            return Err(path_not_utf8(parts).await);
        };
        parse_path(parameters.iter()).map(Self).map_err(path_error)
    }
}

impl<T: JsonSchema> Input for Path<T> {
    fn describe(operation: &mut Operation) {
        operation.parameters::<T>(ParameterIn::Path);
    }
}

/// Returns 400 with the parameter that is not UTF-8. Uses axum's `Path` to find its name, because the rejection
/// of `RawPathParams` does not have it.
#[cold]
async fn path_not_utf8(parts: &mut Parts) -> Error {
    let rejection = axum::extract::Path::<()>::from_request_parts(parts, &()).await.err();
    let Some(PathRejection::FailedToDeserializePathParams(failure)) = rejection else {
        return Error::internal("the route has no path parameters");
    };
    match failure.into_kind() {
        ErrorKind::InvalidUtf8InPathParam { key } => Error::bad_request("the path is not UTF-8")
            .field_error(FieldError::parameter(key, "is not UTF-8")),
        other => Error::internal(other.to_string()),
    }
}

/// Returns 422 with all invalid parameters, or 500 if the handler and its route disagree.
#[cold]
fn path_error(error: PathError) -> Error {
    match error {
        PathError::Parameters(errors) => {
            let field_error = |(parameter, detail)| FieldError { detail, pointer: None, parameter };
            Error::unprocessable("invalid path parameters")
                .with_field_errors(MAX_FIELD_ERRORS, errors.into_iter().map(field_error))
        }
        PathError::Route(message) => Error::internal(message),
    }
}
