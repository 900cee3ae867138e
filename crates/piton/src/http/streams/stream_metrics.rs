//! The metrics of streams: how many are open, and why the others have ended.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use super::registry::{KINDS, LIMITS, REASONS, StreamRegistry};

/// Writes the metrics of a registry.
pub(super) struct RegistryCollector(pub Arc<StreamRegistry>);

impl fmt::Debug for RegistryCollector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RegistryCollector")
    }
}

impl Collector for RegistryCollector {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        self.encode_open(&mut encoder)?;
        self.encode_ended(&mut encoder)?;
        self.encode_refused(&mut encoder)
    }
}

impl RegistryCollector {
    fn encode_open(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let (name, help) = ("http_server_open_streams", "Open streams, by kind");
        let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (kind, label) in KINDS {
            let open = self.0.open[kind as usize].load(Ordering::Relaxed);
            let open = i64::try_from(open).unwrap_or(i64::MAX);
            ConstGauge::new(open).encode(family.encode_family(&[("kind", label)])?)?;
        }
        Ok(())
    }

    fn encode_ended(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let (name, help) = ("http_server_ended_streams", "Streams that have ended, by reason");
        let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (kind, kind_label) in KINDS {
            for (reason, label) in REASONS {
                let count = self.0.ended[kind as usize][reason as usize].load(Ordering::Relaxed);
                let labels = [("kind", kind_label), ("reason", label)];
                ConstCounter::new(count).encode(family.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }

    fn encode_refused(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let (name, help) = ("http_server_refused_streams", "Streams refused by a limit");
        let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (limit, label) in LIMITS {
            let count = self.0.refused[limit as usize].load(Ordering::Relaxed);
            ConstCounter::new(count).encode(family.encode_family(&[("limit", label)])?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::registry::{EndReason, StreamKind};
    use super::*;
    use crate::http::settings::HttpSettings;

    #[test]
    fn a_stream_is_counted_once_by_the_reason_of_its_end() {
        let registry = Arc::new(StreamRegistry::new(&HttpSettings::default()));
        let mut open = registry.open(StreamKind::WebSocket, None).unwrap();
        open.set_reason(EndReason::Stopped);
        drop(open);
        drop(registry.open(StreamKind::Sse, None).unwrap());
        let metrics = crate::metrics::Metrics::default();
        metrics.collect(RegistryCollector(registry));
        let text = metrics.text();
        for line in [
            r#"http_server_ended_streams_total{kind="websocket",reason="stopped"} 1"#,
            r#"http_server_ended_streams_total{kind="sse",reason="client_gone"} 1"#,
            r#"http_server_open_streams{kind="sse"} 0"#,
        ] {
            assert!(text.contains(line), "`{line}` is missing in\n{text}");
        }
    }
}
