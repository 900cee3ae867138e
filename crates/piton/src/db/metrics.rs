//! The database's metrics for Prometheus.

use std::fmt;
use std::sync::atomic::Ordering;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use super::database::Db;

/// Collects the metrics when they are scraped.
#[derive(Debug)]
pub(super) struct DbMetrics(pub Db);

impl Collector for DbMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let snapshot = self.0.store.snapshot();
        let number =
            |name: &str| snapshot[name].as_u64().and_then(|n| i64::try_from(n).ok()).unwrap_or(0);
        let (all, idle) = (number("connections"), number("idle"));
        {
            let (name, help) = ("db_pool_connections", "Connections to the database, by state");
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            for (state, count) in [("idle", idle), ("used", (all - idle).max(0))] {
                ConstGauge::new(count).encode(family.encode_family(&[("state", state)])?)?;
            }
        }
        let (name, help) = ("db_pool_max_connections", "Maximum number of connections");
        let metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
        ConstGauge::new(number("max_connections")).encode(metric)?;
        let counts = self.0.log.counts();
        for (name, help, count) in [
            ("db_statements", "Statements run", &counts.run),
            ("db_failed_statements", "Statements that ended in an error", &counts.failed),
            ("db_slow_statements", "Statements that took longer than db.slow", &counts.slow),
        ] {
            let metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            ConstCounter::new(count.load(Ordering::Relaxed)).encode(metric)?;
        }
        let spent = std::time::Duration::from_nanos(counts.spent_ns.load(Ordering::Relaxed));
        let help = "Time spent on statements, waiting for a connection included";
        let metric =
            encoder.encode_descriptor("db_statement_seconds", help, None, MetricType::Counter)?;
        ConstCounter::new(spent.as_secs_f64()).encode(metric)
    }
}
