//! What goes wrong when keys are made and revoked, by what the caller can do about it.

use std::borrow::Cow;
use std::fmt;

use http::StatusCode;

use super::lookup::KEY_PREFIX;
use crate::db;
use crate::http::StatusMapping;

/// Why a key was not made, replaced or revoked. [`KeyError::kind`] is what to branch on.
///
/// As the answer of a handler [`KeyErrorKind::NameTaken`] becomes 409, [`KeyErrorKind::Unknown`] 404,
/// [`KeyErrorKind::Invalid`] 422, and [`KeyErrorKind::Database`] what the database's error does.
#[derive(Debug)]
pub struct KeyError {
    kind: KeyErrorKind,
    message: Cow<'static, str>,
    source: Option<db::Error>,
}

/// What kind of error it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KeyErrorKind {
    /// A key of that name is in use: revoke it, or rotate it.
    NameTaken,
    /// There is no such key, or it is not in use any more.
    Unknown,
    /// The name, a scope or the time is none that a key can have.
    Invalid,
    /// The database did not do it.
    Database,
}

impl KeyError {
    /// What kind of error it is.
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

pub(super) fn is_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    // What begins as a key may be one, put in the wrong place: it must not become a name, nor be said.
    let begins =
        name.starts_with(|c: char| c.is_ascii_alphanumeric()) && !name.starts_with(KEY_PREFIX);
    begins && name.len() <= 64 && name.bytes().all(plain)
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
            Some(StatusMapping::from(StatusCode::NOT_FOUND).detail("there is no such key"))
        }
        KeyErrorKind::Invalid => Some(
            StatusMapping::from(StatusCode::UNPROCESSABLE_ENTITY)
                .detail("that is no name, scope or time for a key"),
        ),
        KeyErrorKind::Database => None,
    }
}

crate::map_error!(|error| error.downcast_ref::<KeyError>().and_then(known));
