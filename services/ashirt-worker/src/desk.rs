//! Where evidence waits for its turn: ASHIRT sends all that an operation has at once, asks once, and
//! waits for ever.
//!
//! So everything is let in, a few at a time are looked at, and everybody is answered: also those whose
//! turn has not come when the worker has to stop.

use std::sync::Arc;
use std::time::{Duration, Instant};

use piton::metrics::Metrics;
use piton::part::{self, Health, Launch, Part};
use piton::prelude::*;
use piton::tokio;
use piton::tokio::sync::Semaphore;

use crate::actions::{self, Evidence};
use crate::figures::{Counted, Looked};
use crate::protocol::Answer;
use crate::settings::WorkerSettings;

/// Where evidence is looked at. Cheap to clone.
#[derive(Clone)]
pub struct Desk(Arc<Inner>);

struct Inner {
    settings: WorkerSettings,
    places: Arc<Semaphore>,
    looked: Looked,
}

impl Desk {
    /// Looks at the evidence when its turn has come, and says what it comes to. Cancel safe: what was
    /// begun is given up, and its place is free when its thread has noticed.
    pub async fn look_at(&self, evidence: Evidence) -> Answer {
        let begun = Instant::now();
        let (uuid, operation) = (evidence.uuid().to_owned(), evidence.operation().to_owned());
        let content_type = evidence.content_type().to_owned();
        let last_call = piton::app().last_call();
        let answer = tokio::select! {
            answer = self.in_turn(evidence) => answer,
            () = last_call.stopped() => Answer::Error("the worker was stopped; run it again".into()),
        };
        let took = begun.elapsed();
        let known = actions::known_content_type(&content_type);
        self.0.looked.count(known, answer.outcome(), took);
        tell(&answer, &uuid, &operation, &content_type, took);
        answer
    }

    async fn in_turn(&self, evidence: Evidence) -> Answer {
        let place = {
            let _waiting = Counted::among(&self.0.looked.waiting);
            self.0.places.clone().acquire_owned().await.expect("the semaphore is never closed")
        };
        let _under_way = Counted::among(&self.0.looked.under_way);
        let limit = self.0.settings.timeout;
        let evidence = evidence.keeping(place);
        match tokio::time::timeout(limit, actions::look_at(&evidence)).await {
            Ok(answer) => answer,
            Err(_) => Answer::Error(
                format!(
                    "it took longer than {} (worker.timeout); run it again, or raise that",
                    ::humantime::format_duration(limit)
                )
                .into(),
            ),
        }
    }

    /// The settings of the worker.
    #[must_use]
    pub fn settings(&self) -> &WorkerSettings {
        &self.0.settings
    }
}

/// A line in the log for each piece of evidence, with what it is called and what it came to. Of the
/// content only the length: it may be anything.
fn tell(answer: &Answer, uuid: &str, operation: &str, content_type: &str, took: Duration) {
    let action = answer.outcome().as_str();
    let duration_ms = (took.as_secs_f64() * 100_000.0).round() / 100.0;
    match answer {
        Answer::Processed(text) => info!(
            evidence = uuid,
            operation,
            content_type,
            action,
            content_bytes = text.len(),
            duration_ms,
            "Processed evidence `{uuid}`"
        ),
        Answer::Deferred => info!(
            evidence = uuid,
            operation, content_type, action, duration_ms, "Deferred evidence `{uuid}`"
        ),
        Answer::Rejected(reason) => info!(
            evidence = uuid,
            operation, content_type, action, duration_ms, "Rejected evidence `{uuid}`: {reason}"
        ),
        Answer::Error(reason) => warn!(
            evidence = uuid,
            operation, content_type, action, duration_ms, "Failed with evidence `{uuid}`: {reason}"
        ),
    }
}

impl Part for Desk {
    const NAME: &'static str = "worker";

    type Settings = WorkerSettings;

    async fn start(settings: WorkerSettings, launch: &Launch) -> Result<Self, part::Error> {
        if let Some(problem) = settings.problem_of(launch.production()) {
            return Err(problem.into());
        }
        let places = Arc::new(Semaphore::new(settings.at_once));
        Ok(Self(Arc::new(Inner { settings, places, looked: Looked::default() })))
    }

    async fn health(&self) -> Health {
        Health::Up
    }

    fn snapshot(&self) -> piton::serde_json::Value {
        let (waiting, looked_at) = (self.0.looked.waiting.get(), self.0.looked.under_way.get());
        piton::serde_json::json!({ "waiting": waiting, "under_way": looked_at })
    }

    fn metrics(&self, metrics: &Metrics) {
        self.0.looked.register(metrics);
    }
}

piton::part!(Desk);
