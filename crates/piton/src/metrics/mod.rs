//! Metrics of the running service, for Prometheus: requests by route, the process, the build, the
//! parts, and the service's own.
//!
//! Metrics are pulled (`/metrics`, see `docs/admin.md`): nothing here keeps history or connects to a
//! server. The number of series is bounded by the program: paths without a route share one series, and
//! unknown methods are `_OTHER`.

mod process;
mod prometheus_text;
mod request_metrics;

use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Metric, Registry};

pub use prometheus_client;

pub(crate) use request_metrics::{AbortReason, MethodIndex, PathIndex, RequestMetrics, UNMATCHED};

/// The registry of the service's metrics. Cheap to clone; every clone is the same registry.
///
/// A service registers its own once, with the metric types of `prometheus_client`, and keeps a clone
/// to count with:
///
/// ```
/// use piton::metrics::Metrics;
/// use piton::metrics::prometheus_client::metrics::counter::Counter;
///
/// # let metrics = Metrics::default(); // in a service: `handle.metrics()`
/// let orders = Counter::<u64>::default();
/// metrics.register("shop_orders", "Orders placed", orders.clone());
/// orders.inc();
/// assert!(metrics.text().contains("shop_orders_total 1"));
/// ```
#[derive(Clone, Default)]
pub struct Metrics(Arc<Inner>);

#[derive(Default)]
struct Inner {
    registry: Mutex<Registry>,
    requests: Arc<RequestMetrics>,
}

impl Metrics {
    /// Returns the registry of a service: build, requests, process.
    pub(crate) fn of_service(build: BuildInfo) -> Self {
        let metrics = Self::default();
        metrics.collect(build);
        metrics.collect(metrics.0.requests.clone());
        metrics.collect(process::ProcessMetrics::new());
        metrics
    }

    /// Registers a metric. Give a counter's name without `_total`, and the help text without a final dot.
    pub fn register(&self, name: &str, help: &str, metric: impl Metric) {
        self.change(|registry| registry.register(name, help, metric));
    }

    /// Registers metrics that are read at each scrape, such as the size of a pool.
    pub fn collect(&self, collector: impl Collector) {
        self.change(|registry| registry.register_collector(Box::new(collector)));
    }

    /// Changes the registry itself: everything that `prometheus_client` can do.
    pub fn change<R>(&self, change: impl FnOnce(&mut Registry) -> R) -> R {
        change(&mut self.0.registry.lock())
    }

    /// Returns all metrics in Prometheus' text format, version 0.0.4.
    #[must_use]
    pub fn text(&self) -> String {
        prometheus_text::prometheus(&self.open_metrics())
    }

    /// Returns all metrics as OpenMetrics 1.0 text.
    #[must_use]
    pub fn open_metrics(&self) -> String {
        let mut text = String::with_capacity(16 * 1024);
        let registry = self.0.registry.lock();
        let encoded = prometheus_client::encoding::text::encode(&mut text, &registry);
        // Sends the other metrics instead of an error, because only a metric of the service itself can fail to
        // encode.
        if let Err(error) = encoded {
            tracing::warn!(%error, "A metric could not be encoded");
        }
        text
    }

    pub(crate) fn requests(&self) -> &Arc<RequestMetrics> {
        &self.0.requests
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

/// The program's name and versions, as the metric `piton_build_info`.
#[derive(Debug)]
pub(crate) struct BuildInfo {
    pub service: String,
    pub version: String,
}

impl Collector for BuildInfo {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let mut family = encoder.encode_descriptor(
            "piton_build_info",
            "Always 1; the labels name the program and its versions",
            None,
            MetricType::Gauge,
        )?;
        let labels = [
            ("service", self.service.as_str()),
            ("version", self.version.as_str()),
            ("piton_version", env!("CARGO_PKG_VERSION")),
            ("profile", if cfg!(debug_assertions) { "debug" } else { "release" }),
        ];
        ConstGauge::new(1).encode(family.encode_family(&labels)?)
    }
}

/// Writes a gauge with one value.
///
/// # Errors
/// The writer's own, such as a full buffer.
pub fn encode_gauge(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    value: f64,
) -> fmt::Result {
    let metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    ConstGauge::new(value).encode(metric)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_build_is_described_by_labels() {
        let build = BuildInfo { service: "a\"b".into(), version: "1.2".into() };
        let text = Metrics::of_service(build).text();
        let line = r#"piton_build_info{service="a\"b",version="1.2",piton_version=""#;
        assert!(text.contains(line), "{text}");
        assert!(text.contains("# TYPE piton_build_info gauge"), "{text}");
    }
}
