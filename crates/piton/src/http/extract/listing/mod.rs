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

use crate::error::handler_error::{Error, max_field_errors};
use crate::http::extract::arguments::{query_is_text, query_refusal};
use crate::http::extract::urlencoded::{self, NameValuePairs, ParameterError};
use crate::http::routing::operation::{Input, Operation, ParameterIn};

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
    F: DeserializeOwned + JsonSchema,
    B: SortBy,
{
    /// Reads what is asked from a query, without its `?`.
    ///
    /// # Errors
    /// As the argument of a handler.
    pub fn from_query(query: &str) -> Result<Self, Error> {
        query_is_text(query.as_bytes())?;
        let most = max_field_errors(query.len());
        let refuse = |wrong| query_refusal(query.len(), wrong);
        let mut pairs = NameValuePairs::from_query(query.as_bytes()).map_err(refuse)?;
        let mut wrong = Vec::new();
        let own = Own::take::<B>(&mut pairs, &mut wrong);
        refuse_unknown::<F, B>(&mut pairs, most, &mut wrong);
        let links = links::query_without_page(query);
        let paging = own.paging::<PER_PAGE, MOST>(&mut wrong);
        let sort = own.sort(&mut wrong);
        match pairs.read(most) {
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

impl Own {
    fn take<B: SortBy>(pairs: &mut NameValuePairs<'_>, wrong: &mut Vec<ParameterError>) -> Self {
        let mut once = |pairs: &mut NameValuePairs<'_>, name: &str| {
            let mut values = pairs.take(name);
            if values.len() > 1 {
                wrong.push((Some(name.to_owned()), "is given twice".into()));
            }
            values.pop()
        };
        let page = once(pairs, "page");
        let per_page = once(pairs, "per_page");
        // A list, which most clients send as several parameters.
        let sort = if is_own::<B>("sort") { pairs.take("sort") } else { Vec::new() };
        let sort = if sort.is_empty() { None } else { Some(sort.join(",")) };
        Self { page, per_page, sort }
    }

    fn paging<const PER_PAGE: u32, const MOST: u32>(
        &self,
        wrong: &mut Vec<ParameterError>,
    ) -> Paging {
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

    fn sort<B: SortBy>(&self, wrong: &mut Vec<ParameterError>) -> Sort<B> {
        let given = self.sort.as_deref().filter(|sort| !sort.is_empty());
        given.map_or_else(|| Ok(Sort::default()), str::parse).unwrap_or_else(
            |why: sort::Refused| {
                wrong.push((Some("sort".into()), why.to_string()));
                Sort::default()
            },
        )
    }
}

/// Leaves out the parameters that have no value, and refuses each that `F` does not read: also where `F` itself
/// would let it pass.
fn refuse_unknown<F, B>(
    pairs: &mut NameValuePairs<'_>,
    most: usize,
    wrong: &mut Vec<ParameterError>,
) where
    F: DeserializeOwned + JsonSchema,
    B: SortBy,
{
    let mut unknown = Vec::new();
    if let Some(fields) = urlencoded::field_names::<F>() {
        pairs.remove_if(|name, is_empty| {
            // `range[min]` is a member of the field `range`.
            let object = urlencoded::object_and_member(name).map_or(name, |(object, _)| object);
            let is_field = fields.contains(&name) || fields.contains(&object);
            if !is_field && unknown.len() <= most {
                unknown.push(name.to_owned());
            }
            is_empty || !is_field
        });
        unknown.truncate(most + 1);
        let members = pairs.find_unread_members::<F>(most);
        pairs.remove_if(|name, _| members.iter().any(|unknown| unknown == name));
        unknown.extend(members);
    } else {
        // What has flattened fields does not say which, and serde collects the parameters that no field reads.
        pairs.remove_if(|_, is_empty| is_empty);
        unknown = pairs.find_unread_names::<F>(most, documented::<F>);
        pairs.remove_if(|name, _| unknown.iter().any(|unknown| unknown == name));
    }
    let names = match urlencoded::field_names::<F>() {
        _ if unknown.is_empty() => return,
        Some(fields) => fields.iter().map(|&name| name.to_owned()).collect(),
        None => documented::<F>().0,
    };
    let about = |name: String| {
        let what = describe_unknown::<B>(&name, &names);
        (Some(name), what)
    };
    wrong.extend(unknown.into_iter().map(about));
}

/// The names of the parameters that `F` documents, and whether there may be others.
#[cold]
fn documented<F: JsonSchema>() -> (Vec<String>, bool) {
    let settings = schemars::generate::SchemaSettings::draft2020_12().for_deserialize();
    let mut generator = settings.into_generator();
    let schema = F::json_schema(&mut generator).to_value();
    let mut names = Vec::new();
    let is_open = collect_names(&schema, generator.definitions(), &mut names, &mut Vec::new());
    (names, is_open)
}

/// Adds the names of all properties of `schema` to `names`. Returns whether it has properties of any name.
fn collect_names(
    schema: &Value,
    definitions: &Map<String, Value>,
    names: &mut Vec<String>,
    followed: &mut Vec<String>,
) -> bool {
    let more = schema.get("additionalProperties");
    let mut is_open = more.is_some_and(|more| *more != Value::Bool(false));
    for name in schema["properties"].as_object().into_iter().flat_map(Map::keys) {
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    let referred = schema["$ref"].as_str().and_then(|path| path.rsplit_once('/'));
    if let Some((_, name)) = referred
        && let Some(definition) = definitions.get(name)
        && !followed.iter().any(|followed| followed == name)
    {
        // A type may contain itself.
        followed.push(name.to_owned());
        is_open |= collect_names(definition, definitions, names, followed);
    }
    for key in ["allOf", "anyOf", "oneOf"] {
        for part in schema[key].as_array().into_iter().flatten() {
            is_open |= collect_names(part, definitions, names, followed);
        }
    }
    is_open
}

#[cold]
fn describe_unknown<B: SortBy>(name: &str, fields: &[String]) -> String {
    if fields.iter().any(|field| field == name) {
        return "cannot be combined with the other parameters".into();
    }
    let own = ["sort", "page", "per_page"].into_iter().filter(|name| is_own::<B>(name));
    let all: Vec<String> =
        fields.iter().map(String::as_str).chain(own).map(|name| format!("`{name}`")).collect();
    format!("unknown parameter; expected one of {}", all.join(", "))
}

impl<F, B, S, const PER_PAGE: u32, const MOST: u32> FromRequestParts<S>
    for Listing<F, B, PER_PAGE, MOST>
where
    F: DeserializeOwned + JsonSchema,
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
        operation.parameters::<Self>(ParameterIn::Query);
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
