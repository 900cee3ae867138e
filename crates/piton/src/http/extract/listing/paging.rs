//! The number and the size of a page.

use serde_json::{Value, json};

/// A page of a list: its number and its size.
///
/// ```
/// let third = piton::http::Paging { page: 3, per_page: 20 };
/// assert_eq!(third.offset(), 40);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paging {
    /// The number of the page, from 1.
    pub page: u32,
    /// Number of items per page.
    pub per_page: u32,
}

impl Paging {
    /// Returns the number of items before the page.
    #[must_use]
    pub fn offset(self) -> i64 {
        (i64::from(self.page) - 1) * i64::from(self.per_page)
    }
}

/// Parses a number from 1 to `max`. Returns `default` if there is no value.
///
/// # Errors
/// The message for the client.
pub(super) fn parse_number(value: Option<&str>, default: u32, max: u32) -> Result<u32, String> {
    let Some(text) = value.filter(|text| !text.is_empty()) else { return Ok(default) };
    let digits = text.bytes().all(|c| c.is_ascii_digit());
    let number = text.parse().ok().filter(|number| digits && (1..=max).contains(number));
    number.ok_or_else(|| format!("is not a whole number from 1 to {max}"))
}

/// Returns the schema of a number from 1 to `max`.
pub(super) fn number_schema(description: &str, default: u32, max: u32) -> Value {
    json!({
        "type": "integer",
        "format": "uint32",
        "description": description,
        "minimum": 1,
        "maximum": max,
        "default": default,
    })
}
