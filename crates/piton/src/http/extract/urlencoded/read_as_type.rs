//! Reads a query, a form or a path as a type, or returns all errors.

use serde::de::DeserializeOwned;

use super::name_value_pairs::{NameValuePairs, ParameterError};
use crate::error::handler_error::{MAX_FIELD_ERRORS, max_field_errors};
use crate::http::extract::serde_messages::missing_field;

/// Reads `a=1&b=2` as a `T`.
///
/// # Errors
/// All invalid parameters, one more than [`max_field_errors`] at most.
pub(in crate::http::extract) fn parse<T: DeserializeOwned>(
    text: &[u8],
) -> Result<T, Vec<ParameterError>> {
    NameValuePairs::from_query(text)?.read(max_field_errors(text.len()))
}

/// The error of path parameters.
pub(in crate::http::extract) enum PathError {
    /// The client sent invalid parameters.
    Parameters(Vec<ParameterError>),
    /// The route and its handler disagree on the parameters, which no client can correct.
    Route(String),
}

/// Reads decoded path parameters as a `T`.
///
/// # Errors
/// See [`PathError`].
pub(in crate::http::extract) fn parse_path<'a, T: DeserializeOwned>(
    parameters: impl Iterator<Item = (&'a str, &'a str)>,
) -> Result<T, PathError> {
    let mut pairs = NameValuePairs::from_path(parameters);
    let error = match pairs.attempt::<T>() {
        Ok(value) => return Ok(value),
        Err(error) => error,
    };
    if error.is_route_mismatch || missing_field(&error.message).is_some() {
        return Err(PathError::Route(error.message));
    }
    pairs.collect_errors(error, MAX_FIELD_ERRORS).map_err(PathError::Parameters)
}

impl NameValuePairs<'_> {
    /// Reads the pairs as a `T`.
    ///
    /// # Errors
    /// All errors, at most `max + 1`, so that the caller can tell that there are more.
    pub fn read<T: DeserializeOwned>(mut self, max: usize) -> Result<T, Vec<ParameterError>> {
        match self.attempt() {
            Ok(value) => Ok(value),
            Err(error) => self.collect_errors(error, max),
        }
    }
}
