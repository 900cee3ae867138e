//! [`Polls`]: the part that runs every poll of the service, concurrently.

use std::sync::Arc;

use tokio::task::JoinSet;
use tracing::info;

use super::metrics::PollMetrics;
use super::poll::Poll;
use super::poll_state::{PollPhase, PollState};
use super::poll_worker::PollWorker;
use super::sqs_sender::Sqs;
use crate::app::App;
use crate::context;
use crate::launch_steps::Step;
use crate::metrics::Metrics;
use crate::part::{self, Dependencies, Health, Launch, Part};
use crate::stop_signal::Stop;

/// Reads every queue that the service polls. Started automatically if there is a poll.
#[derive(Clone)]
pub struct Polls(Arc<Inner>);

struct Inner {
    sqs: Sqs,
    polls: Vec<(Poll, Arc<PollState>)>,
    metrics: PollMetrics,
}

impl Part for Polls {
    const NAME: &'static str = "sqs_polls";
    const STEP: Step = Step::ConfigureSqsPolls;
    type Settings = ();

    fn dependencies(dependencies: &mut Dependencies) {
        dependencies.add::<Sqs>();
    }

    async fn start(_: (), launch: &Launch) -> Result<Self, part::Error> {
        let polls: Vec<_> = launch
            .provided::<Poll>()
            .map(|poll| (poll.clone(), Arc::new(PollState::new(&poll.queue))))
            .collect();
        if let Some(problem) = polls.iter().find_map(|(poll, _)| poll.problem()) {
            return Err(problem.into());
        }
        for (poll, state) in &polls {
            info!("Polling SQS queue {} every {}", state.queue, in_seconds(poll.interval));
        }
        let metrics = PollMetrics::default();
        Ok(Self(Arc::new(Inner { sqs: launch.part(), polls, metrics })))
    }

    async fn run(&self, stop: Stop) {
        let Ok(handle) = context::try_app() else { return };
        // In a set, so that dropping it aborts the tasks if the service does not wait for them.
        let mut tasks = JoinSet::new();
        for (poll, state) in &self.0.polls {
            let worker = PollWorker::new(
                handle.clone(),
                self.0.sqs.clone(),
                poll.clone(),
                state.clone(),
                self.0.metrics.clone(),
                stop.clone(),
            );
            tasks.spawn(context::within(handle.clone(), worker.run()));
        }
        while tasks.join_next().await.is_some() {}
        self.0.polls.iter().for_each(|(_, state)| state.set_phase(PollPhase::Stopped));
    }

    async fn health(&self) -> Health {
        let reasons: Vec<String> =
            self.0.polls.iter().filter_map(|(_, state)| state.failure_reason()).collect();
        if reasons.is_empty() { Health::Up } else { Health::Degraded(reasons.join("; ")) }
    }

    fn details(&self) -> serde_json::Value {
        self.snapshot()
    }

    fn snapshot(&self) -> serde_json::Value {
        self.0.polls.iter().map(|(_, state)| state.snapshot()).collect()
    }

    fn metrics(&self, metrics: &Metrics) {
        self.0.metrics.register(metrics);
    }
}

crate::part!(Polls);

impl App {
    /// Adds a poll of a queue. `#[piton::sqs(..)]` above a function is a call of this method.
    #[must_use]
    pub fn sqs(self, poll: Poll) -> Self {
        self.enable::<Polls>()
            .enable_dependencies(|dependencies| poll.dependencies(dependencies))
            .provide(poll)
    }
}

/// Formats an interval like Gnar Gear: `60 seconds`.
fn in_seconds(time: std::time::Duration) -> String {
    if time.subsec_nanos() == 0 {
        format!("{} seconds", time.as_secs())
    } else {
        humantime::format_duration(time).to_string()
    }
}

impl std::fmt::Debug for Polls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Polls").field(&self.snapshot()).finish()
    }
}
