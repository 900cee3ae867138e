//! The argument `Form`: the fields of an HTML form.

use axum::extract::{FromRequest, Request};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, Method, StatusCode};
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::context;
use crate::error::handler_error::{Error, FieldError, max_field_errors};
use crate::http::extract::deref_macro::deref_to_contents;
use crate::http::extract::json_pointer::push_token;
use crate::http::extract::query::{parse_query, require_utf8};
use crate::http::extract::request_body::{media_type, read_body, unsupported_media_type};
use crate::http::extract::urlencoded::{self, ParameterError};
use crate::http::routing::operation::{Input, Operation};
use crate::http::server::body_limit_errors::budget_exhausted;
use crate::memory::SMALL;

/// The media type of a form.
const FORM: &str = "application/x-www-form-urlencoded";

/// The fields of a form: the body of a `POST` (`application/x-www-form-urlencoded`), or the query of a `GET`.
///
/// # Errors
/// 415 if the body is not a form, 413 if it is too large or has more than 50,000 fields, 400 if it is not UTF-8, 422
/// with all fields that are missing or not of their types.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Form<T>(pub T);

deref_to_contents!(Form);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Form<T> {
    type Rejection = Error;

    async fn from_request(request: Request, _: &S) -> Result<Self, Error> {
        let (parts, body) = request.into_parts();
        if matches!(parts.method, Method::GET | Method::HEAD) {
            return parse_query(&parts).map(Self);
        }
        if !is_form(&parts.headers) {
            return Err(unsupported_media_type(&parts.headers, FORM));
        }
        let bytes = read_body(body).await?;
        charge_fields(&bytes)?;
        require_utf8(&bytes, "the form is not UTF-8", |name| {
            form_field_error(Some(name), "is not UTF-8".into())
        })?;
        urlencoded::parse(&bytes).map(Self).map_err(|errors| form_error(bytes.len(), errors))
    }
}

/// Maximum number of fields of a form. With this many, they take about 12 MB while they are read.
const MAX_FIELDS: usize = 50_000;

/// Charges the memory budget for the fields of a form, because a form of nothing but `&a&a..` grows to a hundred times
/// its size.
fn charge_fields(bytes: &[u8]) -> Result<(), Error> {
    if bytes.len() as u64 <= SMALL {
        return Ok(());
    }
    if bytes.iter().filter(|byte| **byte == b'&').count() >= MAX_FIELDS {
        let detail = format!("the form has more than {MAX_FIELDS} fields");
        return Err(Error::new(StatusCode::PAYLOAD_TOO_LARGE, detail));
    }
    let charged = context::hold_estimate(urlencoded::memory_estimate(bytes), bytes.len() as u64);
    charged.map_err(|_| budget_exhausted())
}

/// Returns 422 with all errors of a form of `length` bytes.
#[cold]
pub(super) fn form_error(length: usize, errors: Vec<ParameterError>) -> Error {
    Error::unprocessable("invalid form fields").with_field_errors(
        max_field_errors(length),
        errors.into_iter().map(|(name, message)| form_field_error(name, message)),
    )
}

/// Makes the error of a field, or of the whole form.
fn form_field_error(name: Option<String>, message: String) -> FieldError {
    let mut pointer = String::new();
    if let Some(name) = name {
        push_token(&mut pointer, &name);
    }
    FieldError::at(pointer, message)
}

impl<T: JsonSchema> Input for Form<T> {
    fn describe(operation: &mut Operation) {
        operation.body::<T>(FORM);
    }
}

impl<T: Serialize> IntoResponse for Form<T> {
    fn into_response(self) -> Response {
        axum::Form(self.0).into_response()
    }
}

/// Returns whether the body is a form.
fn is_form(headers: &HeaderMap) -> bool {
    media_type(headers).is_some_and(|media_type| media_type.eq_ignore_ascii_case(FORM))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use axum::body::Body;

    use super::*;

    #[tokio::test]
    async fn a_form_with_more_than_50_000_fields_is_413() {
        let form = |fields: usize| {
            let body = vec!["a=1"; fields].join("&");
            let form = "application/x-www-form-urlencoded";
            Request::post("/").header("content-type", form).body(Body::from(body)).unwrap()
        };
        let read =
            async |fields| Form::<HashMap<String, Vec<u8>>>::from_request(form(fields), &()).await;
        assert_eq!(read(50_000).await.unwrap()["a"].len(), 50_000);
        let error = read(50_001).await.unwrap_err();
        assert_eq!(error.status(), StatusCode::PAYLOAD_TOO_LARGE);
    }
}
