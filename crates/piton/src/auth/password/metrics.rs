//! The metrics of passwords.

use std::fmt;
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::histogram::Histogram;

/// Upper bounds of the buckets: a hash takes 1 ms to several seconds.
const BUCKETS_SECONDS: [f64; 11] = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0];

/// The purposes of a hash.
#[derive(Clone, Copy, Debug)]
pub(super) enum HashOperation {
    Hash,
    Check,
}

/// The counters that the threads increment. Clones share them.
#[derive(Clone, Debug)]
pub(super) struct HashCounts {
    hashes: Counter,
    checks: Counter,
    seconds: Histogram,
}

impl Default for HashCounts {
    fn default() -> Self {
        let seconds = Histogram::new(BUCKETS_SECONDS);
        Self { hashes: Counter::default(), checks: Counter::default(), seconds }
    }
}

impl HashCounts {
    pub fn observe(&self, operation: HashOperation, took: Duration) {
        match operation {
            HashOperation::Hash => self.hashes.inc(),
            HashOperation::Check => self.checks.inc(),
        };
        self.seconds.observe(took.as_secs_f64());
    }

    #[cfg(test)]
    pub fn total(&self) -> u64 {
        self.hashes.get() + self.checks.get()
    }
}

/// The load of the pool at one time.
#[derive(Clone, Copy, Debug)]
pub(super) struct PoolLoad {
    pub waiting: usize,
    pub threads: usize,
    pub memory_bytes: u64,
    pub peak_memory_bytes: u64,
}

/// Reads the metrics of the module when Prometheus asks for them.
pub(super) struct PasswordMetrics {
    pub counts: HashCounts,
    /// Reads the load of the pool.
    pub load: Box<dyn Fn() -> PoolLoad + Send + Sync>,
}

impl fmt::Debug for PasswordMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PasswordMetrics").field("counts", &self.counts).finish_non_exhaustive()
    }
}

impl Collector for PasswordMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let counts = &self.counts;
        {
            let (name, help) = ("password_hashes", "Hashes computed, by operation");
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            for (operation, counter) in [("hash", &counts.hashes), ("check", &counts.checks)] {
                counter.encode(family.encode_family(&[("operation", operation)])?)?;
            }
        }
        let help = "Time to compute a hash, without waiting in the queue";
        let metric = encoder.encode_descriptor(
            "password_hash_seconds",
            help,
            None,
            MetricType::Histogram,
        )?;
        counts.seconds.encode(metric)?;
        let load = (self.load)();
        let bytes = i64::try_from(load.memory_bytes).unwrap_or(i64::MAX);
        let waiting = i64::try_from(load.waiting).unwrap_or(i64::MAX);
        for (name, help, value) in [
            ("password_waiting", "Passwords waiting to be hashed", waiting),
            ("password_memory_bytes", "Memory allocated for hashing", bytes),
        ] {
            let metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            ConstGauge::new(value).encode(metric)?;
        }
        Ok(())
    }
}
