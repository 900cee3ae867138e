//! The part that reads queues: every poll of the service, side by side.

use std::sync::Arc;

use tokio::task::JoinSet;
use tracing::info;

use super::figures::PollFigures;
use super::state::{Doing, State};
use super::work::Worker;
use super::{Poll, Sqs};
use crate::context;
use crate::metrics::Metrics;
use crate::part::{self, Dependencies, Health, Launch, Part};
use crate::step::Step;
use crate::stop::Stop;

/// Reads every queue that the service polls. It starts by itself where there is a poll.
#[derive(Clone)]
pub struct Polls(Arc<Inner>);

struct Inner {
    sqs: Sqs,
    polls: Vec<(Poll, Arc<State>)>,
    figures: PollFigures,
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
            .map(|poll| (poll.clone(), Arc::new(State::new(&poll.queue))))
            .collect();
        if let Some(problem) = polls.iter().find_map(|(poll, _)| poll.problem()) {
            return Err(problem.into());
        }
        for (poll, state) in &polls {
            info!("Polling SQS queue {} every {}", state.queue, spoken(poll.interval));
        }
        let figures = PollFigures::default();
        Ok(Self(Arc::new(Inner { sqs: launch.part(), polls, figures })))
    }

    async fn run(&self, stop: Stop) {
        let Ok(handle) = context::try_app() else { return };
        // Dropping the set ends its tasks, should the service not wait for them.
        let mut tasks = JoinSet::new();
        for (poll, state) in &self.0.polls {
            let worker = Worker::new(
                handle.clone(),
                self.0.sqs.clone(),
                poll.clone(),
                state.clone(),
                self.0.figures.clone(),
                stop.clone(),
            );
            tasks.spawn(context::within(handle.clone(), worker.run()));
        }
        while tasks.join_next().await.is_some() {}
        self.0.polls.iter().for_each(|(_, state)| state.is(Doing::Stopped));
    }

    async fn health(&self) -> Health {
        let troubles: Vec<String> =
            self.0.polls.iter().filter_map(|(_, state)| state.trouble()).collect();
        if troubles.is_empty() { Health::Up } else { Health::Degraded(troubles.join("; ")) }
    }

    fn details(&self) -> serde_json::Value {
        self.snapshot()
    }

    fn snapshot(&self) -> serde_json::Value {
        self.0.polls.iter().map(|(_, state)| state.snapshot()).collect()
    }

    fn metrics(&self, metrics: &Metrics) {
        self.0.figures.register(metrics);
    }
}

crate::part!(Polls);

/// As Gnar Gear says it: `60 seconds`.
fn spoken(time: std::time::Duration) -> String {
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
