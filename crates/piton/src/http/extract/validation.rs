//! `Valid<Json<T>>`: a value that has been checked by the rules written on its type.

use std::ops::{Deref, DerefMut};

use axum::extract::{FromRequest, FromRequestParts, Request};
use garde::{Report, Validate};
use http::request::Parts;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::error::handler_error::{Error, FieldError, MAX_FIELD_ERRORS};
use crate::http::extract::arguments::{Form, Json, Path, Query};
use crate::http::extract::listing::{Listing, SortBy};
use crate::http::routing::operation::{Input, Operation};

/// An extractor whose value has passed its own rules (`#[derive(garde::Validate)]`).
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
/// Those of the extractor inside; 422 that lists every fault with its place when a rule is broken.
#[derive(Clone, Copy, Debug, Default)]
pub struct Valid<E>(pub E);

/// An extractor whose value can be checked.
pub trait Checked {
    /// The type that has the rules.
    type Value: Validate;

    /// The value to check.
    fn value(&self) -> &Self::Value;

    /// How the place of a fault is said: as a pointer into a body, or as a parameter.
    fn fault(place: &str, what: String) -> FieldError;
}

impl<T: Validate> Checked for Json<T> {
    type Value = T;

    fn value(&self) -> &T {
        &self.0
    }

    fn fault(place: &str, what: String) -> FieldError {
        FieldError::at(pointer(place), what)
    }
}

impl<T: Validate> Checked for Form<T> {
    type Value = T;

    fn value(&self) -> &T {
        &self.0
    }

    fn fault(place: &str, what: String) -> FieldError {
        FieldError::at(pointer(place), what)
    }
}

impl<T: Validate> Checked for Query<T> {
    type Value = T;

    fn value(&self) -> &T {
        &self.0
    }

    fn fault(place: &str, what: String) -> FieldError {
        FieldError::parameter(place, what)
    }
}

impl<T: Validate> Checked for Path<T> {
    type Value = T;

    fn value(&self) -> &T {
        &self.0
    }

    fn fault(place: &str, what: String) -> FieldError {
        FieldError::parameter(place, what)
    }
}

impl<F: Validate, B: SortBy, const PER_PAGE: u32, const MOST: u32> Checked
    for Listing<F, B, PER_PAGE, MOST>
{
    type Value = F;

    fn value(&self) -> &F {
        &self.filter
    }

    fn fault(place: &str, what: String) -> FieldError {
        FieldError::parameter(place, what)
    }
}

impl<T, S> FromRequest<S> for Valid<Json<T>>
where
    T: DeserializeOwned + Validate<Context: Default>,
    S: Send + Sync,
{
    type Rejection = Error;

    async fn from_request(request: Request, state: &S) -> Result<Self, Error> {
        check(Json::from_request(request, state).await?)
    }
}

impl<T, S> FromRequest<S> for Valid<Form<T>>
where
    T: DeserializeOwned + Validate<Context: Default>,
    S: Send + Sync,
{
    type Rejection = Error;

    async fn from_request(request: Request, state: &S) -> Result<Self, Error> {
        check(Form::from_request(request, state).await?)
    }
}

impl<T, S> FromRequestParts<S> for Valid<Query<T>>
where
    T: DeserializeOwned + Validate<Context: Default>,
    S: Send + Sync,
{
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        check(Query::from_request_parts(parts, state).await?)
    }
}

impl<T, S> FromRequestParts<S> for Valid<Path<T>>
where
    T: DeserializeOwned + Send + Validate<Context: Default>,
    S: Send + Sync,
{
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        check(Path::from_request_parts(parts, state).await?)
    }
}

impl<F, B, S, const PER_PAGE: u32, const MOST: u32> FromRequestParts<S>
    for Valid<Listing<F, B, PER_PAGE, MOST>>
where
    F: DeserializeOwned + JsonSchema + Validate<Context: Default>,
    B: SortBy,
    S: Send + Sync,
{
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        check(Listing::from_request_parts(parts, state).await?)
    }
}

fn check<E>(extracted: E) -> Result<Valid<E>, Error>
where
    E: Checked<Value: Validate<Context: Default>>,
{
    match extracted.value().validate() {
        Ok(()) => Ok(Valid(extracted)),
        Err(report) => Err(refusal::<E>(&report)),
    }
}

#[cold]
fn refusal<E: Checked>(report: &Report) -> Error {
    let error = Error::unprocessable("validation failed");
    let fault = |(path, fault): &(garde::Path, garde::Error)| {
        E::fault(&path.to_string(), fault.message().to_owned())
    };
    error.with_field_errors(MAX_FIELD_ERRORS, report.iter().map(fault))
}

/// garde's `partners[0].name` as the JSON Pointer `/partners/0/name`.
fn pointer(place: &str) -> String {
    let tokens = place.split(['.', '[', ']']).filter(|token| !token.is_empty());
    tokens.fold(String::new(), |mut pointer, token| {
        pointer.push('/');
        pointer.push_str(&token.replace('~', "~0").replace('/', "~1"));
        pointer
    })
}

impl<E: Input> Input for Valid<E> {
    fn describe(operation: &mut Operation) {
        E::describe(operation);
    }
}

impl<E> Deref for Valid<E> {
    type Target = E;

    fn deref(&self) -> &E {
        &self.0
    }
}

impl<E> DerefMut for Valid<E> {
    fn deref_mut(&mut self) -> &mut E {
        &mut self.0
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
    fn every_broken_rule_is_listed_with_its_place() {
        let company = Company {
            name: String::new(),
            partners: vec![Partner { share: 1 }, Partner { share: 101 }],
        };
        let Err(error) = check(Json(company)) else { panic!("the company breaks two rules") };
        let mut places: Vec<_> =
            error.field_errors().iter().filter_map(|fault| fault.pointer.as_deref()).collect();
        places.sort_unstable();
        assert_eq!(places, ["#/name", "#/partners/1/share"]);
    }

    #[test]
    fn of_very_many_broken_rules_a_hundred_are_told_and_that_there_are_more() {
        let refuse = |count| {
            let partners = (0..count).map(|_| Partner { share: 101 }).collect();
            let Err(error) = check(Json(Company { name: "x".into(), partners })) else {
                panic!("every share is too large")
            };
            error.field_errors().to_vec()
        };
        assert!(refuse(100).iter().all(|fault| fault.pointer.is_some()));
        let told = refuse(20_000);
        assert_eq!(told.len(), 101);
        assert_eq!(told[100].detail, "there are more errors than these 100");
    }
}
