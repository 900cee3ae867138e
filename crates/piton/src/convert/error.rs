//! The error of the ready-made converters.

use std::borrow::Cow;
use std::fmt;

/// An error that says why a ready-made converter rejected a text. Its message is shown to the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConvertError(Cow<'static, str>);

impl ConvertError {
    pub(super) fn new(message: impl Into<Cow<'static, str>>) -> Self {
        Self(message.into())
    }
}

impl fmt::Display for ConvertError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ConvertError {}
