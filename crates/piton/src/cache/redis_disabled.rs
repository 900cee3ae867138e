//! Stands in for `redis/` in a build without the feature `redis`.
//!
//! The store has no value, so that the matches in `store.rs` need no feature gates and compile to
//! nothing. (ripgrep does the same for PCRE2.)

use std::sync::Arc;
use std::time::Duration;

use super::cached_value::CachedValue;
use super::invalidation_log::Invalidations;
use super::metrics::CacheMetrics;
use super::settings::CacheSettings;
use super::store_results::{BeginResult, Lease, Lookup, StoreOutcome};
use crate::part::{Health, Problem};
use crate::redis_client::RedisUrl;
use crate::stop_signal::Stop;
use crate::support::backoff::{Backoff, JITTER};

/// False: this build cannot connect to Redis.
pub(super) const ENABLED: bool = false;

pub(super) enum Store {}

// Items that only Redis uses. They are named here because they would be dead code otherwise.
const _: [Lookup; 1] = [Lookup::Unavailable];
const _: [StoreOutcome; 1] = [StoreOutcome::Failed];
const _: fn(Lease) -> BeginResult = BeginResult::Unavailable;
const _: fn(&RedisUrl) -> &str = RedisUrl::expose;
const _: fn(&CacheMetrics) = CacheMetrics::count_error;
const _: fn(&CacheMetrics, &'static str, Duration) = CacheMetrics::observe_operation;
const _: Backoff = Backoff::new(Duration::ZERO, Duration::ZERO, JITTER);

impl Store {
    /// # Errors
    /// Always. The check of the settings has refused a Redis server before.
    pub fn new(
        _: &CacheSettings,
        _: &str,
        _: Arc<Invalidations>,
        _: Arc<CacheMetrics>,
    ) -> Result<Arc<Self>, Box<Problem>> {
        let why = "this build of piton does not support Redis";
        Err(Box::new(Problem::new("cache.host", why, "enable the feature `redis` of piton")))
    }

    pub async fn get(&self, _: &str) -> Lookup {
        match *self {}
    }

    pub async fn get_or_lease(&self, _: &str, _: &Arc<[String]>) -> BeginResult {
        match *self {}
    }

    pub async fn store_computed(
        &self,
        _: &str,
        _: &Lease,
        _: Arc<CachedValue>,
        _: Duration,
    ) -> StoreOutcome {
        match *self {}
    }

    pub async fn set(
        &self,
        _: &str,
        _: &Arc<[String]>,
        _: Arc<CachedValue>,
        _: Duration,
    ) -> StoreOutcome {
        match *self {}
    }

    pub async fn forget(&self, _: &[String], _: &[String]) -> bool {
        match *self {}
    }

    pub async fn clear(&self) -> bool {
        match *self {}
    }

    pub fn release(&self, _: &Lease) {
        match *self {}
    }

    pub async fn connect_once(&self) {
        match *self {}
    }

    pub async fn keep_connected(&self, _: Stop) {
        match *self {}
    }

    pub async fn health(&self) -> Health {
        match *self {}
    }

    pub fn is_up(&self) -> bool {
        match *self {}
    }

    pub fn address(&self) -> String {
        match *self {}
    }

    pub fn namespace(&self) -> &str {
        match *self {}
    }
}
