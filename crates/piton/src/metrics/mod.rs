//! Figures of the running service, for Prometheus: requests by matched path, the process, the build,
//! the parts, and whatever the service counts itself.
//!
//! Nothing here keeps history or speaks to a server: whoever wants the figures fetches them
//! (`/metrics`, see `docs/admin.md`). The number of series is bounded by the program: a path that no
//! route has is one series for all such paths, a method that nobody knows is `other`.

mod process;
mod requests;
mod text;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Metric, Registry};

pub use prometheus_client;

pub(crate) use requests::{PathIndex, RequestMetrics, UNMATCHED};

/// The service's figures. Cheap to clone; every clone is the same list.
///
/// A service adds its own by the metric types of `prometheus_client`, once, and keeps a clone to
/// count with:
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
    /// The figures of a service that is called so.
    pub(crate) fn of_service(build: BuildInfo) -> Self {
        let metrics = Self::default();
        metrics.collect(build);
        metrics.collect(metrics.0.requests.clone());
        metrics.collect(process::Process::begin());
        metrics
    }

    /// Adds a metric. A counter's name is given without `_total`; the help text without a final dot.
    pub fn register(&self, name: &str, help: &str, metric: impl Metric) {
        self.change(|registry| registry.register(name, help, metric));
    }

    /// Adds figures that are looked up when somebody asks, such as the size of a pool.
    pub fn collect(&self, collector: impl Collector) {
        self.change(|registry| registry.register_collector(Box::new(collector)));
    }

    /// Changes the list itself: everything that `prometheus_client` can do.
    pub fn change<R>(&self, change: impl FnOnce(&mut Registry) -> R) -> R {
        change(&mut self.0.registry.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// All figures in Prometheus' text format, version 0.0.4.
    #[must_use]
    pub fn text(&self) -> String {
        text::prometheus(&self.open_metrics())
    }

    /// All figures as OpenMetrics 1.0 text.
    #[must_use]
    pub fn open_metrics(&self) -> String {
        let mut text = String::with_capacity(16 * 1024);
        let registry = self.0.registry.lock().unwrap_or_else(PoisonError::into_inner);
        let encoded = prometheus_client::encoding::text::encode(&mut text, &registry);
        // Only a metric of the service's own can fail to encode: the rest is there all the same.
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

/// What the program is.
#[derive(Debug)]
pub(crate) struct BuildInfo {
    pub service: String,
    pub version: String,
}

impl Collector for BuildInfo {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let mut family = encoder.encode_descriptor(
            "piton_build_info",
            "What runs: always 1, the labels say it",
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

/// Writes one gauge with one value.
///
/// # Errors
/// Those of the writer.
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
    fn the_build_is_told_by_labels() {
        let build = BuildInfo { service: "a\"b".into(), version: "1.2".into() };
        let text = Metrics::of_service(build).text();
        let line = r#"piton_build_info{service="a\"b",version="1.2",piton_version=""#;
        assert!(text.contains(line), "{text}");
        assert!(text.contains("# TYPE piton_build_info gauge"), "{text}");
    }
}
