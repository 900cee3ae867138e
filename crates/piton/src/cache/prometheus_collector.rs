//! Writes the cache's counters and gauges for Prometheus.

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;

use super::shared_state::Inner;

/// Reads the counters and gauges when a scrape asks for them.
pub(super) struct CacheCollector(pub Arc<Inner>);

impl Collector for CacheCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        self.0.metrics.encode(&mut encoder)?;
        let computing = self.0.flights.count() as u64;
        let mut gauges = vec![("cache_computing", "Values being computed", computing)];
        gauges.extend(self.0.store.gauges());
        for (name, help, value) in gauges {
            let metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX)).encode(metric)?;
        }
        Ok(())
    }
}

impl fmt::Debug for CacheCollector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CacheCollector")
    }
}
