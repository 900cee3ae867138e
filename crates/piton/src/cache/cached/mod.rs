//! `#[cached(ttl = "60s", tags = ["companies"])]`: caches whole responses of a route.

mod middleware;
mod response;
mod response_etag;
mod response_key;

pub use middleware::Cached;
