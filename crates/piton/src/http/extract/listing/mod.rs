//! Lists with filters, an order and pages.
//!
//! The argument [`Listing`] reads all three from the query. Because one type knows all parameters, unknown ones can be
//! rejected:
//!
//! ```
//! use piton::convert::List;
//! use piton::http::{Listing, Page, SortBy};
//! use piton::prelude::*;
//!
//! #[derive(Default, Deserialize, JsonSchema)]
//! #[serde(default, deny_unknown_fields)]
//! struct Search {
//!     /// Only books of these years: `?year=2024,2025`.
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
//! async fn books(listing: Listing<Search, Order>) -> Result<Page<String>> {
//!     let (titles, total) = (vec!["Piton".to_owned()], 1);
//!     Ok(listing.page(titles, total))
//! }
//! ```
//!
//! With a database, `Sql` takes the three: `Sql::filter`, `Sql::sort`, `Sql::page`.

mod extractor;
mod link_header;
mod page;
mod paging;
mod sort;
#[cfg(test)]
mod tests;
mod unknown_parameters;

#[cfg(feature = "openapi")]
pub(crate) use extractor::ALLOW_EMPTY_VALUE;
pub use extractor::{Listing, NoFilter};
pub use page::{Page, PageArray};
pub use paging::Paging;
pub use sort::{Sort, SortBy, SortError, Unsorted};
