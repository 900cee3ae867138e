//! Metrics of queues. The name of a queue is a label; of queues that are sent to, at most a hundred names
//! are, because a service may build names from its data.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;

use super::queue_urls::short_name;
use crate::metrics::Metrics;

type QueueLabels = Vec<(&'static str, String)>;

/// Upper bounds of the buckets, in seconds: handlers take from a write to a database to slow calls of other
/// services.
const BUCKETS: [f64; 12] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0, 600.0];

/// Maximum number of queue names in labels; further ones count as `other`.
const MAX_QUEUES: usize = 100;

#[derive(Clone, Default)]
pub(super) struct SqsMetrics {
    sent: Family<QueueLabels, Counter>,
    queues: Arc<Mutex<HashSet<String>>>,
}

impl SqsMetrics {
    pub fn register(&self, metrics: &Metrics) {
        metrics.register("sqs_sent_messages", "Messages sent, by queue", self.sent.clone());
    }

    pub fn count_sent(&self, queue: &str) {
        let name = short_name(queue);
        let mut queues = self.queues.lock();
        let known = queues.contains(name);
        if !known && queues.len() < MAX_QUEUES {
            queues.insert(name.to_owned());
        }
        let label = if queues.contains(name) { name } else { "other" };
        self.sent.get_or_create(&vec![("queue", label.to_owned())]).inc();
    }
}

/// Metrics of polls.
#[derive(Clone)]
pub(super) struct PollMetrics {
    messages: Family<QueueLabels, Counter>,
    seconds: Family<QueueLabels, Histogram, fn() -> Histogram>,
}

impl Default for PollMetrics {
    fn default() -> Self {
        Self {
            messages: Family::default(),
            seconds: Family::new_with_constructor(|| Histogram::new(BUCKETS)),
        }
    }
}

impl PollMetrics {
    pub fn register(&self, metrics: &Metrics) {
        let help = "Messages received, by queue and outcome";
        metrics.register("sqs_messages", help, self.messages.clone());
        let help = "Duration of the handler of a message";
        metrics.register("sqs_message_duration_seconds", help, self.seconds.clone());
    }

    pub fn count(&self, queue: &str, outcome: &'static str) {
        let labels = vec![("queue", queue.to_owned()), ("outcome", outcome.to_owned())];
        self.messages.get_or_create(&labels).inc();
    }

    pub fn observe_duration(&self, queue: &str, time: Duration) {
        let labels = vec![("queue", queue.to_owned())];
        self.seconds.get_or_create(&labels).observe(time.as_secs_f64());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_queues_in_labels_is_bounded() {
        let (counters, metrics) = (SqsMetrics::default(), Metrics::default());
        counters.register(&metrics);
        for number in 0..1000 {
            counters.count_sent(&format!("q{number}"));
        }
        let text = metrics.text();
        assert_eq!(text.matches("sqs_sent_messages_total{").count(), MAX_QUEUES + 1, "{text}");
        assert!(text.contains(r#"sqs_sent_messages_total{queue="other"} 900"#), "{text}");
    }

    #[test]
    fn messages_are_counted_by_queue_and_outcome() {
        let (counters, metrics) = (PollMetrics::default(), Metrics::default());
        counters.register(&metrics);
        counters.count("q", "deleted");
        counters.observe_duration("q", Duration::from_millis(20));
        let text = metrics.text();
        assert!(text.contains(r#"sqs_messages_total{queue="q",outcome="deleted"} 1"#), "{text}");
        assert!(text.contains(r#"sqs_message_duration_seconds_count{queue="q"} 1"#), "{text}");
    }
}
