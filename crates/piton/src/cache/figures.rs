//! The cache's figures for Prometheus.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::histogram::Histogram;

use super::Cache;
use super::store::{Begun, Looked, Stored};

/// Upper bounds in seconds.
const BOUNDS: [f64; 10] = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.1, 0.25];

type Count = AtomicU64;

/// What is counted. Plain cells: a hit in memory takes less time than a map of labels.
pub(super) struct Figures {
    hits: Count,
    misses: Count,
    stale: Count,
    away: Count,
    shared: Count,
    stored: Count,
    outdated: Count,
    too_large: Count,
    failed: Count,
    unreadable: Count,
    delivered: Count,
    undelivered: Count,
    errors: Count,
    evicted: Count,
    operations: Family<[(&'static str, &'static str); 1], Histogram, fn() -> Histogram>,
}

impl Default for Figures {
    fn default() -> Self {
        let histogram = || Histogram::new(BOUNDS);
        Self {
            hits: Count::default(),
            misses: Count::default(),
            stale: Count::default(),
            away: Count::default(),
            shared: Count::default(),
            stored: Count::default(),
            outdated: Count::default(),
            too_large: Count::default(),
            failed: Count::default(),
            unreadable: Count::default(),
            delivered: Count::default(),
            undelivered: Count::default(),
            errors: Count::default(),
            evicted: Count::default(),
            operations: Family::new_with_constructor(histogram),
        }
    }
}

fn one(count: &Count) {
    count.fetch_add(1, Ordering::Relaxed);
}

impl Figures {
    pub fn looked(&self, looked: &Looked) {
        one(match looked {
            Looked::Hit(_) => &self.hits,
            Looked::Miss => &self.misses,
            Looked::Stale => &self.stale,
            Looked::Away => &self.away,
        });
    }

    pub fn begun(&self, begun: &Begun) {
        one(match begun {
            Begun::Hit(_) => &self.hits,
            Begun::Ticket { stale: false, .. } => &self.misses,
            Begun::Ticket { stale: true, .. } => &self.stale,
            Begun::Away(_) => &self.away,
        });
    }

    pub fn stored(&self, stored: Stored) {
        one(match stored {
            Stored::Kept => &self.stored,
            Stored::Outdated => &self.outdated,
            Stored::Failed => &self.failed,
        });
    }

    /// A value was computed by somebody else while this one waited.
    pub fn shared(&self) {
        one(&self.shared);
    }

    pub fn too_large(&self) {
        one(&self.too_large);
    }

    pub fn unreadable(&self) {
        one(&self.unreadable);
    }

    pub fn evicted(&self) {
        one(&self.evicted);
    }

    pub fn invalidated(&self, delivered: bool) {
        one(if delivered { &self.delivered } else { &self.undelivered });
    }

    #[cfg_attr(not(feature = "redis"), expect(dead_code, reason = "memory does not fail"))]
    pub fn error(&self) {
        one(&self.errors);
    }

    #[cfg_attr(not(feature = "redis"), expect(dead_code, reason = "memory takes no time"))]
    pub fn took(&self, operation: &'static str, took: Duration) {
        self.operations.get_or_create(&[("operation", operation)]).observe(took.as_secs_f64());
    }

    /// Reads that found something, and reads.
    pub fn ratio(&self) -> (u64, u64) {
        let of = |count: &Count| count.load(Ordering::Relaxed);
        let hits = of(&self.hits);
        (hits, hits + of(&self.misses) + of(&self.stale) + of(&self.away))
    }
}

/// Looked up when somebody asks.
pub(super) struct Collected(pub Cache);

impl Collector for Collected {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let figures = self.0.figures();
        let lookups = [
            ("hit", &figures.hits),
            ("miss", &figures.misses),
            ("stale", &figures.stale),
            ("away", &figures.away),
        ];
        let help = "Looks for a value, by what they found";
        family(&mut encoder, "cache_lookups", help, "result", &lookups)?;
        let stores = [
            ("stored", &figures.stored),
            ("outdated", &figures.outdated),
            ("too_large", &figures.too_large),
            ("failed", &figures.failed),
        ];
        let help = "Values that were to be kept, by what became of them";
        family(&mut encoder, "cache_stores", help, "result", &stores)?;
        let invalidations =
            [("delivered", &figures.delivered), ("undelivered", &figures.undelivered)];
        let help = "Invalidations, by whether the server has them";
        family(&mut encoder, "cache_invalidations", help, "result", &invalidations)?;
        for (name, help, count) in [
            ("cache_shared", "Values that somebody else computed meanwhile", &figures.shared),
            ("cache_unreadable", "Values that were not of the type asked for", &figures.unreadable),
            ("cache_errors", "Operations that the server did not do", &figures.errors),
            ("cache_evictions", "Values that went for want of room in memory", &figures.evicted),
        ] {
            let metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            ConstCounter::new(count.load(Ordering::Relaxed)).encode(metric)?;
        }
        let name = "cache_operation_seconds";
        let help = "Round trips to Redis, by operation";
        let metric = encoder.encode_descriptor(name, help, None, MetricType::Histogram)?;
        figures.operations.encode(metric)?;
        self.gauges(encoder)
    }
}

impl Collected {
    fn gauges(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        for (name, help, value) in self.0.gauges() {
            let metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX)).encode(metric)?;
        }
        Ok(())
    }
}

fn family(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    label: &str,
    counts: &[(&str, &Count)],
) -> fmt::Result {
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
    for (value, count) in counts {
        let labels = [(label, *value)];
        ConstCounter::new(count.load(Ordering::Relaxed)).encode(family.encode_family(&labels)?)?;
    }
    Ok(())
}

impl fmt::Debug for Collected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Collected")
    }
}
