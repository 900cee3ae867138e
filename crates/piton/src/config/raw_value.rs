//! Values as they were found, before a type reads them.

use std::fmt;

use serde_json::Value;

use super::origin::Origin;

/// A value as it was written, with its place.
#[derive(Clone)]
pub(crate) struct RawValue {
    pub value: Value,
    pub origin: Origin,
}

/// An environment variable that is no setting: see [`App::expose_env`](crate::App::expose_env).
#[derive(Clone)]
pub struct EnvValue {
    /// The text of the variable; `None` if it is not Unicode.
    pub text: Option<String>,
    /// The environment, or the line of `.env`.
    pub origin: Origin,
}

/// Shows the origin without the text, because the text may be a secret.
impl fmt::Debug for EnvValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EnvValue").field("origin", &self.origin).finish_non_exhaustive()
    }
}
