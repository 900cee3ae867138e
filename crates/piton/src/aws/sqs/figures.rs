//! The queues' figures for Prometheus. A queue's name is a label; of those that are sent to, no more
//! than a hundred, as a service may make them up.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;

use super::queues;
use crate::metrics::Metrics;

type Labels = Vec<(&'static str, String)>;

/// How long callbacks take, from a database's write to a slow call to somebody else.
const SECONDS: [f64; 12] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0, 600.0];

const MOST_QUEUES: usize = 100;

#[derive(Clone, Default)]
pub(super) struct Figures {
    sent: Family<Labels, Counter>,
    queues: Arc<Mutex<HashSet<String>>>,
}

impl Figures {
    pub fn register(&self, metrics: &Metrics) {
        metrics.register("sqs_sent_messages", "Messages sent, by queue", self.sent.clone());
    }

    pub fn count_sent(&self, queue: &str) {
        let name = queues::short(queue);
        let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        let known = queues.contains(name);
        if !known && queues.len() < MOST_QUEUES {
            queues.insert(name.to_owned());
        }
        let label = if queues.contains(name) { name } else { "other" };
        self.sent.get_or_create(&vec![("queue", label.to_owned())]).inc();
    }
}

/// What polls count.
#[derive(Clone)]
pub(super) struct PollFigures {
    messages: Family<Labels, Counter>,
    seconds: Family<Labels, Histogram, fn() -> Histogram>,
}

impl Default for PollFigures {
    fn default() -> Self {
        Self {
            messages: Family::default(),
            seconds: Family::new_with_constructor(|| Histogram::new(SECONDS)),
        }
    }
}

impl PollFigures {
    pub fn register(&self, metrics: &Metrics) {
        let help = "Messages received, by queue and by what became of them";
        metrics.register("sqs_messages", help, self.messages.clone());
        let help = "How long the function took that a message was given to";
        metrics.register("sqs_message_duration_seconds", help, self.seconds.clone());
    }

    pub fn count(&self, queue: &str, outcome: &'static str) {
        let labels = vec![("queue", queue.to_owned()), ("outcome", outcome.to_owned())];
        self.messages.get_or_create(&labels).inc();
    }

    pub fn took(&self, queue: &str, time: Duration) {
        let labels = vec![("queue", queue.to_owned())];
        self.seconds.get_or_create(&labels).observe(time.as_secs_f64());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_that_makes_up_queues_does_not_make_up_series() {
        let (figures, metrics) = (Figures::default(), Metrics::default());
        figures.register(&metrics);
        for number in 0..1000 {
            figures.count_sent(&format!("q{number}"));
        }
        let text = metrics.text();
        assert_eq!(text.matches("sqs_sent_messages_total{").count(), MOST_QUEUES + 1, "{text}");
        assert!(text.contains(r#"sqs_sent_messages_total{queue="other"} 900"#), "{text}");
    }

    #[test]
    fn what_became_of_messages_is_told_by_queue() {
        let (figures, metrics) = (PollFigures::default(), Metrics::default());
        figures.register(&metrics);
        figures.count("q", "deleted");
        figures.took("q", Duration::from_millis(20));
        let text = metrics.text();
        assert!(text.contains(r#"sqs_messages_total{queue="q",outcome="deleted"} 1"#), "{text}");
        assert!(text.contains(r#"sqs_message_duration_seconds_count{queue="q"} 1"#), "{text}");
    }
}
