//! The errors of creating, rotating and revoking keys, by what the caller can do about them.

use std::borrow::Cow;
use std::fmt;

use http::StatusCode;

use super::key_format::is_name;
use crate::db;
use crate::http::StatusMapping;

/// The error of creating, rotating or revoking a key. Branch on [`KeyError::kind`].
///
/// As the response of a handler [`KeyErrorKind::NameTaken`] becomes 409, [`KeyErrorKind::Unknown`] 404,
/// [`KeyErrorKind::Invalid`] 422, and [`KeyErrorKind::Database`] what the database error becomes.
#[derive(Debug)]
pub struct KeyError {
    kind: KeyErrorKind,
    message: Cow<'static, str>,
    source: Option<db::Error>,
}

/// The kinds of [`KeyError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KeyErrorKind {
    /// A key of that name is in use: revoke or rotate it first.
    NameTaken,
    /// No key in use has that name or id.
    Unknown,
    /// The name, a scope or the lifetime is not valid.
    Invalid,
    /// The database failed.
    Database,
}

impl KeyError {
    /// Returns the kind of error.
    #[must_use]
    pub fn kind(&self) -> KeyErrorKind {
        self.kind
    }

    pub(super) fn new(kind: KeyErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, message: message.into(), source: None }
    }
}

impl KeyError {
    /// Returns the error of a name or an id that no key in use has.
    pub(super) fn unknown(name_or_id: &str) -> Self {
        let what = if is_name(name_or_id) { format!(" `{name_or_id}`") } else { String::new() };
        Self::new(KeyErrorKind::Unknown, format!("there is no key{what} in use"))
    }
}

impl From<getrandom::Error> for KeyError {
    fn from(error: getrandom::Error) -> Self {
        let why = format!("the system returns no random numbers: {error}");
        Self::new(KeyErrorKind::Database, why)
    }
}

impl From<db::Error> for KeyError {
    fn from(error: db::Error) -> Self {
        let message = "the table of API keys".into();
        Self { kind: KeyErrorKind::Database, message, source: Some(error) }
    }
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for KeyError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|source| source as _)
    }
}

fn known(error: &KeyError) -> Option<StatusMapping> {
    match error.kind {
        KeyErrorKind::NameTaken => {
            Some(StatusMapping::from(StatusCode::CONFLICT).detail("a key of that name is in use"))
        }
        KeyErrorKind::Unknown => {
            Some(StatusMapping::from(StatusCode::NOT_FOUND).detail("no such key"))
        }
        KeyErrorKind::Invalid => Some(
            StatusMapping::from(StatusCode::UNPROCESSABLE_ENTITY)
                .detail("invalid name, scope or lifetime for a key"),
        ),
        KeyErrorKind::Database => None,
    }
}

crate::map_error!(|error| error.downcast_ref::<KeyError>().and_then(known));
