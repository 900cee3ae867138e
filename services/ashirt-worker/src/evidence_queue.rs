//! Where evidence waits for its turn: ASHIRT sends all that an operation has at once, asks once, and
//! waits for ever.
//!
//! So everything is let in, a few at a time are looked at, and everybody is answered: also those whose
//! turn has not come when the worker has to stop.

use std::sync::Arc;
use std::time::{Duration, Instant};

use piton::axum::extract::{FromRequest, Request};
use piton::axum::response::{IntoResponse, Response};
use piton::bytes::Bytes;
use piton::metrics::Metrics;
use piton::part::{self, Launch, Part};
use piton::prelude::*;
use piton::tokio;
use piton::tokio::sync::Semaphore;

use crate::actions::{self, EvidenceInput};
use crate::apis::ExpectedSecret;
use crate::metrics::{EvidenceMetrics, GaugeGuard};
use crate::protocol::{Message, WorkerResponse};
use crate::worker_settings::WorkerSettings;

/// Where evidence is looked at. Cheap to clone.
#[derive(Clone)]
pub struct EvidenceQueue(Arc<Inner>);

/// How large a message commonly is at most: it has three names, and some variables.
const COMMON_BYTES: u64 = 32 * 1024;

/// How many larger messages are read together. Each may have as many bytes as `http.body_limit` allows,
/// and little of them stays when it has been read.
const MAX_LARGE_READS: usize = 32;

/// How long a message may take to arrive when it is being read.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

struct Inner {
    settings: WorkerSettings,
    /// Known at the start; where a secret is set, it is asked for before anything is read.
    expected: Option<ExpectedSecret>,
    readers: Semaphore,
    permits: Arc<Semaphore>,
    looked: EvidenceMetrics,
}

impl EvidenceQueue {
    /// Reads a message when there is room for it; the inner error is what is wrong with the message.
    ///
    /// # Errors
    /// The answer to one that is too large, or does not arrive.
    pub(crate) async fn read(&self, request: Request) -> Result<Result<Message, String>, Response> {
        let _reader = match length(&request) {
            // Whoever sends a large one slowly keeps nobody waiting who sends a common one.
            Some(length) if length <= COMMON_BYTES => None,
            _ => Some(self.0.readers.acquire().await.expect("the semaphore is never closed")),
        };
        let body = tokio::time::timeout(READ_TIMEOUT, Bytes::from_request(request, &())).await;
        match body {
            Ok(Ok(body)) => Ok(Message::parse(&body)),
            Ok(Err(refusal)) => Err(refusal.into_response()),
            Err(_) => {
                let why = "the message did not arrive in time";
                Err(Error::new(StatusCode::REQUEST_TIMEOUT, why).into_response())
            }
        }
    }

    /// Looks at the evidence when its turn has come, and says what it comes to. Cancel safe: what was
    /// begun is given up, and its place is free when its thread has noticed.
    pub async fn process(&self, evidence: EvidenceInput) -> WorkerResponse {
        let begun = Instant::now();
        let (uuid, operation) = (evidence.uuid().to_owned(), evidence.operation().to_owned());
        let content_type = evidence.content_type().to_owned();
        let last_call = piton::app().last_call();
        let mut abandoned =
            AbandonGuard { queue: self, uuid, operation, content_type, begun, told: false };
        let answer = tokio::select! {
            answer = self.process_queued(evidence) => answer,
            () = last_call.stopped() => WorkerResponse::Error("the worker was stopped; run it again".into()),
        };
        abandoned.told = true;
        let took = begun.elapsed();
        self.0.looked.count(abandoned.known_type(), answer.outcome().as_str(), took);
        tell(&answer, &abandoned.uuid, &abandoned.operation, &abandoned.content_type, took);
        answer
    }

    async fn process_queued(&self, evidence: EvidenceInput) -> WorkerResponse {
        let permit = {
            let _waiting = GaugeGuard::among(&self.0.looked.waiting);
            self.0.permits.clone().acquire_owned().await.expect("the semaphore is never closed")
        };
        let _under_way = GaugeGuard::among(&self.0.looked.under_way);
        let limit = self.0.settings.timeout;
        let evidence = evidence.with_permit(permit);
        match tokio::time::timeout(limit, actions::process(&evidence)).await {
            Ok(answer) => answer,
            Err(_) => WorkerResponse::Error(
                format!(
                    "it took longer than {} (worker.timeout); run it again, or raise that",
                    ::humantime::format_duration(limit)
                )
                .into(),
            ),
        }
    }

    /// What callers have to show, if anything.
    pub(crate) fn expected(&self) -> Option<&ExpectedSecret> {
        self.0.expected.as_ref()
    }

    /// The settings of the worker.
    #[must_use]
    pub fn settings(&self) -> &WorkerSettings {
        &self.0.settings
    }
}

/// Evidence on its way. Where it is dropped before it was told of, ASHIRT was stopped, or the connection broke, or
/// `http.timeout` has passed. It may stay "processing" there, so the log says which one.
struct AbandonGuard<'a> {
    queue: &'a EvidenceQueue,
    uuid: String,
    operation: String,
    content_type: String,
    begun: Instant,
    told: bool,
}

impl AbandonGuard<'_> {
    fn known_type(&self) -> &'static str {
        actions::known_content_type(&self.content_type)
    }
}

impl Drop for AbandonGuard<'_> {
    fn drop(&mut self) {
        // A panic is told of by whoever catches it.
        if self.told || std::thread::panicking() {
            return;
        }
        self.queue.0.looked.count(self.known_type(), "abandoned", self.begun.elapsed());
        warn!(
            evidence = self.uuid,
            operation = self.operation,
            content_type = self.content_type,
            "Gave evidence `{}` up: nobody waits for the answer any more, or http.timeout has passed; run it again",
            self.uuid
        );
    }
}

/// How many bytes a message says that it has.
fn length(request: &Request) -> Option<u64> {
    request.headers().get("content-length")?.to_str().ok()?.parse().ok()
}

/// A line in the log for each piece of evidence, with what it is called and what it came to. Of the
/// content only the length: it may be anything.
fn tell(answer: &WorkerResponse, uuid: &str, operation: &str, content_type: &str, took: Duration) {
    let action = answer.outcome().as_str();
    let duration_ms = (took.as_secs_f64() * 100_000.0).round() / 100.0;
    match answer {
        WorkerResponse::Processed(text) => info!(
            evidence = uuid,
            operation,
            content_type,
            action,
            content_bytes = text.len(),
            duration_ms,
            "Processed evidence `{uuid}`"
        ),
        WorkerResponse::Deferred => info!(
            evidence = uuid,
            operation, content_type, action, duration_ms, "Deferred evidence `{uuid}`"
        ),
        WorkerResponse::Rejected(reason) => info!(
            evidence = uuid,
            operation, content_type, action, duration_ms, "Rejected evidence `{uuid}`: {reason}"
        ),
        WorkerResponse::Error(reason) => warn!(
            evidence = uuid,
            operation, content_type, action, duration_ms, "Failed with evidence `{uuid}`: {reason}"
        ),
    }
}

impl Part for EvidenceQueue {
    const NAME: &'static str = "worker";

    type Settings = WorkerSettings;

    async fn start(settings: WorkerSettings, launch: &Launch) -> Result<Self, part::Error> {
        let expected = ExpectedSecret::of(&settings);
        if launch.production() && launch.serves() && expected.is_none() {
            warn!("Whoever reaches the port may call: there is no worker.shared_secret");
        }
        let permits = Arc::new(Semaphore::new(settings.at_once));
        let readers = Semaphore::new(MAX_LARGE_READS);
        Ok(Self(Arc::new(Inner {
            settings,
            expected,
            readers,
            permits,
            looked: EvidenceMetrics::default(),
        })))
    }

    fn snapshot(&self) -> piton::serde_json::Value {
        let (waiting, looked_at) = (self.0.looked.waiting.get(), self.0.looked.under_way.get());
        piton::serde_json::json!({ "waiting": waiting, "under_way": looked_at })
    }

    fn metrics(&self, metrics: &Metrics) {
        self.0.looked.register(metrics);
    }
}

piton::part!(EvidenceQueue);
