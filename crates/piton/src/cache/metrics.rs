//! Counters of the cache.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;

use super::store_results::{BeginResult, Lookup, StoreOutcome};

/// Upper bounds of the buckets, in seconds.
const BUCKETS: [f64; 10] = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.1, 0.25];

type OperationLabel = (&'static str, &'static str);

/// The counters. Plain atomics instead of a `Family`, because finding a label in its map would take
/// longer than a hit in memory does.
pub(super) struct CacheMetrics {
    hits: AtomicU64,
    misses: AtomicU64,
    stale: AtomicU64,
    unavailable: AtomicU64,
    shared: AtomicU64,
    stored: AtomicU64,
    outdated: AtomicU64,
    too_large: AtomicU64,
    failed: AtomicU64,
    unreadable: AtomicU64,
    delivered: AtomicU64,
    undelivered: AtomicU64,
    errors: AtomicU64,
    evicted: AtomicU64,
    operations: Family<[OperationLabel; 1], Histogram, fn() -> Histogram>,
}

impl Default for CacheMetrics {
    fn default() -> Self {
        let histogram = || Histogram::new(BUCKETS);
        Self {
            hits: AtomicU64::default(),
            misses: AtomicU64::default(),
            stale: AtomicU64::default(),
            unavailable: AtomicU64::default(),
            shared: AtomicU64::default(),
            stored: AtomicU64::default(),
            outdated: AtomicU64::default(),
            too_large: AtomicU64::default(),
            failed: AtomicU64::default(),
            unreadable: AtomicU64::default(),
            delivered: AtomicU64::default(),
            undelivered: AtomicU64::default(),
            errors: AtomicU64::default(),
            evicted: AtomicU64::default(),
            operations: Family::new_with_constructor(histogram),
        }
    }
}

fn increment(count: &AtomicU64) {
    count.fetch_add(1, Ordering::Relaxed);
}

impl CacheMetrics {
    pub fn count_lookup(&self, lookup: &Lookup) {
        increment(match lookup {
            Lookup::Hit(_) => &self.hits,
            Lookup::Miss => &self.misses,
            Lookup::Stale => &self.stale,
            Lookup::Unavailable => &self.unavailable,
        });
    }

    pub fn count_begin(&self, result: &BeginResult) {
        increment(match result {
            BeginResult::Hit(_) => &self.hits,
            BeginResult::Miss { is_stale: false, .. } => &self.misses,
            BeginResult::Miss { is_stale: true, .. } => &self.stale,
            BeginResult::Unavailable(_) => &self.unavailable,
        });
    }

    pub fn count_store(&self, outcome: StoreOutcome) {
        increment(match outcome {
            StoreOutcome::Stored => &self.stored,
            StoreOutcome::Outdated => &self.outdated,
            StoreOutcome::Failed => &self.failed,
        });
    }

    /// Counts a value that another caller computed while this one waited.
    pub fn count_shared(&self) {
        increment(&self.shared);
    }

    pub fn count_too_large(&self) {
        increment(&self.too_large);
    }

    pub fn count_unreadable(&self) {
        increment(&self.unreadable);
    }

    pub fn count_eviction(&self) {
        increment(&self.evicted);
    }

    pub fn count_invalidation(&self, delivered: bool) {
        increment(if delivered { &self.delivered } else { &self.undelivered });
    }

    pub fn count_error(&self) {
        increment(&self.errors);
    }

    pub fn observe_operation(&self, operation: &'static str, took: Duration) {
        self.operations.get_or_create(&[("operation", operation)]).observe(took.as_secs_f64());
    }

    /// Returns the number of hits, and of all lookups.
    pub fn hits_and_lookups(&self) -> (u64, u64) {
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let hits = load(&self.hits);
        (hits, hits + load(&self.misses) + load(&self.stale) + load(&self.unavailable))
    }

    /// Writes the counters and the histogram.
    pub fn encode(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let lookups = [
            ("hit", &self.hits),
            ("miss", &self.misses),
            ("stale", &self.stale),
            ("unavailable", &self.unavailable),
        ];
        let help = "Lookups of a value, by result";
        encode_family(encoder, "cache_lookups", help, "result", &lookups)?;
        let stores = [
            ("stored", &self.stored),
            ("outdated", &self.outdated),
            ("too_large", &self.too_large),
            ("failed", &self.failed),
        ];
        let help = "Attempts to store a value, by result";
        encode_family(encoder, "cache_stores", help, "result", &stores)?;
        let invalidations = [("delivered", &self.delivered), ("undelivered", &self.undelivered)];
        let help = "Invalidations, by whether the server has them";
        encode_family(encoder, "cache_invalidations", help, "result", &invalidations)?;
        for (name, help, count) in [
            ("cache_shared", "Values that another caller computed meanwhile", &self.shared),
            ("cache_unreadable", "Values that were not of the requested type", &self.unreadable),
            ("cache_errors", "Operations that failed on the server", &self.errors),
            ("cache_evictions", "Values evicted because memory was full", &self.evicted),
        ] {
            let metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            ConstCounter::new(count.load(Ordering::Relaxed)).encode(metric)?;
        }
        let name = "cache_operation_seconds";
        let help = "Round trips to Redis, by operation";
        let metric = encoder.encode_descriptor(name, help, None, MetricType::Histogram)?;
        self.operations.encode(metric)
    }
}

fn encode_family(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    label: &str,
    counts: &[(&str, &AtomicU64)],
) -> fmt::Result {
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
    for (value, count) in counts {
        let labels = [(label, *value)];
        ConstCounter::new(count.load(Ordering::Relaxed)).encode(family.encode_family(&labels)?)?;
    }
    Ok(())
}
