//! The argument `Listing`.

use std::borrow::Cow;

use axum::extract::FromRequestParts;
use http::request::Parts;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::link_header::{query_without_page, with_per_page};
use super::page::Page;
use super::paging::{Paging, number_schema, parse_number};
use super::sort::{Sort, SortBy, SortError, Unsorted, sort_schema};
use super::unknown_parameters::{is_list_parameter, reject_unknown};
use crate::error::handler_error::{Error, max_field_errors};
use crate::http::extract::query::{query_error, require_utf8_query};
use crate::http::extract::urlencoded::{NameValuePairs, ParameterError};
use crate::http::routing::operation::{Input, Operation, ParameterIn};

/// A list as the client requests it, read from the query: its filters (`F`, a struct whose fields are parameters), its
/// order (`sort`, one of the fields of `B`), and its page (`page`, from 1, and `per_page`, by default `PER_PAGE` and at
/// most `MAX`).
///
/// A parameter without a value (`?state=`) counts as absent, because HTML forms send empty fields.
///
/// # Errors
/// 422 with every parameter that is invalid, given twice or unknown; 400 if one is not UTF-8.
#[derive(Clone, Debug)]
pub struct Listing<F = NoFilter, B = Unsorted, const PER_PAGE: u32 = 20, const MAX: u32 = 100> {
    /// The filters.
    pub filter: F,
    /// The order.
    pub sort: Sort<B>,
    /// The page.
    pub paging: Paging,
    /// The query without `page`, for the links to other pages.
    query: String,
}

/// No filter: the list has only the parameters of order and page.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoFilter {}

impl<F, B, const PER_PAGE: u32, const MAX: u32> Listing<F, B, PER_PAGE, MAX> {
    /// Makes the response: the `items` of this page, and the number of items in all pages.
    pub fn page<T>(&self, items: Vec<T>, total: u64) -> Page<T> {
        Page::new(self.paging, items, total).with_links(&self.query)
    }

    /// Makes the response of a page that may be cut: `items` may be only its first ones, because more would be too large.
    /// `per_page` then becomes the number of items that fit, and the links lead through such pages, so that no item is
    /// skipped or repeated. `Db::page` calls it with the rows that fit into `db.max_page_size`.
    #[must_use]
    pub fn page_up_to<T>(&self, mut items: Vec<T>, total: u64) -> Page<T> {
        let before = self.paging.offset().unsigned_abs();
        let expected = total.saturating_sub(before).min(self.paging.per_page.into());
        let fitting = items.len() as u64;
        if fitting == 0 || fitting >= expected {
            return self.page(items, total);
        }
        // The page must end at the next multiple of its size, because numbered pages of that size begin at multiples.
        let past = before % fitting;
        items.truncate(usize::try_from(fitting - past).unwrap_or(usize::MAX));
        let number = |number| u32::try_from(number).unwrap_or(u32::MAX);
        let paging = Paging { page: number(before / fitting + 1), per_page: number(fitting) };
        let query = with_per_page(&self.query, paging.per_page);
        let page = Page::new(paging, items, total).with_links(&query);
        if past == 0 { page } else { page.after(self.previous(fitting)) }
    }

    /// Returns the largest page of at most `fitting` items that ends where this one begins.
    fn previous(&self, fitting: u64) -> Paging {
        let before = self.paging.offset().unsigned_abs();
        let size = (1..=fitting).rev().find(|size| before.is_multiple_of(*size)).unwrap_or(1);
        let number = |number| u32::try_from(number).unwrap_or(u32::MAX);
        Paging { page: number(before / size), per_page: number(size) }
    }
}

impl<F, B, const PER_PAGE: u32, const MAX: u32> Listing<F, B, PER_PAGE, MAX>
where
    F: DeserializeOwned + JsonSchema,
    B: SortBy,
{
    /// Reads a query without its `?`.
    ///
    /// # Errors
    /// See [`Listing`].
    pub fn from_query(query: &str) -> Result<Self, Error> {
        require_utf8_query(query.as_bytes())?;
        let max_errors = max_field_errors(query.len());
        let reject = |errors| query_error(query.len(), errors);
        let mut pairs = NameValuePairs::from_query(query.as_bytes()).map_err(reject)?;
        let mut errors = Vec::new();
        let parameters = ListParameters::take::<B>(&mut pairs, &mut errors);
        reject_unknown::<F, B>(&mut pairs, max_errors, &mut errors);
        let links = query_without_page(query);
        let paging = parameters.paging::<PER_PAGE, MAX>(&mut errors);
        let sort = parameters.sort(&mut errors);
        match pairs.read(max_errors) {
            Ok(filter) if errors.is_empty() => Ok(Self { filter, sort, paging, query: links }),
            Ok(_) => Err(query_error(query.len(), errors)),
            Err(more) => {
                errors.extend(more);
                Err(query_error(query.len(), errors))
            }
        }
    }
}

/// The parameters of order and page, as they were sent.
#[derive(Default)]
struct ListParameters {
    page: Option<String>,
    per_page: Option<String>,
    sort: Option<String>,
}

impl ListParameters {
    /// Takes the parameters out of `pairs`.
    fn take<B: SortBy>(pairs: &mut NameValuePairs<'_>, errors: &mut Vec<ParameterError>) -> Self {
        let mut once = |pairs: &mut NameValuePairs<'_>, name: &str| {
            let mut values = pairs.take(name);
            if values.len() > 1 {
                errors.push((Some(name.to_owned()), "is given twice".into()));
            }
            values.pop()
        };
        let page = once(pairs, "page");
        let per_page = once(pairs, "per_page");
        // Several parameters are joined, because most clients send a list as several parameters of one name.
        let sort = if is_list_parameter::<B>("sort") { pairs.take("sort") } else { Vec::new() };
        let sort = if sort.is_empty() { None } else { Some(sort.join(",")) };
        Self { page, per_page, sort }
    }

    /// Returns the page.
    fn paging<const PER_PAGE: u32, const MAX: u32>(
        &self,
        errors: &mut Vec<ParameterError>,
    ) -> Paging {
        const { assert!(1 <= PER_PAGE && PER_PAGE <= MAX, "PER_PAGE must be from 1 to MAX") };
        let mut number = |name: &str, value: &Option<String>, default, max| {
            parse_number(value.as_deref(), default, max).unwrap_or_else(|error| {
                errors.push((Some(name.to_owned()), error));
                default
            })
        };
        Paging {
            page: number("page", &self.page, 1, u32::MAX),
            per_page: number("per_page", &self.per_page, PER_PAGE, MAX),
        }
    }

    /// Returns the order.
    fn sort<B: SortBy>(&self, errors: &mut Vec<ParameterError>) -> Sort<B> {
        let sort = self.sort.as_deref().filter(|sort| !sort.is_empty());
        sort.map_or_else(|| Ok(Sort::default()), str::parse).unwrap_or_else(|error: SortError| {
            errors.push((Some("sort".into()), error.to_string()));
            Sort::default()
        })
    }
}

impl<F, B, S, const PER_PAGE: u32, const MAX: u32> FromRequestParts<S>
    for Listing<F, B, PER_PAGE, MAX>
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

impl<F, B, const PER_PAGE: u32, const MAX: u32> Input for Listing<F, B, PER_PAGE, MAX>
where
    F: JsonSchema,
    B: SortBy,
{
    fn describe(operation: &mut Operation) {
        operation.parameters::<Self>(ParameterIn::Query);
    }
}

impl<F, B, const PER_PAGE: u32, const MAX: u32> JsonSchema for Listing<F, B, PER_PAGE, MAX>
where
    F: JsonSchema,
    B: SortBy,
{
    fn schema_name() -> Cow<'static, str> {
        format!("ListingBy{}", F::schema_name()).into()
    }

    fn schema_id() -> Cow<'static, str> {
        format!("{}<{}, {PER_PAGE}, {MAX}>", std::any::type_name::<B>(), F::schema_id()).into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = F::json_schema(generator);
        let parameters = parameter_schemas::<B>(PER_PAGE, MAX);
        let object = schema.ensure_object();
        let properties = object.entry("properties").or_insert_with(|| Map::new().into());
        if let Some(properties) = properties.as_object_mut() {
            properties.extend(parameters);
            properties.values_mut().for_each(allow_empty_value);
        }
        object.insert("additionalProperties".into(), Value::Bool(false));
        object.insert("type".into(), "object".into());
        schema
    }
}

/// The key by which the schema of a parameter says that its value may be empty. In OpenAPI the key is
/// `allowEmptyValue`, next to the schema, which a JSON Schema cannot express.
pub(crate) const ALLOW_EMPTY_VALUE: &str = "x-allow-empty-value";

/// Marks the schema of a parameter with [`ALLOW_EMPTY_VALUE`].
fn allow_empty_value(parameter: &mut Value) {
    if let Some(schema) = parameter.as_object_mut() {
        schema.insert(ALLOW_EMPTY_VALUE.into(), true.into());
    }
}

/// Returns the schemas of `sort`, `page` and `per_page`.
fn parameter_schemas<B: SortBy>(per_page: u32, max: u32) -> Vec<(String, Value)> {
    let mut schemas = Vec::new();
    if !B::FIELDS.is_empty() {
        schemas.push(("sort".to_owned(), sort_schema::<B>()));
    }
    schemas
        .push(("page".to_owned(), number_schema("The number of the page, from 1.", 1, u32::MAX)));
    schemas
        .push(("per_page".to_owned(), number_schema("Number of items per page.", per_page, max)));
    schemas
}
