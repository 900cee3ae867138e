//! Which page of a list.

use serde_json::{Value, json};

/// A page: its number from 1, and how many entries it has.
///
/// ```
/// let third = piton::http::Paging { page: 3, per_page: 20 };
/// assert_eq!(third.offset(), 40);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paging {
    /// Which page, from 1.
    pub page: u32,
    /// How many entries there are to a page.
    pub per_page: u32,
}

impl Paging {
    /// How many entries stand before the page.
    #[must_use]
    pub fn offset(self) -> i64 {
        (i64::from(self.page) - 1) * i64::from(self.per_page)
    }
}

/// The number that is given, `otherwise` where none is, or why it is refused.
pub(super) fn number(given: Option<&str>, otherwise: u32, most: u32) -> Result<u32, String> {
    let Some(text) = given.filter(|text| !text.is_empty()) else { return Ok(otherwise) };
    let digits = text.bytes().all(|c| c.is_ascii_digit());
    let number = text.parse().ok().filter(|number| digits && (1..=most).contains(number));
    number.ok_or_else(|| format!("is not a whole number from 1 to {most}"))
}

pub(super) fn schema(about: &str, default: u32, most: u32) -> Value {
    json!({
        "type": "integer",
        "format": "uint32",
        "description": about,
        "minimum": 1,
        "maximum": most,
        "default": default,
    })
}
