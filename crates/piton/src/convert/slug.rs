//! Slugs, the readable names in URLs: `open-source`.

use std::fmt;
use std::ops::Deref;
use std::str::FromStr;

use super::error::ConvertError;

/// A readable name for URLs: lower-case ASCII letters and digits, with single hyphens between them. At most 100 characters.
///
/// ```
/// use piton::convert::Slug;
///
/// assert!("open-source".parse::<Slug>().is_ok());
/// for wrong in ["", "Open", "-open", "open--source", "open_source", "öffentlich"] {
///     assert!(wrong.parse::<Slug>().is_err());
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slug(String);

crate::converter!(Slug:
    format = "slug",
    description = "lower-case letters, digits and single hyphens between them",
    pattern = "^[a-z0-9]+(-[a-z0-9]+)*$",
    max_length = Slug::MAX_LENGTH,
    example = "open-source",
);

impl Slug {
    /// Maximum number of characters.
    pub const MAX_LENGTH: usize = 100;

    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Slug {
    type Err = ConvertError;

    fn from_str(text: &str) -> Result<Self, ConvertError> {
        let is_word = |word: &str| {
            !word.is_empty() && word.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
        };
        if !text.split('-').all(is_word) {
            return Err(ConvertError::new(
                "a slug has lower-case letters and digits, with single hyphens between them: `open-source`",
            ));
        }
        if text.len() > Self::MAX_LENGTH {
            return Err(ConvertError::new("a slug has at most 100 characters"));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Deref for Slug {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slug_has_at_most_100_characters() {
        assert!("x".repeat(100).parse::<Slug>().is_ok());
        let why = "x".repeat(101).parse::<Slug>().unwrap_err().to_string();
        assert_eq!(why, "a slug has at most 100 characters");
    }
}
