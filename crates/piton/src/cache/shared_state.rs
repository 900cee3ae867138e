//! The state that every clone of [`Cache`](super::Cache) shares.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::backend::Store;
use super::cached_value::CachedValue;
use super::invalidation_log::Invalidations;
use super::metrics::CacheMetrics;
use super::running_computations::Flights;
use super::settings::CacheSettings;
use super::store_results::{Lease, Lookup};
use crate::part::Problem;
use crate::support::log_throttle::LogThrottle;

pub(super) struct Inner {
    pub store: Store,
    pub flights: Flights,
    /// The invalidations of this process.
    pub local: Arc<Invalidations>,
    pub metrics: Arc<CacheMetrics>,
    pub ttl: Duration,
    /// Maximum time to wait for another process that computes the same value.
    pub wait: Duration,
    pub max_value_size: usize,
    unreadable: LogThrottle,
}

/// The key of a value with the options it is stored with.
pub(super) struct EntrySpec {
    pub key: String,
    /// `None` for `cache.ttl`.
    pub ttl: Option<Duration>,
    pub tags: Arc<[String]>,
}

impl Inner {
    pub fn new(settings: &CacheSettings, app: &str) -> Result<Self, Box<Problem>> {
        let local = Arc::<Invalidations>::default();
        let metrics = Arc::<CacheMetrics>::default();
        Ok(Self {
            store: Store::new(settings, app, local.clone(), metrics.clone())?,
            flights: Flights::default(),
            local,
            metrics,
            ttl: settings.ttl,
            wait: settings.wait,
            max_value_size: settings.max_value_size.as_usize(),
            unreadable: LogThrottle::default(),
        })
    }

    /// Returns the value if it is valid and in this process's memory, without waiting.
    pub fn get_from_memory(&self, key: &str) -> Option<Arc<CachedValue>> {
        match self.store.get_from_memory(key)? {
            lookup @ Lookup::Hit(_) => {
                self.metrics.count_lookup(&lookup);
                lookup.value()
            }
            _ => None,
        }
    }

    /// Counts and logs a value that is not of the requested type. It counts as absent.
    pub fn report_unreadable(&self, key: &str, error: &serde_json::Error) {
        self.metrics.count_unreadable();
        if self.unreadable.pass().is_some() {
            let what = error.classify();
            tracing::warn!(key, ?what, "A cached value is not of the requested type");
        }
    }

    /// Returns whether a value is small enough to be stored.
    pub fn within_size_limit(&self, key: &str, cached: &CachedValue) -> bool {
        let size = cached.bytes().len();
        let fits = size <= self.max_value_size;
        if !fits {
            self.metrics.count_too_large();
            tracing::debug!(key, size, "A value is larger than cache.max_value_size: not cached");
        }
        fits
    }

    /// Lets another process compute the value, when no caller of this one does.
    pub fn release(&self, lease: &Lease) {
        self.store.release(lease);
    }

    pub fn snapshot(&self) -> serde_json::Value {
        let (hits, lookups) = self.metrics.hits_and_lookups();
        let mut snapshot = json!({ "hits": hits, "lookups": lookups });
        self.store.add_to_snapshot(&mut snapshot);
        snapshot
    }
}
