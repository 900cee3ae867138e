//! Metrics of tasks. Labels are names of tasks and queues that this service knows, so their number is bounded by the
//! program; all others share the label `other`.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;

use super::brokers::records::{OutboxStats, QueueStats};
use crate::metrics::Metrics;

type TaskLabels = Vec<(&'static str, String)>;
type Seconds = Family<TaskLabels, Histogram, fn() -> Histogram>;

/// The label of tasks and queues that this service does not know.
pub(super) const OTHER: &str = "other";

/// Upper bounds of the buckets, in seconds: tasks take from a write to a database to an export of an hour.
const BUCKETS: [f64; 14] =
    [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0, 600.0, 3600.0];

/// The metrics of a process that runs tasks.
#[derive(Clone)]
pub(super) struct TaskMetrics {
    queued: Family<TaskLabels, Gauge>,
    oldest: Family<TaskLabels, Gauge<f64, AtomicU64>>,
    seconds: Seconds,
    retries: Family<TaskLabels, Counter>,
    /// The number of running tasks.
    pub running: Gauge,
    /// Tasks whose worker was lost.
    pub lost: Counter,
    /// Settlements that came after their claim was given to another worker.
    pub fenced: Counter,
    /// Restarts of loops that have panicked.
    pub restarts: Counter,
    outbox_waiting: Gauge,
    outbox_oldest: Gauge<f64, AtomicU64>,
    /// Entries of the outbox that were sent to the broker.
    pub relayed: Counter,
    /// Refused entries of the outbox.
    pub refused: Counter,
}

/// The series of one task, found once, because finding one costs more than counting.
#[derive(Clone)]
pub(super) struct TaskSeries(Arc<[Histogram; 4]>, Counter);

/// The end of an attempt, as the metrics have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AttemptOutcome {
    Success,
    Failure,
    Retry,
    /// Ended without a result, or put off.
    Other,
}

impl AttemptOutcome {
    const ALL: [Self; 4] = [Self::Success, Self::Failure, Self::Retry, Self::Other];

    fn name(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Retry => "retry",
            Self::Other => "other",
        }
    }
}

impl Default for TaskMetrics {
    fn default() -> Self {
        Self {
            queued: Family::default(),
            oldest: Family::default(),
            seconds: Family::new_with_constructor(|| Histogram::new(BUCKETS)),
            retries: Family::default(),
            running: Gauge::default(),
            lost: Counter::default(),
            fenced: Counter::default(),
            restarts: Counter::default(),
            outbox_waiting: Gauge::default(),
            outbox_oldest: Gauge::default(),
            relayed: Counter::default(),
            refused: Counter::default(),
        }
    }
}

impl TaskMetrics {
    pub fn register(&self, metrics: &Metrics) {
        metrics.register("tasks_queued", "Tasks that are ready and wait", self.queued.clone());
        let help = "Age of the oldest task that waits";
        metrics.register("tasks_oldest_age_seconds", help, self.oldest.clone());
        metrics.register("tasks_running", "Tasks that run in this process", self.running.clone());
        let help = "Duration of an attempt, by task and outcome";
        metrics.register("task_duration_seconds", help, self.seconds.clone());
        metrics.register("task_retries", "Attempts that will be retried", self.retries.clone());
        let help = "Tasks released because the lease of their worker had expired";
        metrics.register("tasks_lost", help, self.lost.clone());
        let help = "Results refused because the task had been given to another worker";
        metrics.register("tasks_fenced", help, self.fenced.clone());
        let help =
            "Restarts of a loop of the worker or the schedules that panicked outside of a task";
        metrics.register("tasks_loop_restarts", help, self.restarts.clone());
    }

    pub fn register_outbox(&self, metrics: &Metrics) {
        let help = "Entries of the outbox that wait for the broker";
        metrics.register("tasks_outbox_waiting", help, self.outbox_waiting.clone());
        let help = "Age of the oldest entry of the outbox";
        metrics.register("tasks_outbox_oldest_age_seconds", help, self.outbox_oldest.clone());
        let help = "Entries of the outbox that this process has sent to the broker";
        metrics.register("tasks_outbox_relayed", help, self.relayed.clone());
        let help = "Entries of the outbox that the broker has refused";
        metrics.register("tasks_outbox_refused", help, self.refused.clone());
    }

    pub fn set_outbox(&self, stats: &OutboxStats) {
        self.outbox_waiting.set(i64::try_from(stats.waiting).unwrap_or(i64::MAX));
        let oldest_ms = u64::try_from(stats.oldest_ms.unwrap_or_default()).unwrap_or_default();
        self.outbox_oldest.set(Duration::from_millis(oldest_ms).as_secs_f64());
    }

    /// Returns the series of a task that this service knows, or of [`OTHER`].
    pub fn series(&self, task: &str) -> TaskSeries {
        let seconds = AttemptOutcome::ALL.map(|outcome| {
            let labels = vec![("task", task.to_owned()), ("outcome", outcome.name().to_owned())];
            self.seconds.get_or_create_owned(&labels)
        });
        let retries = self.retries.get_or_create_owned(&vec![("task", task.to_owned())]);
        TaskSeries(Arc::new(seconds), retries)
    }

    /// Sets the gauges of the queues that this process reads; those that are missing are empty.
    pub fn set_queues(&self, known: &[String], stats: &[QueueStats]) {
        let known: HashSet<&str> = known.iter().map(String::as_str).collect();
        for queue in &known {
            self.set_queue(queue, stats.iter().filter(|stats| stats.queue == *queue));
        }
        let others = stats.iter().filter(|stats| !known.contains(stats.queue.as_str()));
        self.set_queue(OTHER, others);
    }

    fn set_queue<'a>(&self, queue: &str, stats: impl Iterator<Item = &'a QueueStats>) {
        let (mut queued, mut oldest_ms) = (0, 0);
        for stats in stats {
            queued += stats.queued;
            oldest_ms = oldest_ms.max(stats.oldest_ms.unwrap_or_default());
        }
        let labels = vec![("queue", queue.to_owned())];
        self.queued.get_or_create(&labels).set(i64::try_from(queued).unwrap_or(i64::MAX));
        let oldest = Duration::from_millis(u64::try_from(oldest_ms).unwrap_or_default());
        self.oldest.get_or_create(&labels).set(oldest.as_secs_f64());
    }
}

impl TaskSeries {
    /// Counts one attempt.
    pub fn observe(&self, outcome: AttemptOutcome, duration: Duration) {
        self.0[outcome as usize].observe(duration.as_secs_f64());
        if outcome == AttemptOutcome::Retry {
            self.1.inc();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_are_counted_by_task_and_outcome() {
        let (tasks, metrics) = (TaskMetrics::default(), Metrics::default());
        tasks.register(&metrics);
        let series = tasks.series("shop.mail");
        series.observe(AttemptOutcome::Retry, Duration::from_millis(20));
        series.observe(AttemptOutcome::Success, Duration::from_millis(20));
        let text = metrics.text();
        let expected = r#"task_duration_seconds_count{task="shop.mail",outcome="success"} 1"#;
        assert!(text.contains(expected), "{text}");
        assert!(text.contains(r#"task_retries_total{task="shop.mail"} 1"#), "{text}");
    }

    #[test]
    fn queues_of_other_services_share_one_series() {
        let (tasks, metrics) = (TaskMetrics::default(), Metrics::default());
        tasks.register(&metrics);
        let stats = |queue: &str, queued, oldest_ms| QueueStats {
            queue: queue.to_owned(),
            queued,
            oldest_ms: Some(oldest_ms),
            ..QueueStats::default()
        };
        tasks.set_queues(&["mail".to_owned()], &[stats("a", 2, 10), stats("b", 3, 2500)]);
        let text = metrics.text();
        assert!(text.contains(r#"tasks_queued{queue="mail"} 0"#), "{text}");
        assert!(text.contains(r#"tasks_queued{queue="other"} 5"#), "{text}");
        assert!(text.contains(r#"tasks_oldest_age_seconds{queue="other"} 2.5"#), "{text}");
    }
}
