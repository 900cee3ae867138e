//! Restarts the loops of a worker and of the schedules after a panic.
//!
//! A panic of a task is caught where the task runs, and fails its attempt. One outside of it is a fault of this program: without
//! supervision the loop would be gone, and nothing would say so until the next deployment.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use tracing::error;

use super::health::TasksState;
use super::metrics::TaskMetrics;
use crate::http::panics;
use crate::secrets::redact_text;
use crate::stop_signal::Stop;
use crate::support::backoff::{Backoff, JITTER};

/// Delays before a restart.
const RESTART_BACKOFF: Backoff =
    Backoff::new(Duration::from_secs(1), Duration::from_secs(60), JITTER);

/// Time after which a loop that was restarted counts as sound again.
const MIN_SOUND_TIME: Duration = Duration::from_secs(60);

/// Supervises one loop.
pub(super) struct Supervisor<'a> {
    /// The loop, as the log and the health name it: `the loop that ..`.
    name: &'a str,
    state: &'a TasksState,
    metrics: &'a TaskMetrics,
    backoff: Backoff,
}

impl<'a> Supervisor<'a> {
    pub fn new(name: &'a str, state: &'a TasksState, metrics: &'a TaskMetrics) -> Self {
        Self { name, state, metrics, backoff: RESTART_BACKOFF }
    }

    /// Runs a loop to its end, and again after each panic until `stop`.
    pub async fn run<F: Future>(mut self, stop: &Stop, work: impl Fn() -> F) {
        while !stop.is_stopped()
            && let Err(panic) = self.catch(work()).await
        {
            self.pause(panic, stop).await;
        }
    }

    /// Runs a loop once. Logs and counts its panic, after which the caller restarts it after a [`pause`](Self::pause).
    pub async fn catch<F: Future>(&mut self, work: F) -> Result<F::Output, LoopPanic> {
        let started = Instant::now();
        let panic = match panics::catch(work).await {
            Ok(end) => return Ok(end),
            Err(panic) => panic,
        };
        let (message, location) = panics::describe(&*panic);
        let (name, message) = (self.name, redact_text(&message));
        let location = location.map(|location| format!(" at {location}")).unwrap_or_default();
        error!("{name} panicked and is restarted, which is a fault of piton: {message}{location}");
        self.metrics.restarts.inc();
        if started.elapsed() >= MIN_SOUND_TIME {
            self.backoff = RESTART_BACKOFF;
        }
        Err(LoopPanic(format!("{name} panicked and is restarted: {message}")))
    }

    /// Waits before a restart, at most until `stop`. Meanwhile the health is degraded.
    pub async fn pause(&mut self, panic: LoopPanic, stop: &Stop) {
        let _restarting = self.state.record_restart(panic.0);
        tokio::select! {
            () = sleep(self.backoff.next_delay()) => {}
            () = stop.stopped() => {}
        }
    }
}

/// The reason why a loop has to be restarted.
pub(super) struct LoopPanic(String);

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::part::Health;

    #[tokio::test(start_paused = true)]
    async fn a_loop_that_panics_is_restarted_and_degrades_the_health_until_then() {
        let (state, metrics) = (TasksState::default(), TaskMetrics::default());
        let runs = AtomicU32::new(0);
        let never = Stop::never();
        let supervised = Supervisor::new("the loop", &state, &metrics).run(&never, || async {
            let run = runs.fetch_add(1, Ordering::SeqCst) + 1;
            assert!(run > 2, "run {run}");
        });
        let health = async {
            tokio::task::yield_now().await;
            state.health(Duration::ZERO)
        };
        let ((), health) = tokio::join!(supervised, health);
        assert_eq!((runs.load(Ordering::SeqCst), metrics.restarts.get()), (3, 2));
        let Health::Degraded(why) = health else { panic!("it is being restarted") };
        assert_eq!(why, "the loop panicked and is restarted: run 1");
        assert_eq!(state.health(Duration::ZERO), Health::Up);
    }
}
