//! The words of an address: `open-source`.

use std::fmt;
use std::ops::Deref;
use std::str::FromStr;

use super::Refused;

/// Small letters, digits and single hyphens between them: `open-source`, at most 100.
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
    about = "small letters, digits and single hyphens between them",
    pattern = "^[a-z0-9]+(-[a-z0-9]+)*$",
    max_length = Slug::MOST,
    example = "open-source",
);

impl Slug {
    /// The most characters there are.
    pub const MOST: usize = 100;

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Slug {
    type Err = Refused;

    fn from_str(text: &str) -> Result<Self, Refused> {
        let is_word = |word: &str| {
            !word.is_empty() && word.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
        };
        if !text.split('-').all(is_word) {
            return Err(Refused::new(
                "a slug is small letters and digits, with single hyphens between them: `open-source`",
            ));
        }
        if text.len() > Self::MOST {
            return Err(Refused::new("a slug has at most 100 characters"));
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
    fn a_slug_is_at_most_100_long() {
        assert!("x".repeat(100).parse::<Slug>().is_ok());
        let why = "x".repeat(101).parse::<Slug>().unwrap_err().to_string();
        assert_eq!(why, "a slug has at most 100 characters");
    }
}
