//! The response of a list: one page, as an object or as an array.

use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode, header};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::link_header::links;
use super::paging::Paging;
use crate::http::routing::operation::{Operation, Output};

/// One page of a list, and the size of the whole list. The response has a header `Link` (RFC 8288) to the first, previous,
/// next and last page.
///
/// Made by [`Listing::page`](crate::http::Listing::page).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(
    rename = "PageOf{T}",
    description = "One page of a list, and the size of the whole list."
)]
pub struct Page<T> {
    /// The items of the page, in the requested order.
    pub items: Vec<T>,
    /// The number of the page, from 1.
    pub page: u32,
    /// Number of items per page.
    pub per_page: u32,
    /// Number of items in all pages.
    pub total: u64,
    /// Number of pages.
    pub pages: u64,
    #[serde(skip)]
    query: Option<String>,
    /// The previous page, if it has another size.
    #[serde(skip)]
    previous: Option<Paging>,
}

impl<T> Page<T> {
    /// Makes a page with `items` of `total`, without links to others.
    #[must_use]
    pub fn new(paging: Paging, items: Vec<T>, total: u64) -> Self {
        let Paging { page, per_page } = paging;
        let pages = total.div_ceil(u64::from(per_page.max(1)));
        Self { items, page, per_page, total, pages, query: None, previous: None }
    }

    /// Adds the query for links to other pages.
    pub(super) fn with_links(self, query: &str) -> Self {
        Self { query: Some(query.to_owned()), ..self }
    }

    /// Sets the previous page.
    pub(super) fn after(self, previous: Paging) -> Self {
        Self { previous: Some(previous), ..self }
    }

    /// Converts each item.
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
    /// Converts the page to a response that is a JSON array of its items. The headers `Link` and `X-Total-Count` tell the
    /// rest. Use it for a list that was an array before it had pages.
    #[must_use]
    pub fn into_array(self) -> PageArray<T> {
        PageArray(self)
    }

    /// Returns the header `Link`.
    fn link_header(&self) -> Option<HeaderValue> {
        let query = self.query.as_deref()?;
        links(query, u64::from(self.page), self.pages, self.previous)
    }
}

/// The items of a [`Page`] as a JSON array, with the headers `Link` and `X-Total-Count`. Made by [`Page::into_array`].
#[derive(Clone, Debug, PartialEq)]
pub struct PageArray<T>(Page<T>);

/// The description of the header `Link`.
const LINK_DESCRIPTION: &str = "Links to the first, previous, next and last page (RFC 8288).";

/// The header with the number of items in all pages.
const X_TOTAL_COUNT: HeaderName = HeaderName::from_static("x-total-count");

impl<T: Serialize> IntoResponse for PageArray<T> {
    fn into_response(self) -> Response {
        let links = self.0.link_header();
        let mut response = axum::Json(self.0.items).into_response();
        let headers = response.headers_mut();
        headers.insert(X_TOTAL_COUNT, self.0.total.into());
        if let Some(links) = links {
            headers.insert(header::LINK, links);
        }
        response
    }
}

impl<T: JsonSchema> Output for PageArray<T> {
    fn describe(operation: &mut Operation) {
        operation.response::<Vec<T>>(StatusCode::OK, "application/json");
        operation.response_header(StatusCode::OK, "Link", LINK_DESCRIPTION);
        operation.response_header_of::<u64>(
            StatusCode::OK,
            "X-Total-Count",
            "Number of items in all pages.",
        );
    }
}

impl<T: Serialize> IntoResponse for Page<T> {
    fn into_response(self) -> Response {
        let links = self.link_header();
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
        operation.response_header(StatusCode::OK, "Link", LINK_DESCRIPTION);
    }
}
