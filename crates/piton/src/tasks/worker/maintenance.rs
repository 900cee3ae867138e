//! The periodic work of a worker: progress, lost tasks, old results, and the numbers of queues.

use std::convert::Infallible;
use std::time::Duration;

use tokio::time::sleep;
use tracing::{debug, info};

use super::Worker;
use super::session::Session;
use super::slot::Slot;
use crate::stop_signal::Stop;
use crate::support::backoff::with_jitter;

/// The interval in which the progress of running tasks is stored.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(200);

/// The interval in which old results are removed, and the time of the first removal after the start.
const EXPIRY_INTERVAL: Duration = Duration::from_secs(3600);
const FIRST_EXPIRY: Duration = Duration::from_secs(30);

/// The interval in which the numbers of queues are read.
const QUEUES_INTERVAL: Duration = Duration::from_secs(15);
const FIRST_QUEUES: Duration = Duration::from_secs(1);

impl Session {
    /// Does all of it, each at its interval.
    pub async fn maintain(&self) -> Infallible {
        let lost_interval = self.shared.config.lease / 3;
        tokio::join!(
            every(PROGRESS_INTERVAL, PROGRESS_INTERVAL, || self.report_progress()),
            every(lost_interval, lost_interval, || self.release_lost()),
            every(FIRST_EXPIRY, EXPIRY_INTERVAL, || self.expire_results()),
            every(FIRST_QUEUES, QUEUES_INTERVAL, || self.shared.read_queues()),
        )
        .0
    }

    async fn report_progress(&self) {
        let progress: Vec<_> = self.slots.iter().filter_map(Slot::take_progress).collect();
        if !progress.is_empty() {
            // A lost report is replaced by the next one.
            let reported = self.shared.broker.report_progress(self.worker, &progress).await;
            let _ = self.shared.record_answer(reported);
        }
    }

    async fn release_lost(&self) {
        if let Ok(lost @ 1..) = self.shared.record_answer(self.shared.broker.release_lost().await) {
            self.shared.executor.metrics.lost.inc_by(lost);
            info!("{lost} tasks run again, because their worker was lost");
        }
    }

    async fn expire_results(&self) {
        let config = &self.shared.config;
        let expired = self.shared.broker.expire_results(config.keep_results, config.keep_failures);
        if let Ok(removed @ 1..) = self.shared.record_answer(expired.await) {
            debug!("Removed {removed} results of tasks");
        }
    }
}

impl Worker {
    /// Reads the numbers of the queues until `stop`, in a process that runs no tasks: it is the one that tells if no worker
    /// does.
    pub async fn watch_queues(&self, stop: Stop) {
        tokio::select! {
            _ = every(FIRST_QUEUES, QUEUES_INTERVAL, || self.0.read_queues()) => {}
            () = stop.stopped() => {}
        }
    }
}

impl super::shared::Shared {
    /// Reads the numbers of the queues, for metrics and health.
    pub async fn read_queues(&self) {
        if let Ok(mut queues) = self.record_answer(self.broker.queues().await) {
            let read = self.queues();
            self.executor.metrics.set_queues(&read, &queues);
            // Those of other services are their own matter.
            queues.retain(|stats| read.contains(&stats.queue));
            self.state.set_queues(queues);
        }
    }
}

/// Repeats `work`, with jitter, so that the replicas of a service do not do it at the same time.
async fn every<F: Future<Output = ()>>(
    first: Duration,
    interval: Duration,
    work: impl Fn() -> F,
) -> Infallible {
    let mut pause = first;
    loop {
        sleep(with_jitter(pause, &(0.75..1.25))).await;
        work().await;
        pause = interval;
    }
}
