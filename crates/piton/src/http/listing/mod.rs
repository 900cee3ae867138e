//! What is asked of a list: which entries, in which order, which page of them.
//!
//! One argument of a handler reads all three from the query, so that each parameter belongs to
//! somebody and one that belongs to nobody is refused:
//!
//! ```
//! use piton::convert::List;
//! use piton::http::{Listing, Page, SortBy};
//! use piton::prelude::*;
//!
//! #[derive(Default, Deserialize, JsonSchema)]
//! #[serde(default, deny_unknown_fields)]
//! struct Search {
//!     /// Books of these years: `?year=2024,2025`.
//!     year: Option<List<u16>>,
//! }
//!
//! struct Order;
//!
//! impl SortBy for Order {
//!     const FIELDS: &[(&str, &str)] = &[("title", "title"), ("year", "printed_in")];
//!     const DEFAULT: &str = "-year,title";
//!     const UNIQUE: &str = "id";
//! }
//!
//! /// `GET /books?year=2024,2025&sort=title&page=2`
//! async fn books(asked: Listing<Search, Order>) -> Result<Page<String>> {
//!     let (found, total) = (vec!["Piton".to_owned()], 1);
//!     Ok(asked.page(found, total))
//! }
//! ```
//!
//! With a database, `Sql` takes the three as they are: `Sql::filter`, `Sql::sort`, `Sql::page`.

mod links;
mod page;
mod paging;
mod sort;

use std::borrow::Cow;

use axum::extract::FromRequestParts;
use http::request::Parts;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::error::{Error, most_faults};
use super::extract::{query_is_text, query_refusal};
use super::operation::{Input, Operation, Place};
use super::pairs::{self, Pair, Wrong};

pub use page::{Items, Page};
pub use paging::Paging;
pub use sort::{Refused as SortRefused, Sort, SortBy, Unsorted};

/// What is asked of a list, read from the query: which entries (`F`, a struct whose fields are
/// parameters), in which order (`sort`, if `B` says which fields there are), which page of them
/// (`page` from 1, and `per_page`: `PER_PAGE` where it is not said, `MOST` at most).
///
/// A parameter without a value (`?state=`) is as one that is not given, as forms in browsers send
/// them.
///
/// # Errors
/// 422 that lists every parameter that is wrong, is given twice, or that nobody knows.
#[derive(Clone, Debug)]
pub struct Listing<F = NoFilter, B = Unsorted, const PER_PAGE: u32 = 20, const MOST: u32 = 100> {
    /// Which entries.
    pub filter: F,
    /// In which order.
    pub sort: Sort<B>,
    /// Which page.
    pub paging: Paging,
    /// The query without `page`, for the links to other pages.
    query: String,
}

/// The filter of a list that is always shown whole: no parameter but those of order and page.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoFilter {}

impl<F, B, const PER_PAGE: u32, const MOST: u32> Listing<F, B, PER_PAGE, MOST> {
    /// The answer: the entries of this page, of `total` in all.
    pub fn page<T>(&self, items: Vec<T>, total: u64) -> Page<T> {
        Page::new(self.paging, items, total).with_links(&self.query)
    }

    /// Returns a page of which `items` may hold only the first entries, because more of them would be
    /// too large. The page then becomes one of pages with as many entries as fit: no entry is left
    /// out between it and the next, and none is on both. `Db::page` calls it with what
    /// `db.max_page_size` lets through.
    #[must_use]
    pub fn page_up_to<T>(&self, mut items: Vec<T>, total: u64) -> Page<T> {
        let before = self.paging.offset().unsigned_abs();
        let expected = total.saturating_sub(before).min(self.paging.per_page.into());
        let fitting = items.len() as u64;
        if fitting == 0 || fitting >= expected {
            return self.page(items, total);
        }
        // Pages of this size begin at its multiples, so this one has to end at the next multiple.
        let past = before % fitting;
        items.truncate(usize::try_from(fitting - past).unwrap_or(usize::MAX));
        let number = |number| u32::try_from(number).unwrap_or(u32::MAX);
        let paging = Paging { page: number(before / fitting + 1), per_page: number(fitting) };
        let query = links::with_per_page(&self.query, paging.per_page);
        let page = Page::new(paging, items, total).with_links(&query);
        if past == 0 { page } else { page.after(self.previous(fitting)) }
    }

    /// The page with at most `fitting` entries that ends where this one begins.
    fn previous(&self, fitting: u64) -> Paging {
        let before = self.paging.offset().unsigned_abs();
        let size = (1..=fitting).rev().find(|size| before.is_multiple_of(*size)).unwrap_or(1);
        let number = |number| u32::try_from(number).unwrap_or(u32::MAX);
        Paging { page: number(before / size), per_page: number(size) }
    }
}

impl<F, B, const PER_PAGE: u32, const MOST: u32> Listing<F, B, PER_PAGE, MOST>
where
    F: DeserializeOwned,
    B: SortBy,
{
    /// Reads what is asked from a query, without its `?`.
    ///
    /// # Errors
    /// As the argument of a handler.
    pub fn from_query(query: &str) -> Result<Self, Error> {
        query_is_text(query.as_bytes())?;
        let most = most_faults(query.len());
        let (own, rest) = divide(pairs::split(query.as_bytes()), is_own::<B>);
        let mut wrong = Vec::new();
        let own = Own::read(own, &mut wrong);
        let rest = known::<F, B>(rest, most, &mut wrong);
        let links = links::query_without_page(query);
        let paging = own.paging::<PER_PAGE, MOST>(&mut wrong);
        let sort = own.sort(&mut wrong);
        match pairs::read(rest, most) {
            Ok(filter) if wrong.is_empty() => Ok(Self { filter, sort, paging, query: links }),
            Ok(_) => Err(query_refusal(query.len(), wrong)),
            Err(more) => {
                wrong.extend(more);
                Err(query_refusal(query.len(), wrong))
            }
        }
    }
}

/// The parameters of order and page, as they are written.
#[derive(Default)]
struct Own {
    page: Option<String>,
    per_page: Option<String>,
    sort: Option<String>,
}

fn is_own<B: SortBy>(name: &str) -> bool {
    matches!(name, "page" | "per_page") || name == "sort" && !B::FIELDS.is_empty()
}

fn divide(pairs: Vec<Pair>, is_own: fn(&str) -> bool) -> (Vec<Pair>, Vec<Pair>) {
    pairs.into_iter().partition(|(name, _)| is_own(name))
}

impl Own {
    fn read(pairs: Vec<Pair>, wrong: &mut Vec<Wrong>) -> Self {
        let mut own = Self::default();
        for (name, value) in pairs {
            let place = match &*name {
                "page" => &mut own.page,
                "per_page" => &mut own.per_page,
                _ => &mut own.sort,
            };
            if place.replace(value).is_some() {
                wrong.push((Some(name), "is given twice".into()));
            }
        }
        own
    }

    fn paging<const PER_PAGE: u32, const MOST: u32>(&self, wrong: &mut Vec<Wrong>) -> Paging {
        const { assert!(1 <= PER_PAGE && PER_PAGE <= MOST, "a page has from 1 to MOST entries") };
        let mut number = |name: &str, given: &Option<String>, otherwise, most| {
            paging::number(given.as_deref(), otherwise, most).unwrap_or_else(|why| {
                wrong.push((Some(name.to_owned()), why));
                otherwise
            })
        };
        Paging {
            page: number("page", &self.page, 1, u32::MAX),
            per_page: number("per_page", &self.per_page, PER_PAGE, MOST),
        }
    }

    fn sort<B: SortBy>(&self, wrong: &mut Vec<Wrong>) -> Sort<B> {
        let given = self.sort.as_deref().filter(|sort| !sort.is_empty());
        given.map_or_else(|| Ok(Sort::default()), str::parse).unwrap_or_else(
            |why: sort::Refused| {
                wrong.push((Some("sort".into()), why.to_string()));
                Sort::default()
            },
        )
    }
}

/// Without the pairs that have no value, and with a fault for each that no field is named after:
/// also where `F` itself would let it pass.
fn known<F: DeserializeOwned, B: SortBy>(
    pairs: Vec<Pair>,
    most: usize,
    wrong: &mut Vec<Wrong>,
) -> Vec<Pair> {
    let fields = pairs::fields::<F>();
    let mut known = Vec::with_capacity(pairs.len());
    for (name, value) in pairs {
        let is_field = fields.is_none_or(|fields| fields.contains(&&*name));
        if !is_field {
            if wrong.len() <= most {
                wrong.push((Some(name), unknown::<B>(fields.unwrap_or_default())));
            }
        } else if !value.is_empty() {
            known.push((name, value));
        }
    }
    known
}

#[cold]
fn unknown<B: SortBy>(fields: &[&str]) -> String {
    let own = ["sort", "page", "per_page"].into_iter().filter(|name| is_own::<B>(name));
    let all: Vec<String> =
        fields.iter().copied().chain(own).map(|name| format!("`{name}`")).collect();
    format!("there is no such parameter here, only {}", all.join(", "))
}

impl<F, B, S, const PER_PAGE: u32, const MOST: u32> FromRequestParts<S>
    for Listing<F, B, PER_PAGE, MOST>
where
    F: DeserializeOwned,
    B: SortBy,
    S: Send + Sync,
{
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        Self::from_query(parts.uri.query().unwrap_or_default())
    }
}

impl<F, B, const PER_PAGE: u32, const MOST: u32> Input for Listing<F, B, PER_PAGE, MOST>
where
    F: JsonSchema,
    B: SortBy,
{
    fn describe(operation: &mut Operation) {
        operation.parameters::<Self>(Place::Query);
    }
}

/// The schema of all parameters: those of the filter, then `sort`, `page` and `per_page`.
impl<F, B, const PER_PAGE: u32, const MOST: u32> JsonSchema for Listing<F, B, PER_PAGE, MOST>
where
    F: JsonSchema,
    B: SortBy,
{
    fn schema_name() -> Cow<'static, str> {
        format!("ListingBy{}", F::schema_name()).into()
    }

    fn schema_id() -> Cow<'static, str> {
        format!("{}<{}, {PER_PAGE}, {MOST}>", std::any::type_name::<B>(), F::schema_id()).into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = F::json_schema(generator);
        let own = own_parameters::<B>(PER_PAGE, MOST);
        let object = schema.ensure_object();
        let properties = object.entry("properties").or_insert_with(|| Map::new().into());
        if let Some(properties) = properties.as_object_mut() {
            properties.extend(own);
            properties.values_mut().for_each(may_be_empty);
        }
        object.insert("additionalProperties".into(), Value::Bool(false));
        object.insert("type".into(), "object".into());
        schema
    }
}

/// Under this name the schema of a parameter says that it may be there without a value. In OpenAPI that
/// is `allowEmptyValue` and stands beside the schema.
pub(crate) const ALLOW_EMPTY_VALUE: &str = "x-allow-empty-value";

fn may_be_empty(parameter: &mut Value) {
    if let Some(schema) = parameter.as_object_mut() {
        schema.insert(ALLOW_EMPTY_VALUE.into(), true.into());
    }
}

fn own_parameters<B: SortBy>(per_page: u32, most: u32) -> Vec<(String, Value)> {
    let mut own = Vec::new();
    if !B::FIELDS.is_empty() {
        own.push(("sort".to_owned(), sort::schema::<B>()));
    }
    own.push(("page".to_owned(), paging::schema("Which page, from 1.", 1, u32::MAX)));
    own.push(("per_page".to_owned(), paging::schema("How many to a page.", per_page, most)));
    own
}

#[cfg(test)]
mod tests;
