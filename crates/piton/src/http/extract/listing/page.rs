//! One page of a list, as it is answered.

use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode, header};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::links;
use super::paging::Paging;
use crate::http::routing::operation::{Operation, Output};

/// One page of what was found, and how much there is in all. As an answer it has a header `Link`
/// (RFC 8288) with the first page, the one before, the next one and the last.
///
/// [`Listing::page`](super::Listing::page) makes it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(
    rename = "PageOf{T}",
    description = "One page of what was found, and how much there is in all."
)]
pub struct Page<T> {
    /// The entries of the page, in the order that was asked for.
    pub items: Vec<T>,
    /// Which page it is, from 1.
    pub page: u32,
    /// How many entries there are to a page.
    pub per_page: u32,
    /// How many entries were found in all.
    pub total: u64,
    /// How many pages that makes.
    pub pages: u64,
    #[serde(skip)]
    query: Option<String>,
    /// The previous page, if it has another size.
    #[serde(skip)]
    previous: Option<Paging>,
}

impl<T> Page<T> {
    /// A page with `items` of `total`, without links to others.
    #[must_use]
    pub fn new(paging: Paging, items: Vec<T>, total: u64) -> Self {
        let Paging { page, per_page } = paging;
        let pages = total.div_ceil(u64::from(per_page.max(1)));
        Self { items, page, per_page, total, pages, query: None, previous: None }
    }

    pub(super) fn with_links(self, query: &str) -> Self {
        Self { query: Some(query.to_owned()), ..self }
    }

    /// The page with another one before it.
    pub(super) fn after(self, previous: Paging) -> Self {
        Self { previous: Some(previous), ..self }
    }

    /// The page with other entries in the place of these.
    ///
    /// ```
    /// # use piton::http::{Page, Paging};
    /// let page = Page::new(Paging { page: 1, per_page: 20 }, vec![1, 2], 2);
    /// assert_eq!(page.map(|number| number * 2).items, [2, 4]);
    /// ```
    #[must_use]
    pub fn map<U>(self, change: impl FnMut(T) -> U) -> Page<U> {
        let Self { items, page, per_page, total, pages, query, previous } = self;
        let items = items.into_iter().map(change).collect();
        Page { items, page, per_page, total, pages, query, previous }
    }
}

impl<T> Page<T> {
    /// The entries alone, as a JSON array; how much there is stands in the headers: `Link` as ever, and
    /// `X-Total-Count`. For a list that was answered as an array before it had pages.
    #[must_use]
    pub fn items_alone(self) -> Items<T> {
        Items(self)
    }

    fn links(&self) -> Option<HeaderValue> {
        let query = self.query.as_deref()?;
        links::links(query, u64::from(self.page), self.pages, self.previous)
    }
}

/// The entries of a [`Page`] alone. Made by [`Page::items_alone`].
#[derive(Clone, Debug, PartialEq)]
pub struct Items<T>(Page<T>);

const LINKS: &str = "The first page, the one before, the next and the last (RFC 8288).";

/// How many entries there are in all.
const X_TOTAL_COUNT: HeaderName = HeaderName::from_static("x-total-count");

impl<T: Serialize> IntoResponse for Items<T> {
    fn into_response(self) -> Response {
        let links = self.0.links();
        let mut response = axum::Json(self.0.items).into_response();
        let headers = response.headers_mut();
        headers.insert(X_TOTAL_COUNT, self.0.total.into());
        if let Some(links) = links {
            headers.insert(header::LINK, links);
        }
        response
    }
}

impl<T: JsonSchema> Output for Items<T> {
    fn describe(operation: &mut Operation) {
        operation.response::<Vec<T>>(StatusCode::OK, "application/json");
        operation.response_header(StatusCode::OK, "Link", LINKS);
        operation.response_header_of::<u64>(
            StatusCode::OK,
            "X-Total-Count",
            "How many entries there are in all.",
        );
    }
}

impl<T: Serialize> IntoResponse for Page<T> {
    fn into_response(self) -> Response {
        let links = self.links();
        let mut response = axum::Json(self).into_response();
        if let Some(links) = links {
            response.headers_mut().insert(header::LINK, links);
        }
        response
    }
}

impl<T: JsonSchema> Output for Page<T> {
    fn describe(operation: &mut Operation) {
        operation.response::<Self>(StatusCode::OK, "application/json");
        operation.response_header(StatusCode::OK, "Link", LINKS);
    }
}
