//! Shares one memory budget among all requests: for bodies that are read, rows that are fetched,
//! and responses that wait for a slow reader.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

/// Maximum size of a request that may use all of the budget. The last eighth is reserved for these,
/// because large bodies that arrive slowly must not keep a login out.
pub(crate) const SMALL: u64 = 64 << 10;

/// The bytes that all requests may hold together.
#[derive(Debug)]
pub(crate) struct MemoryBudget {
    limit: u64,
    used: AtomicU64,
    peak: AtomicU64,
    refused: AtomicU64,
}

impl MemoryBudget {
    pub fn new(limit: u64) -> Arc<Self> {
        let (used, peak, refused) = Default::default();
        Arc::new(Self { limit, used, peak, refused })
    }

    pub fn limit(&self) -> u64 {
        self.limit
    }

    /// Returns whether a request with `total` bytes would fit if there were no others.
    pub fn could_hold(&self, total: u64) -> bool {
        total <= self.limit_for(total)
    }

    /// Returns the maximum usage of the budget that a request with `total` bytes may lead to.
    fn limit_for(&self, total: u64) -> u64 {
        if total <= SMALL { self.limit } else { self.max_large() }
    }

    /// Returns the maximum usage of the budget that a large request may lead to.
    pub fn max_large(&self) -> u64 {
        self.limit - self.limit / 8
    }

    /// Returns whether a request could hold `total` bytes now. Takes nothing.
    pub fn has_room_for(&self, total: u64) -> bool {
        let used = self.used.load(Ordering::Relaxed);
        used.saturating_add(total) <= self.limit_for(total)
    }

    fn try_take(&self, more: u64, total: u64) -> bool {
        let limit = self.limit_for(total);
        let fitting = |used: u64| used.checked_add(more).filter(|used| *used <= limit);
        let before = self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fitting);
        if let Ok(before) = before {
            self.peak.fetch_max(before + more, Ordering::Relaxed);
        }
        before.is_ok()
    }

    fn release(&self, bytes: u64) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Counts a request that was refused because it did not fit.
    pub fn refuse(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    #[cfg(test)]
    pub fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }
}

/// The share of a [`MemoryBudget`] that one request holds. Released when dropped.
#[derive(Debug)]
pub(crate) struct MemoryCharge {
    budget: Arc<MemoryBudget>,
    bytes: AtomicU64,
    refused: AtomicBool,
}

impl MemoryCharge {
    pub fn new(budget: Arc<MemoryBudget>) -> Self {
        let (bytes, refused) = Default::default();
        Self { budget, bytes, refused }
    }

    pub fn budget(&self) -> &MemoryBudget {
        &self.budget
    }

    /// Takes `more` bytes. Returns false, and takes nothing, if they do not fit.
    #[must_use]
    pub fn grow(&self, more: u64) -> bool {
        let total = self.bytes().saturating_add(more);
        let taken = self.budget.try_take(more, total);
        if taken {
            self.bytes.fetch_add(more, Ordering::Relaxed);
        } else {
            self.refused.store(true, Ordering::Relaxed);
        }
        taken
    }

    /// Returns whether a [`grow`](Self::grow) has failed.
    pub fn is_refused(&self) -> bool {
        self.refused.load(Ordering::Relaxed)
    }

    /// Takes `more` bytes even if they do not fit, for data that is already in memory and must not
    /// be refused.
    pub fn force(&self, more: u64) {
        let used = self.budget.used.fetch_add(more, Ordering::Relaxed) + more;
        self.budget.peak.fetch_max(used, Ordering::Relaxed);
        self.bytes.fetch_add(more, Ordering::Relaxed);
    }

    /// Releases `less` bytes.
    pub fn shrink(&self, less: u64) {
        self.bytes.fetch_sub(less, Ordering::Relaxed);
        self.budget.release(less);
    }

    /// Releases everything.
    pub fn clear(&self) {
        self.budget.release(self.bytes.swap(0, Ordering::Relaxed));
    }

    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }
}

impl Drop for MemoryCharge {
    fn drop(&mut self) {
        self.clear();
    }
}

/// The metrics of a budget.
#[derive(Debug)]
pub(crate) struct BudgetMetrics(pub Arc<MemoryBudget>);

impl Collector for BudgetMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let MemoryBudget { limit, used, peak, refused } = &*self.0;
        let bytes = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        for (name, help, value) in [
            ("http_server_memory_bytes", "Memory of bodies, rows and responses", used),
            ("http_server_memory_peak_bytes", "Maximum that it has been", peak),
        ] {
            let metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            ConstGauge::new(bytes(value.load(Ordering::Relaxed))).encode(metric)?;
        }
        let (name, help) = ("http_server_memory_limit_bytes", "http.memory_budget in bytes");
        let metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
        ConstGauge::new(bytes(*limit)).encode(metric)?;
        let (name, help) = (
            "http_server_memory_refused_requests",
            "Requests refused with 503 because http.memory_budget was used up",
        );
        let metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        ConstCounter::new(refused.load(Ordering::Relaxed)).encode(metric)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_not_taken_and_all_is_given_back() {
        let budget = MemoryBudget::new(1 << 20);
        let charge = MemoryCharge::new(budget.clone());
        assert!(charge.grow(800 << 10) && !charge.grow(200 << 10));
        assert_eq!((charge.bytes(), budget.used()), (800 << 10, 800 << 10));
        charge.force(1 << 20);
        assert!(budget.used() > budget.limit() && !budget.has_room_for(1));
        charge.shrink(1 << 20);
        assert_eq!(budget.used(), 800 << 10);
        drop(charge);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn the_last_eighth_is_for_small_requests() {
        let budget = MemoryBudget::new(1 << 20);
        let large: Vec<_> = (0..7).map(|_| MemoryCharge::new(budget.clone())).collect();
        assert!(large.iter().all(|charge| charge.grow(128 << 10)));
        assert!(!MemoryCharge::new(budget.clone()).grow(SMALL + 1));
        let small = [MemoryCharge::new(budget.clone()), MemoryCharge::new(budget.clone())];
        assert!(small.iter().all(|charge| charge.grow(SMALL)));
        assert!(!budget.has_room_for(1), "it is full");
        assert!(!small[0].grow(1), "a small request that grows is none any more");
    }

    #[test]
    fn many_threads_never_hold_more_than_the_budget() {
        let budget = MemoryBudget::new(1 << 20);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..1000 {
                        let charge = MemoryCharge::new(budget.clone());
                        let _ = charge.grow(300 << 10);
                        assert!(charge.budget().peak.load(Ordering::Relaxed) <= 1 << 20);
                    }
                });
            }
        });
        assert_eq!(budget.used(), 0);
    }
}
