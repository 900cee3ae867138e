//! What is looked for, and the page of what is found.

use garde::Validate;
use piton::prelude::*;
use serde::{Deserializer, de};

use super::Company;
use crate::converters::State;

/// Which companies, and which of them. An empty parameter is one that is not given.
#[derive(Clone, Debug, Deserialize, JsonSchema, Validate)]
#[serde(default, deny_unknown_fields)]
pub struct Search {
    /// Those of one state.
    #[garde(skip)]
    #[serde(deserialize_with = "unless_empty")]
    pub state: Option<State>,
    /// Those with this in their name, whatever its case and accents.
    #[garde(length(chars, max = 200), inner(custom(is_writing)))]
    #[schemars(example = &"padaria", regex(pattern = r"^[^\x00-\x1f\x7f-\x9f]*$"))]
    #[serde(deserialize_with = "unless_empty")]
    pub q: Option<String>,
    /// Which page, from 1.
    #[garde(range(min = 1))]
    #[serde(deserialize_with = "number_or::<1, _>")]
    pub page: u32,
    /// How many to a page, 100 at most.
    #[garde(range(min = 1, max = 100))]
    #[serde(deserialize_with = "number_or::<20, _>")]
    pub per_page: u32,
}

impl Default for Search {
    fn default() -> Self {
        Self { state: None, q: None, page: 1, per_page: 20 }
    }
}

impl Search {
    /// How many companies stand before the page.
    #[must_use]
    pub fn offset(&self) -> i64 {
        (i64::from(self.page) - 1) * i64::from(self.per_page)
    }
}

fn unless_empty<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
where
    T: std::str::FromStr<Err: std::fmt::Display>,
    D: Deserializer<'de>,
{
    let text = String::deserialize(deserializer)?;
    if text.trim().is_empty() {
        return Ok(None);
    }
    text.trim().parse().map(Some).map_err(de::Error::custom)
}

fn number_or<'de, const DEFAULT: u32, D>(deserializer: D) -> Result<u32, D::Error>
where
    D: Deserializer<'de>,
{
    let text: Option<String> = unless_empty(deserializer)?;
    let Some(text) = text else { return Ok(DEFAULT) };
    text.parse().map_err(|_| de::Error::custom(format!("is no whole number up to {}", u32::MAX)))
}

/// SQLite ends a pattern at a zero byte, so that `%` and one would find everything; PostgreSQL has no
/// such text at all.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "garde calls it so")]
fn is_writing(q: &str, _: &()) -> garde::Result {
    if q.chars().any(char::is_control) {
        return Err(garde::Error::new("a name has no control characters, so none has these"));
    }
    Ok(())
}

/// One page of what was found.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Companies {
    /// The companies of the page, by name.
    pub items: Vec<Company>,
    /// Which page it is, from 1.
    pub page: u32,
    /// How many there are to a page.
    pub per_page: u32,
    /// How many companies were found in all.
    pub total: u64,
    /// How many pages that makes.
    pub pages: u64,
}

impl Companies {
    /// The page of `search` with `items` of `total`.
    #[must_use]
    pub fn new(search: &Search, items: Vec<Company>, total: u64) -> Self {
        let pages = total.div_ceil(u64::from(search.per_page));
        Self { items, page: search.page, per_page: search.per_page, total, pages }
    }
}
