//! The filter and the order of the list of companies.

use garde::Validate;
use piton::convert::{List, Timestamp};
use piton::http::SortBy;
use piton::prelude::*;

use super::name_rules::{MAX_NAME_LENGTH, search_text_pattern, validate_search_text};
use crate::converters::State;

/// The filter of the list of companies.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Validate)]
#[serde(default, deny_unknown_fields)]
pub struct CompanyFilter {
    /// Only companies of this state, or of one of these: `state=SP`, `state=SP&state=RJ`, `state=SP,RJ`.
    #[garde(skip)]
    pub state: Option<List<State, 27>>,
    /// Only companies with this text in their name. Case and accents are ignored.
    #[garde(length(chars, max = MAX_NAME_LENGTH), inner(custom(validate_search_text)))]
    #[schemars(length(max = MAX_NAME_LENGTH), regex(pattern = search_text_pattern()))]
    pub q: Option<String>,
    /// Only companies that were changed at this time or later: `2026-11-21T09:30:00Z`.
    #[garde(skip)]
    pub updated_since: Option<Timestamp>,
}

/// The order of the list of companies: by name unless the client asks for another one.
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
