//! The metrics of API keys.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;

use crate::metrics::Metrics;

/// The outcomes of checking a request for a key.
#[derive(Clone, Copy, Debug)]
pub(super) enum CheckOutcome {
    Accepted,
    Missing,
    Refused,
    /// The check itself failed, as without a database.
    Failed,
}

/// Counts the checks by their outcome.
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
            "Requests checked for an API key, by outcome",
            self.0.clone(),
        );
    }
}
