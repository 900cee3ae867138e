//! Metrics: evidence by content type and outcome, requests to ASHIRT by call and outcome.

use std::time::Duration;

use piton::metrics::Metrics;
use piton::metrics::prometheus_client::metrics::counter::Counter;
use piton::metrics::prometheus_client::metrics::family::Family;
use piton::metrics::prometheus_client::metrics::gauge::Gauge;
use piton::metrics::prometheus_client::metrics::histogram::Histogram;

use crate::ashirt::Attempt;

/// Upper bounds of the histogram's buckets in seconds.
const DURATION_BUCKETS: [f64; 12] =
    [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0];

type Labels = [(&'static str, &'static str); 2];

/// Metrics of evidence.
#[derive(Clone)]
pub(crate) struct EvidenceMetrics {
    durations: Family<Labels, Histogram, fn() -> Histogram>,
    /// Number of queued pieces of evidence.
    pub waiting: Gauge,
    /// Number of pieces that are being processed.
    pub in_progress: Gauge,
}

impl Default for EvidenceMetrics {
    fn default() -> Self {
        let histogram = || Histogram::new(DURATION_BUCKETS);
        Self {
            durations: Family::new_with_constructor(histogram),
            waiting: Gauge::default(),
            in_progress: Gauge::default(),
        }
    }
}

impl EvidenceMetrics {
    pub fn register(&self, metrics: &Metrics) {
        metrics.register(
            "ashirt_worker_evidence_duration_seconds",
            "Duration of processing evidence, from the message to the response",
            self.durations.clone(),
        );
        let waiting = self.waiting.clone();
        metrics.register(
            "ashirt_worker_evidence_waiting",
            "Evidence that waits in the queue",
            waiting,
        );
        let in_progress = self.in_progress.clone();
        metrics.register(
            "ashirt_worker_evidence_under_way",
            "Evidence being processed",
            in_progress,
        );
    }

    /// Counts a piece of evidence. `content_type` is a known one or `other`; `action` is the
    /// outcome or `abandoned`.
    pub fn count(&self, content_type: &'static str, action: &'static str, took: Duration) {
        let labels = [("content_type", content_type), ("action", action)];
        self.durations.get_or_create(&labels).observe(took.as_secs_f64());
    }
}

/// Increments a gauge until dropped.
pub(crate) struct GaugeGuard(Gauge);

impl GaugeGuard {
    pub fn increment(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for GaugeGuard {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Metrics of requests to ASHIRT.
#[derive(Clone, Default)]
pub(crate) struct RequestMetrics(Family<Labels, Counter>);

impl RequestMetrics {
    pub fn register(&self, metrics: &Metrics) {
        let help = "Attempts of requests to ASHIRT";
        metrics.register("ashirt_worker_requests", help, self.0.clone());
    }

    pub fn count(&self, attempt: &Attempt) {
        let outcome = attempt.error.map_or("ok", |kind| kind.as_str());
        self.0.get_or_create(&[("call", attempt.call), ("outcome", outcome)]).inc();
    }
}
