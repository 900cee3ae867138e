//! `#[cached(ttl = "60s", tags = ["companies"])]`: caches whole responses of a route.

mod etag;
mod middleware;
mod response;
mod response_key;

pub use middleware::Cached;
