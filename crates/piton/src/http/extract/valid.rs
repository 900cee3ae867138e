//! The argument `Valid`, which validates another argument by the rules of its type (`garde`).

use axum::extract::{FromRequest, FromRequestParts, Request};
use garde::{Report, Validate};
use http::request::Parts;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::error::handler_error::{Error, FieldError, MAX_FIELD_ERRORS};
use crate::http::extract::deref_macro::deref_to_contents;
use crate::http::extract::form::Form;
use crate::http::extract::json::Json;
use crate::http::extract::json_pointer::push_token;
use crate::http::extract::listing::{Listing, SortBy};
use crate::http::extract::path::Path;
use crate::http::extract::query::Query;
use crate::http::routing::operation::{Input, Operation};

/// An argument whose value has been validated by the rules of its type (`#[derive(garde::Validate)]`).
///
/// ```
/// use piton::prelude::*;
/// use piton::garde::{self, Validate};
///
/// #[derive(Deserialize, Validate)]
/// struct Login {
///     #[garde(length(min = 1))]
///     name: String,
/// }
///
/// async fn login(Valid(Json(login)): Valid<Json<Login>>) -> String { login.name }
/// ```
///
/// # Errors
/// Those of the inner argument; 422 with every broken rule and its place.
#[derive(Clone, Copy, Debug, Default)]
pub struct Valid<E>(pub E);

deref_to_contents!(Valid);

/// An argument that [`Valid`] can validate.
pub trait Validatable {
    /// The type that has the rules.
    type Value: Validate;

    /// Returns the value to validate.
    fn value(&self) -> &Self::Value;

    /// Makes the error of a broken rule. `path` is that of garde, such as `partners[0].name`; the error has a JSON Pointer
    /// or the name of a parameter.
    fn field_error(path: &str, message: String) -> FieldError;
}

impl<T: Validate> Validatable for Json<T> {
    type Value = T;

    fn value(&self) -> &T {
        &self.0
    }

    fn field_error(path: &str, message: String) -> FieldError {
        FieldError::at(json_pointer(path), message)
    }
}

impl<T: Validate> Validatable for Form<T> {
    type Value = T;

    fn value(&self) -> &T {
        &self.0
    }

    fn field_error(path: &str, message: String) -> FieldError {
        FieldError::at(json_pointer(path), message)
    }
}

impl<T: Validate> Validatable for Query<T> {
    type Value = T;

    fn value(&self) -> &T {
        &self.0
    }

    fn field_error(path: &str, message: String) -> FieldError {
        FieldError::parameter(path, message)
    }
}

impl<T: Validate> Validatable for Path<T> {
    type Value = T;

    fn value(&self) -> &T {
        &self.0
    }

    fn field_error(path: &str, message: String) -> FieldError {
        FieldError::parameter(path, message)
    }
}

impl<F: Validate, B: SortBy, const PER_PAGE: u32, const MAX: u32> Validatable
    for Listing<F, B, PER_PAGE, MAX>
{
    type Value = F;

    fn value(&self) -> &F {
        &self.filter
    }

    fn field_error(path: &str, message: String) -> FieldError {
        FieldError::parameter(path, message)
    }
}

impl<T, S> FromRequest<S> for Valid<Json<T>>
where
    T: DeserializeOwned + Validate<Context: Default>,
    S: Send + Sync,
{
    type Rejection = Error;

    async fn from_request(request: Request, state: &S) -> Result<Self, Error> {
        validate(Json::from_request(request, state).await?)
    }
}

impl<T, S> FromRequest<S> for Valid<Form<T>>
where
    T: DeserializeOwned + Validate<Context: Default>,
    S: Send + Sync,
{
    type Rejection = Error;

    async fn from_request(request: Request, state: &S) -> Result<Self, Error> {
        validate(Form::from_request(request, state).await?)
    }
}

impl<T, S> FromRequestParts<S> for Valid<Query<T>>
where
    T: DeserializeOwned + Validate<Context: Default>,
    S: Send + Sync,
{
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        validate(Query::from_request_parts(parts, state).await?)
    }
}

impl<T, S> FromRequestParts<S> for Valid<Path<T>>
where
    T: DeserializeOwned + Send + Validate<Context: Default>,
    S: Send + Sync,
{
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        validate(Path::from_request_parts(parts, state).await?)
    }
}

impl<F, B, S, const PER_PAGE: u32, const MAX: u32> FromRequestParts<S>
    for Valid<Listing<F, B, PER_PAGE, MAX>>
where
    F: DeserializeOwned + JsonSchema + Validate<Context: Default>,
    B: SortBy,
    S: Send + Sync,
{
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        validate(Listing::from_request_parts(parts, state).await?)
    }
}

/// Validates the value of an argument.
fn validate<E>(extracted: E) -> Result<Valid<E>, Error>
where
    E: Validatable<Value: Validate<Context: Default>>,
{
    match extracted.value().validate() {
        Ok(()) => Ok(Valid(extracted)),
        Err(report) => Err(validation_error::<E>(&report)),
    }
}

/// Returns 422 with every broken rule.
#[cold]
fn validation_error<E: Validatable>(report: &Report) -> Error {
    let error = Error::unprocessable("validation failed");
    let field_error = |(path, error): &(garde::Path, garde::Error)| {
        E::field_error(&path.to_string(), error.message().to_owned())
    };
    error.with_field_errors(MAX_FIELD_ERRORS, report.iter().map(field_error))
}

/// Converts a path of garde, such as `partners[0].name`, to the JSON Pointer `/partners/0/name`.
fn json_pointer(path: &str) -> String {
    let tokens = path.split(['.', '[', ']']).filter(|token| !token.is_empty());
    tokens.fold(String::new(), |mut pointer, token| {
        push_token(&mut pointer, token);
        pointer
    })
}

impl<E: Input> Input for Valid<E> {
    fn describe(operation: &mut Operation) {
        E::describe(operation);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(garde::Validate)]
    struct Company {
        #[garde(length(min = 1))]
        name: String,
        #[garde(dive)]
        partners: Vec<Partner>,
    }

    #[derive(garde::Validate)]
    struct Partner {
        #[garde(range(max = 100))]
        share: u8,
    }

    #[test]
    fn every_broken_rule_is_reported_with_its_place() {
        let company = Company {
            name: String::new(),
            partners: vec![Partner { share: 1 }, Partner { share: 101 }],
        };
        let Err(error) = validate(Json(company)) else { panic!("the company breaks two rules") };
        let mut places: Vec<_> =
            error.field_errors().iter().filter_map(|error| error.pointer.as_deref()).collect();
        places.sort_unstable();
        assert_eq!(places, ["#/name", "#/partners/1/share"]);
    }

    #[test]
    fn at_most_100_broken_rules_are_reported_and_that_there_are_more() {
        let errors = |count| {
            let partners = (0..count).map(|_| Partner { share: 101 }).collect();
            let Err(error) = validate(Json(Company { name: "x".into(), partners })) else {
                panic!("every share is too large")
            };
            error.field_errors().to_vec()
        };
        assert!(errors(100).iter().all(|error| error.pointer.is_some()));
        let reported = errors(20_000);
        assert_eq!(reported.len(), 101);
        assert_eq!(reported[100].detail, "there are more errors than these 100");
    }
}
