//! What is looked for, and in which order it is shown.

use garde::Validate;
use piton::convert::{List, Timestamp};
use piton::http::SortBy;
use piton::prelude::*;

use super::name::{MOST, is_writing, writing_pattern};
use crate::converters::State;

/// Which companies.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Validate)]
#[serde(default, deny_unknown_fields)]
pub struct Search {
    /// Those of this state, or of one of these: `state=SP`, `state=SP&state=RJ`, `state=SP,RJ`.
    #[garde(skip)]
    pub state: Option<List<State, 27>>,
    /// Those with this in their name, whatever its case and accents.
    #[garde(length(chars, max = MOST), inner(custom(is_writing)))]
    #[schemars(length(max = MOST), regex(pattern = writing_pattern()))]
    pub q: Option<String>,
    /// Those that were written at this moment or later: `2026-11-21T09:30:00Z`.
    #[garde(skip)]
    pub updated_since: Option<Timestamp>,
}

/// By what companies can be sorted; by their names where nothing is said.
#[derive(Clone, Copy, Debug)]
pub struct CompanyOrder;

impl SortBy for CompanyOrder {
    const FIELDS: &'static [(&'static str, &'static str)] = &[
        ("name", "searched"),
        ("cnpj", "cnpj"),
        ("created_at", "created_at"),
        ("updated_at", "updated_at"),
    ];
    const DEFAULT: &'static str = "name";
    const UNIQUE: &'static str = "cnpj";
}
