//! Values in this process's memory, bounded in number and in size.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use moka::Expiry;
use moka::notification::RemovalCause;
use moka::sync::Cache;

use super::cached_value::CachedValue;
use super::invalidation_log::{Generation, Invalidations};
use super::metrics::CacheMetrics;
use super::settings::CacheSettings;
use super::store_results::{BeginResult, Lease, Lookup, StoreOutcome};

/// Approximate size of an entry without its key and its bytes.
const ENTRY_OVERHEAD_BYTES: usize = 256;

pub(super) struct Store {
    entries: Cache<String, Arc<MemoryEntry>>,
    local: Arc<Invalidations>,
}

struct MemoryEntry {
    value: Arc<CachedValue>,
    tags: Arc<[String]>,
    ttl: Duration,
    generation: Generation,
    /// The last generation in which the entry was found to be valid. Until the next invalidation, of
    /// whatever, no reader has to look at the invalidations again.
    valid_at: AtomicU64,
}

impl MemoryEntry {
    fn is_valid(&self, key: &str, local: &Invalidations) -> bool {
        let now = local.generation();
        if self.valid_at.load(Ordering::Relaxed) == now {
            return true;
        }
        let valid = local.is_current(self.generation, key, &self.tags);
        if valid {
            self.valid_at.store(now, Ordering::Relaxed);
        }
        valid
    }
}

/// Gives each entry its own time to live.
struct TtlPerEntry;

impl Expiry<String, Arc<MemoryEntry>> for TtlPerEntry {
    fn expire_after_create(
        &self,
        _: &String,
        entry: &Arc<MemoryEntry>,
        _: Instant,
    ) -> Option<Duration> {
        Some(entry.ttl)
    }

    fn expire_after_update(
        &self,
        _: &String,
        entry: &Arc<MemoryEntry>,
        _: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        Some(entry.ttl)
    }
}

impl Store {
    pub fn new(
        settings: &CacheSettings,
        local: Arc<Invalidations>,
        metrics: Arc<CacheMetrics>,
    ) -> Self {
        let max_size = settings.max_size(crate::memory::limit()).as_u64();
        // moka has one limit, by weight. With a minimum weight of an equal share of it for each entry,
        // there cannot be more than `max_entries`.
        let min_weight = u32::try_from(max_size / settings.max_entries).unwrap_or(u32::MAX);
        let weigh = move |key: &String, entry: &Arc<MemoryEntry>| {
            let bytes = key.len() + entry.value.bytes().len() + ENTRY_OVERHEAD_BYTES;
            u32::try_from(bytes).unwrap_or(u32::MAX).max(min_weight)
        };
        let entries = Cache::builder()
            .max_capacity(max_size)
            .weigher(weigh)
            .expire_after(TtlPerEntry)
            .eviction_listener(move |_, _, cause| {
                if cause == RemovalCause::Size {
                    metrics.count_eviction();
                }
            })
            .build();
        Self { entries, local }
    }

    pub fn get(&self, key: &str) -> Lookup {
        match self.entries.get(key) {
            None => Lookup::Miss,
            Some(entry) if entry.is_valid(key, &self.local) => Lookup::Hit(entry.value.clone()),
            Some(_) => Lookup::Stale,
        }
    }

    pub fn get_or_lease(&self, key: &str, tags: &Arc<[String]>) -> BeginResult {
        let generation = self.local.generation();
        match self.entries.get(key) {
            Some(entry) if entry.tags == *tags && entry.is_valid(key, &self.local) => {
                BeginResult::Hit(entry.value.clone())
            }
            found => BeginResult::Miss {
                lease: Lease { generation, header: None },
                is_ours: true,
                is_stale: found.is_some(),
            },
        }
    }

    /// Stores a computed value. Another invalidation between the check and the insertion does no harm,
    /// because readers check the entry's generation.
    pub fn store_computed(
        &self,
        key: &str,
        lease: &Lease,
        tags: &Arc<[String]>,
        value: Arc<CachedValue>,
        ttl: Duration,
    ) -> StoreOutcome {
        let generation = lease.generation;
        // Otherwise an older computation would replace the value of a newer one.
        if !self.local.is_current(generation, key, tags) {
            return StoreOutcome::Outdated;
        }
        let valid_at = AtomicU64::new(generation);
        let entry = MemoryEntry { value, tags: tags.clone(), ttl, generation, valid_at };
        self.entries.insert(key.to_owned(), Arc::new(entry));
        StoreOutcome::Stored
    }

    pub fn set(
        &self,
        key: &str,
        tags: &Arc<[String]>,
        value: Arc<CachedValue>,
        ttl: Duration,
    ) -> StoreOutcome {
        // Computations of this key in progress are outdated, because they are older than this value.
        self.local.record_keys([key.to_owned()]);
        let lease = Lease { generation: self.local.generation(), header: None };
        self.store_computed(key, &lease, tags, value, ttl)
    }

    /// Frees the memory of the keys. The caller has recorded the invalidation.
    pub fn forget(&self, keys: &[String]) -> bool {
        keys.iter().for_each(|key| self.entries.invalidate(key));
        true
    }

    pub fn clear(&self) -> bool {
        self.entries.invalidate_all();
        true
    }

    /// Returns the number of entries, and their size in bytes.
    pub fn size(&self) -> (u64, u64) {
        self.entries.run_pending_tasks();
        (self.entries.entry_count(), self.entries.weighted_size())
    }
}
