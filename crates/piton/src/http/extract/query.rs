//! The argument `Query`: parameters of the query, by name.

use axum::extract::FromRequestParts;
use http::request::Parts;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::error::handler_error::{Error, FieldError, MAX_FIELD_ERRORS, max_field_errors};
use crate::http::extract::deref_macro::deref_to_contents;
use crate::http::extract::urlencoded::{ParameterError, names_not_utf8, parse};
use crate::http::routing::operation::{Input, Operation, ParameterIn};

/// The parameters of the query, by name. See `docs/converters.md` for the text form of each type.
///
/// ```
/// use piton::prelude::*;
///
/// #[derive(Deserialize, JsonSchema)]
/// struct Search {
///     q: String,
///     limit: Option<u8>,
/// }
///
/// #[get("/search")]
/// async fn search(Query(search): Query<Search>) -> String {
///     format!("{} of {}", search.limit.unwrap_or(10), search.q)
/// }
/// # fn main() {}
/// ```
///
/// # Errors
/// 422 with all parameters that are missing or not of their types; 400 if one is not UTF-8.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Query<T>(pub T);

deref_to_contents!(Query);

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

/// Reads the query of a request as a `T`.
pub(super) fn parse_query<T: DeserializeOwned>(parts: &Parts) -> Result<T, Error> {
    let query = parts.uri.query().unwrap_or_default().as_bytes();
    require_utf8_query(query)?;
    parse(query).map_err(|errors| query_error(query.len(), errors))
}

/// Rejects a query with parameters that are not UTF-8, with 400.
pub(super) fn require_utf8_query(query: &[u8]) -> Result<(), Error> {
    require_utf8(query, "the query is not UTF-8", |name| {
        FieldError::parameter(name, "is not UTF-8")
    })
}

/// Rejects name/value pairs that are not UTF-8, with 400. `field_error` makes the error of a name.
pub(super) fn require_utf8(
    pairs: &[u8],
    detail: &'static str,
    field_error: fn(String) -> FieldError,
) -> Result<(), Error> {
    let names = names_not_utf8(pairs);
    if names.is_empty() {
        return Ok(());
    }
    let errors = names.into_iter().map(field_error);
    Err(Error::bad_request(detail).with_field_errors(MAX_FIELD_ERRORS, errors))
}

/// Returns 422 with all errors of a query of `length` bytes.
#[cold]
pub(super) fn query_error(length: usize, errors: Vec<ParameterError>) -> Error {
    let field_error = |(parameter, detail)| FieldError { detail, pointer: None, parameter };
    Error::unprocessable("invalid query parameters")
        .with_field_errors(max_field_errors(length), errors.into_iter().map(field_error))
}
