//! The client's metrics. Each peer has its own series; external hosts share one, so that the number of
//! series is bounded by the number of peers.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::{Method, StatusCode};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::histogram::Histogram;

use super::circuit_breaker::CircuitBreakers;
use super::error::Target;
use super::peers::PeerDirectory;
use crate::metrics::Metrics;

/// Upper bounds of the buckets, in seconds.
const BUCKETS: [f64; 13] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

type ClientLabel = (&'static str, Cow<'static, str>);

/// Durations and retries of calls.
pub(super) struct ClientMetrics {
    durations: Family<[ClientLabel; 3], Histogram, fn() -> Histogram>,
    retries: Family<[ClientLabel; 1], Counter>,
}

impl Default for ClientMetrics {
    fn default() -> Self {
        let histogram = || Histogram::new(BUCKETS);
        Self { durations: Family::new_with_constructor(histogram), retries: Family::default() }
    }
}

impl ClientMetrics {
    pub fn register(&self, metrics: &Metrics) {
        metrics.register(
            "http_client_request_duration_seconds",
            "Duration of each attempt of a call, until the head of the response",
            self.durations.clone(),
        );
        metrics.register(
            "http_client_retries",
            "Attempts after the first of a call",
            self.retries.clone(),
        );
    }

    /// Records an attempt. `status` is `None` if there was no response.
    pub fn observe(
        &self,
        target: &Target,
        method: &Method,
        status: Option<StatusCode>,
        took: Duration,
    ) {
        let status = match status.map_or(0, |status| status.as_u16() / 100) {
            1 => "1xx",
            2 => "2xx",
            3 => "3xx",
            4 => "4xx",
            5.. => "5xx",
            0 => "error",
        };
        let labels =
            [peer_label(target), ("method", method_label(method)), ("status", status.into())];
        self.durations.get_or_create(&labels).observe(took.as_secs_f64());
    }

    pub fn count_retry(&self, target: &Target) {
        self.retries.get_or_create(&[peer_label(target)]).inc();
    }
}

fn peer_label(target: &Target) -> ClientLabel {
    ("peer", target.label().to_owned().into())
}

fn method_label(method: &Method) -> Cow<'static, str> {
    let known = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];
    known.into_iter().find(|known| *known == method.as_str()).unwrap_or("other").into()
}

/// Counts the open breakers when a scrape asks for them.
pub(super) struct BreakerCollector {
    pub breakers: Arc<CircuitBreakers>,
    pub peers: Arc<PeerDirectory>,
}

impl Collector for BreakerCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut open = self.breakers.open_by_label();
        open.entry("external".into()).or_default();
        for peer in self.peers.known().into_keys() {
            open.entry(peer.to_string()).or_default();
        }
        let help =
            "Open circuit breakers: hosts that have failed too often and not responded since";
        let mut family = encoder.encode_descriptor(
            "http_client_breakers_open",
            help,
            None,
            MetricType::Gauge,
        )?;
        for (peer, count) in open {
            ConstGauge::new(count).encode(family.encode_family(&[("peer", peer)])?)?;
        }
        Ok(())
    }
}

impl fmt::Debug for BreakerCollector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BreakerCollector")
    }
}
