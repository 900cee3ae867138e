//! Stores results for a while so that they need not be computed twice: in this process's memory when
//! nothing is configured, in Redis by one setting.
//!
//! A cache here is never the only copy: losing it costs time, not data. Therefore a failing Redis
//! makes [`Cache::get`] miss instead of failing the request. Stale values are not served: a value
//! whose computation started before an invalidation is never returned after it, whichever process
//! invalidated (the protocol is described in `docs/decisions/0013-*.md`).
//!
//! ```
//! # use std::time::Duration;
//! use piton::prelude::*;
//!
//! /// Returns the companies of a state, computed at most once a minute.
//! #[get("/states/{uf}")]
//! #[cached(ttl = "60s", tags = ["companies"])]
//! async fn state(Path(uf): Path<String>) -> Json<Vec<String>> {
//!     Json(vec![uf])
//! }
//!
//! /// Creates a company. Later reads do not see responses from before it.
//! #[post("/companies")]
//! async fn create(cache: Cache) -> NoContent {
//!     cache.invalidate(["companies"]).await;
//!     NoContent
//! }
//! # fn main() {}
//! ```
//!
//! `#[cached]` ([`Cached`]) caches whole responses of a route, `#[piton::memoize]` the results of a
//! function, and [`Cache::entry`] any value.

mod backend;
mod cache_handle;
mod cached;
mod cached_value;
mod entry;
mod invalidation_log;
mod key;
mod memory;
mod metrics;
mod part;
mod prometheus_collector;
#[cfg(feature = "redis")]
mod redis;
#[cfg(not(feature = "redis"))]
#[path = "redis_disabled.rs"]
mod redis;
mod running_computations;
mod settings;
mod shared_state;
mod single_flight;
mod store_results;
#[cfg(test)]
mod tests;
mod write_and_invalidate;

pub use cache_handle::Cache;
pub use cached::Cached;
pub use entry::{Entry, entry, entry_of};
pub use key::{KeyBuilder, function_of};
pub use settings::{CacheSettings, redis_required};

pub use crate::redis_client::{RedisTls, RedisUrl};

/// Builds a key like `format!` builds a text, with values escaped so that distinct values give
/// distinct keys. The result equals that of `key = ".."` in `#[cached]` and `#[memoize]`. See
/// [`KeyBuilder`].
///
/// ```
/// use piton::cache::key;
///
/// let (state, city) = ("SP", "Mogi-Guaçu");
/// assert_eq!(key!("city:{state}-{city}"), "city:SP-Mogi%2DGuaçu");
/// assert_eq!(key!("city:{}-{}", "SP-Mogi", "Guaçu"), "city:SP%2DMogi-Guaçu");
/// ```
pub use piton_macros::cache_key as key;
