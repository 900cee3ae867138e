//! UUIDs in their hyphenated form.

use std::fmt;
use std::str::FromStr;

use super::error::ConvertError;

/// A UUID in the form of RFC 9562, with hyphens, in upper or lower case. `uuid::Uuid` itself also
/// accepts braces, `urn:uuid:` and bare digits, which the format `uuid` of the document does not allow.
///
/// ```
/// use piton::convert::Uuid;
///
/// let id: Uuid = "F81D4FAE-7DEC-11D0-A765-00A0C91E6BF6".parse()?;
/// assert_eq!(id.to_string(), "f81d4fae-7dec-11d0-a765-00a0c91e6bf6");
/// assert!("f81d4fae7dec11d0a76500a0c91e6bf6".parse::<Uuid>().is_err());
/// # Ok::<(), piton::convert::ConvertError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uuid(pub ::uuid::Uuid);

crate::__converter!(Uuid:
    format = "uuid",
    description = "a UUID",
    pattern = "^[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}$",
    example = "f81d4fae-7dec-11d0-a765-00a0c91e6bf6",
);

impl FromStr for Uuid {
    type Err = ConvertError;

    fn from_str(text: &str) -> Result<Self, ConvertError> {
        let malformed =
            || ConvertError::new("a UUID is written as f81d4fae-7dec-11d0-a765-00a0c91e6bf6");
        if text.len() != 36 {
            return Err(malformed());
        }
        ::uuid::Uuid::try_parse(text).map(Self).map_err(|_| malformed())
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<Uuid> for ::uuid::Uuid {
    fn from(id: Uuid) -> Self {
        id.0
    }
}
