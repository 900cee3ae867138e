//! The error of reading and writing messages. It never contains a value of the message.

use std::borrow::Cow;
use std::fmt;

/// The error of reading or writing a message. Branch on [`Error::kind`].
///
/// The text names the field and the position in the JSON, never a value: tasks carry passwords and tokens,
/// and errors end up in logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    kind: Kind,
    message: Cow<'static, str>,
}

/// The kinds of [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// The bytes are not JSON, or a field has another type than the protocol gives it.
    Malformed,
    /// A field is missing without which a Python worker loses the message or ends.
    Incomplete,
    /// The body is not JSON but pickle, YAML or MessagePack: the sender needs `task_serializer = "json"`.
    ContentType,
    /// The body is compressed by a codec that is not supported.
    Compression,
    /// The body is larger than the maximum passed by the caller.
    TooLarge,
    /// A value has a `__type__` that Kombu does not define, or a `__value__` that does not fit it.
    UnknownType,
}

impl Error {
    /// Returns the kind of error.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    pub(crate) fn new(kind: Kind, message: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, message: message.into() }
    }

    pub(crate) fn malformed(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::Malformed, message)
    }

    pub(crate) fn incomplete(field: &str) -> Self {
        Self::new(
            Kind::Incomplete,
            format!("`{field}` is missing: Python workers lose messages without it"),
        )
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}
