//! The two backends behind one interface: this process's memory, or Redis.

use std::sync::Arc;
use std::time::Duration;

use super::cached_value::CachedValue;
use super::invalidation_log::Invalidations;
use super::memory;
use super::metrics::CacheMetrics;
use super::redis;
use super::settings::CacheSettings;
use super::store_results::{BeginResult, Lease, Lookup, StoreOutcome};
use crate::part::{Health, Problem};
use crate::stop_signal::Stop;

/// A gauge: name, help and value.
pub(super) type CacheGauge = (&'static str, &'static str, u64);

/// The backend. A build without the feature `redis` has a [`redis::Store`] too, which cannot be
/// constructed, so that no match here needs a feature gate.
pub(super) enum Store {
    Memory(memory::Store),
    Redis(Arc<redis::Store>),
}

impl Store {
    pub fn new(
        settings: &CacheSettings,
        app: &str,
        local: Arc<Invalidations>,
        metrics: Arc<CacheMetrics>,
    ) -> Result<Self, Box<Problem>> {
        if settings.is_redis() {
            return redis::Store::new(settings, app, local, metrics).map(Self::Redis);
        }
        Ok(Self::Memory(memory::Store::new(settings, local, metrics)))
    }

    pub async fn get(&self, key: &str) -> Lookup {
        match self {
            Self::Memory(store) => store.get(key),
            Self::Redis(store) => store.get(key).await,
        }
    }

    /// Returns the result of a lookup in memory; `None` if the values are in Redis.
    pub fn get_from_memory(&self, key: &str) -> Option<Lookup> {
        match self {
            Self::Memory(store) => Some(store.get(key)),
            Self::Redis(_) => None,
        }
    }

    /// Returns the value, or a lease to compute it under.
    pub async fn get_or_lease(&self, key: &str, tags: &Arc<[String]>) -> BeginResult {
        match self {
            Self::Memory(store) => store.get_or_lease(key, tags),
            Self::Redis(store) => store.get_or_lease(key, tags).await,
        }
    }

    /// Stores a value that was computed under `lease`, unless it is outdated.
    pub async fn store_computed(
        &self,
        key: &str,
        lease: &Lease,
        tags: &Arc<[String]>,
        cached: Arc<CachedValue>,
        ttl: Duration,
    ) -> StoreOutcome {
        match self {
            Self::Memory(store) => store.store_computed(key, lease, tags, cached, ttl),
            Self::Redis(store) => store.store_computed(key, lease, cached, ttl).await,
        }
    }

    /// Stores a value as of now, replacing any other.
    pub async fn set(
        &self,
        key: &str,
        tags: &Arc<[String]>,
        cached: Arc<CachedValue>,
        ttl: Duration,
    ) -> StoreOutcome {
        match self {
            Self::Memory(store) => store.set(key, tags, cached, ttl),
            Self::Redis(store) => store.set(key, tags, cached, ttl).await,
        }
    }

    /// Invalidates keys and tags. Returns whether every process knows of it.
    pub async fn forget(&self, keys: &[String], tags: &[String]) -> bool {
        match self {
            Self::Memory(store) => store.forget(keys),
            Self::Redis(store) => store.forget(keys, tags).await,
        }
    }

    /// Invalidates everything. Returns whether every process knows of it.
    pub async fn clear(&self) -> bool {
        match self {
            Self::Memory(store) => store.clear(),
            Self::Redis(store) => store.clear().await,
        }
    }

    pub fn release(&self, lease: &Lease) {
        match self {
            // A lease in memory is only the generation it was taken in.
            Self::Memory(_) => {}
            Self::Redis(store) => store.release(lease),
        }
    }

    pub async fn connect_once(&self) {
        match self {
            Self::Memory(_) => {}
            Self::Redis(store) => store.connect_once().await,
        }
    }

    pub async fn keep_connected(&self, stop: Stop) {
        match self {
            Self::Memory(_) => {}
            Self::Redis(store) => store.keep_connected(stop).await,
        }
    }

    pub async fn health(&self) -> Health {
        match self {
            Self::Memory(_) => Health::Up,
            Self::Redis(store) => store.health().await,
        }
    }

    pub fn gauges(&self) -> Vec<CacheGauge> {
        match self {
            Self::Memory(store) => {
                let (entries, bytes) = store.size();
                vec![
                    ("cache_entries", "Values in memory", entries),
                    ("cache_bytes", "Size of the values in memory, in bytes", bytes),
                ]
            }
            Self::Redis(store) => {
                let up = u64::from(store.is_up());
                vec![("cache_redis_up", "1 while Redis is connected, otherwise 0", up)]
            }
        }
    }

    pub fn add_to_snapshot(&self, snapshot: &mut serde_json::Value) {
        match self {
            Self::Memory(store) => {
                let (entries, bytes) = store.size();
                snapshot["store"] = "memory".into();
                snapshot["entries"] = entries.into();
                snapshot["bytes"] = bytes.into();
            }
            Self::Redis(store) => {
                snapshot["store"] = "redis".into();
                snapshot["server"] = store.address().into();
                snapshot["namespace"] = store.namespace().into();
                snapshot["up"] = store.is_up().into();
            }
        }
    }
}
