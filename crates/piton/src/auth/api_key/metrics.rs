//! The figures of the room for Prometheus.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;

use crate::metrics::Metrics;

/// How a request fared.
#[derive(Clone, Copy, Debug)]
pub(super) enum CheckOutcome {
    Accepted,
    Missing,
    Refused,
    /// It could not be found out.
    Failed,
}

/// How many requests fared how.
#[derive(Clone, Debug, Default)]
pub(super) struct ApiKeyMetrics(Family<[(&'static str, &'static str); 1], Counter>);

impl ApiKeyMetrics {
    pub fn count(&self, outcome: CheckOutcome) {
        let outcome = match outcome {
            CheckOutcome::Accepted => "accepted",
            CheckOutcome::Missing => "missing",
            CheckOutcome::Refused => "refused",
            CheckOutcome::Failed => "failed",
        };
        self.0.get_or_create(&[("outcome", outcome)]).inc();
    }

    pub fn register(&self, metrics: &Metrics) {
        metrics.register(
            "api_key_checks",
            "Requests that were asked for an API key, by how they fared",
            self.0.clone(),
        );
    }
}
