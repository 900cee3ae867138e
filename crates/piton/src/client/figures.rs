//! The room's metrics. A peer has series of its own, strangers share theirs, so that their number is
//! bounded by who is known.

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

use super::Room;
use super::error::Who;
use crate::metrics::Metrics;

/// Upper bounds in seconds.
const BOUNDS: [f64; 13] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

type Label = (&'static str, Cow<'static, str>);

/// What is counted of calls.
pub(super) struct Figures {
    durations: Family<[Label; 3], Histogram, fn() -> Histogram>,
    retries: Family<[Label; 1], Counter>,
}

impl Default for Figures {
    fn default() -> Self {
        let histogram = || Histogram::new(BOUNDS);
        Self { durations: Family::new_with_constructor(histogram), retries: Family::default() }
    }
}

impl Figures {
    pub fn register(&self, metrics: &Metrics) {
        metrics.register(
            "http_client_request_duration_seconds",
            "Calls to others by attempt, until the head of the answer",
            self.durations.clone(),
        );
        metrics.register(
            "http_client_retries",
            "Attempts made because the one before did not do",
            self.retries.clone(),
        );
    }

    /// Counts one attempt. Without a status there was no answer.
    pub fn observe(&self, who: &Who, method: &Method, status: Option<StatusCode>, took: Duration) {
        let status = match status.map_or(0, |status| status.as_u16() / 100) {
            1 => "1xx",
            2 => "2xx",
            3 => "3xx",
            4 => "4xx",
            5.. => "5xx",
            0 => "error",
        };
        let labels = [peer(who), ("method", method_label(method)), ("status", status.into())];
        self.durations.get_or_create(&labels).observe(took.as_secs_f64());
    }

    pub fn retried(&self, who: &Who) {
        self.retries.get_or_create(&[peer(who)]).inc();
    }
}

fn peer(who: &Who) -> Label {
    ("peer", who.label().to_owned().into())
}

fn method_label(method: &Method) -> Cow<'static, str> {
    let known = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];
    known.into_iter().find(|known| *known == method.as_str()).unwrap_or("other").into()
}

/// Looked up when somebody asks.
pub(super) struct Breakers(pub Arc<Room>);

impl Collector for Breakers {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut open = self.0.hosts.open_by_label();
        open.entry("external".into()).or_default();
        for peer in self.0.book.known().into_keys() {
            open.entry(peer.to_string()).or_default();
        }
        let help = "Hosts that have failed so often that they are left alone, until one answers";
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

impl fmt::Debug for Breakers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Breakers")
    }
}
