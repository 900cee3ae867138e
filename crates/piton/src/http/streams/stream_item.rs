//! The items that a stream in a response may have: plain ones, and results.

use std::error::Error as StdError;
use std::fmt;

use bytes::Bytes;

use super::event::Event;
use crate::error::{BoxError, Error};

/// The items of a stream in a response: an [`Event`] or [`Bytes`], or a `Result` of one with an
/// [`Error`] or any standard error.
pub trait StreamItem<T> {
    /// Returns the item.
    ///
    /// # Errors
    /// The handler's own error. It cuts the response off.
    fn into_item(self) -> Result<T, BoxError>;
}

impl StreamItem<Self> for Event {
    fn into_item(self) -> Result<Self, BoxError> {
        Ok(self)
    }
}

impl StreamItem<Self> for Bytes {
    fn into_item(self) -> Result<Self, BoxError> {
        Ok(self)
    }
}

impl<T, U: Into<T>> StreamItem<T> for Result<U, Error> {
    fn into_item(self) -> Result<T, BoxError> {
        self.map(Into::into).map_err(|error| Box::new(StreamError(error)) as BoxError)
    }
}

// Does not overlap with the one above, because `Error` is no standard error.
impl<T, U: Into<T>, E: StdError + Send + Sync + 'static> StreamItem<T> for Result<U, E> {
    fn into_item(self) -> Result<T, BoxError> {
        self.map(Into::into).map_err(|error| Box::new(error) as BoxError)
    }
}

/// An [`Error`] as a standard error, so that it can pass through a body.
pub(crate) struct StreamError(pub Error);

impl fmt::Display for StreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for StreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl StdError for StreamError {}
