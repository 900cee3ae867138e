//! The queue in front of the actions. ASHIRT sends all evidence of an operation at once, without a
//! timeout and without retries.
//!
//! Therefore everything is accepted, a few pieces are processed at a time, and every message gets a
//! response, also those still queued when the worker has to stop.

use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use piton::axum::extract::{FromRequest, Request};
use piton::axum::response::{IntoResponse, Response};
use piton::bytes::Bytes;
use piton::metrics::Metrics;
use piton::part::{self, Launch, Part};
use piton::prelude::*;
use piton::tasks::Call;
use piton::tokio;
use piton::tokio::sync::Semaphore;

use crate::actions::{self, EvidenceInput};
use crate::apis::ExpectedSecret;
use crate::metrics::{EvidenceMetrics, GaugeGuard};
use crate::protocol::{Message, WorkerResponse};
use crate::worker_settings::WorkerSettings;

/// Processes evidence with bounded concurrency. Cheap to clone.
#[derive(Clone)]
pub struct EvidenceQueue(Arc<Inner>);

/// Maximum size of a common message in bytes: three names and a few variables.
const COMMON_BYTES: u64 = 32 * 1024;

/// Maximum number of larger messages that are read concurrently. Each may have as many bytes as
/// `http.body_limit` allows, and most of them are dropped after parsing.
const MAX_LARGE_READS: usize = 32;

/// Maximum duration of reading a message.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

struct Inner {
    settings: WorkerSettings,
    /// The shared secret, checked before a body is read.
    expected: Option<ExpectedSecret>,
    large_read_permits: Semaphore,
    permits: Arc<Semaphore>,
    metrics: EvidenceMetrics,
}

impl EvidenceQueue {
    /// Reads a message, large ones with bounded concurrency. The inner error describes an invalid
    /// message.
    ///
    /// # Errors
    /// The response to a message that is too large, or does not arrive in time.
    pub(crate) async fn read(&self, request: Request) -> Result<Result<Message, String>, Response> {
        let _reader = match declared_length(&request) {
            // Common messages need no permit, so that slow senders of large ones do not delay them.
            Some(length) if length <= COMMON_BYTES => None,
            _ => Some(
                self.0.large_read_permits.acquire().await.expect("the semaphore is never closed"),
            ),
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

    /// Processes the evidence as soon as a permit is free, or defers it. Cancel safe: running work is
    /// abandoned, and its permit becomes free when its thread has noticed.
    pub async fn process(
        &self,
        evidence: EvidenceInput,
        deferral: Option<Deferral>,
    ) -> WorkerResponse {
        let started = Instant::now();
        let (uuid, operation) = (evidence.uuid().to_owned(), evidence.operation().to_owned());
        let content_type = evidence.content_type().to_owned();
        let mut abandoned =
            AbandonGuard { queue: self, uuid, operation, content_type, started, logged: false };
        let response = match deferral {
            Some(deferral) => self.process_or_defer(evidence, deferral).await,
            None => until_stop(self.process_queued(evidence)).await,
        };
        abandoned.logged = true;
        let (uuid, operation) = (&abandoned.uuid, &abandoned.operation);
        self.record(&response, uuid, operation, &abandoned.content_type, started.elapsed());
        response
    }

    /// Processes deferred evidence as soon as a permit is free. A panic of the action becomes an error,
    /// so that it is reported. Cancel safe as [`process`](Self::process).
    pub(crate) async fn process_deferred(&self, evidence: EvidenceInput) -> WorkerResponse {
        let started = Instant::now();
        let (uuid, operation) = (evidence.uuid().to_owned(), evidence.operation().to_owned());
        let content_type = evidence.content_type().to_owned();
        let response = panic_to_error(self.process_queued(evidence)).await;
        self.record(&response, &uuid, &operation, &content_type, started.elapsed());
        response
    }

    /// Processes the evidence within the time of `deferral`, and stores it as a task if that passes or
    /// the worker has to stop. If it cannot be stored, it is processed in its request.
    async fn process_or_defer(
        &self,
        evidence: EvidenceInput,
        deferral: Deferral,
    ) -> WorkerResponse {
        let mut work = pin!(self.process_queued(evidence));
        if !deferral.after.is_zero() {
            let last_call = piton::app().last_call();
            tokio::select! {
                biased;
                response = &mut work => return response,
                () = tokio::time::sleep(deferral.after) => {}
                () = last_call.stopped() => {}
            }
        }
        match deferral.call.send().await {
            Ok(_) => WorkerResponse::Deferred,
            Err(error) => {
                warn!("Cannot defer evidence, so that ASHIRT waits for it: {error}");
                until_stop(work).await
            }
        }
    }

    /// Counts and logs the result of a piece of evidence.
    fn record(
        &self,
        response: &WorkerResponse,
        uuid: &str,
        operation: &str,
        content_type: &str,
        took: Duration,
    ) {
        let known_type = actions::known_content_type(content_type);
        self.0.metrics.count(known_type, response.outcome().as_str(), took);
        log_response(response, uuid, operation, content_type, took);
    }

    async fn process_queued(&self, evidence: EvidenceInput) -> WorkerResponse {
        let permit = {
            let _waiting = GaugeGuard::increment(&self.0.metrics.waiting);
            self.0.permits.clone().acquire_owned().await.expect("the semaphore is never closed")
        };
        let _in_progress = GaugeGuard::increment(&self.0.metrics.in_progress);
        let limit = self.0.settings.timeout;
        let evidence = evidence.with_permit(permit);
        match tokio::time::timeout(limit, actions::process(&evidence)).await {
            Ok(response) => response,
            Err(_) => WorkerResponse::Error(
                format!(
                    "it took longer than {} (worker.timeout); run it again, or raise the timeout",
                    ::humantime::format_duration(limit)
                )
                .into(),
            ),
        }
    }

    /// Returns the secret that callers have to send, if one is configured.
    pub(crate) fn expected_secret(&self) -> Option<&ExpectedSecret> {
        self.0.expected.as_ref()
    }

    /// Returns the settings of the worker.
    #[must_use]
    pub fn settings(&self) -> &WorkerSettings {
        &self.0.settings
    }
}

/// Deferral of a piece of evidence: the time for which its request waits, and the task that is stored
/// then.
pub struct Deferral {
    pub(crate) after: Duration,
    pub(crate) call: Call<()>,
}

/// Returns an error instead if the worker has to stop before the work is done.
async fn until_stop(work: impl Future<Output = WorkerResponse>) -> WorkerResponse {
    let last_call = piton::app().last_call();
    tokio::select! {
        response = work => response,
        () = last_call.stopped() => WorkerResponse::Error("the worker was stopped; run it again".into()),
    }
}

/// Returns an error instead if the work panics.
async fn panic_to_error(work: impl Future<Output = WorkerResponse>) -> WorkerResponse {
    let done = AssertUnwindSafe(work).catch_unwind().await;
    done.unwrap_or_else(|panic| {
        let message = panic.downcast_ref::<String>().map(String::as_str);
        let message = message.or_else(|| panic.downcast_ref::<&str>().copied());
        error!("The action panicked: {}", message.unwrap_or("without a message"));
        // Without the panic's message, which may contain parts of the media.
        WorkerResponse::Error("a fault of the worker; its log has more".into())
    })
}

/// Logs evidence that was abandoned. Dropped before the result was logged, the request was
/// cancelled: ASHIRT was stopped, the connection broke, or `http.timeout` passed. The evidence may
/// stay "processing" in ASHIRT, so the log names it.
struct AbandonGuard<'a> {
    queue: &'a EvidenceQueue,
    uuid: String,
    operation: String,
    content_type: String,
    started: Instant,
    logged: bool,
}

impl AbandonGuard<'_> {
    fn known_type(&self) -> &'static str {
        actions::known_content_type(&self.content_type)
    }
}

impl Drop for AbandonGuard<'_> {
    fn drop(&mut self) {
        // Not during a panic, because whoever catches it logs it.
        if self.logged || std::thread::panicking() {
            return;
        }
        self.queue.0.metrics.count(self.known_type(), "abandoned", self.started.elapsed());
        warn!(
            evidence = self.uuid,
            operation = self.operation,
            content_type = self.content_type,
            "Abandoned evidence `{}`: the connection closed, or http.timeout passed; run it again",
            self.uuid
        );
    }
}

/// Returns the declared length of a message in bytes.
fn declared_length(request: &Request) -> Option<u64> {
    request.headers().get("content-length")?.to_str().ok()?.parse().ok()
}

/// Logs a line for each piece of evidence. Of the content only the length is logged, because it may
/// contain anything.
fn log_response(
    response: &WorkerResponse,
    uuid: &str,
    operation: &str,
    content_type: &str,
    took: Duration,
) {
    let action = response.outcome().as_str();
    let duration_ms = (took.as_secs_f64() * 100_000.0).round() / 100.0;
    match response {
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
            operation,
            content_type,
            action,
            duration_ms,
            "Failed to process evidence `{uuid}`: {reason}"
        ),
    }
}

impl Part for EvidenceQueue {
    const NAME: &'static str = "worker";

    type Settings = WorkerSettings;

    async fn start(settings: WorkerSettings, launch: &Launch) -> Result<Self, part::Error> {
        let expected = ExpectedSecret::from_settings(&settings);
        if launch.production() && launch.serves() && expected.is_none() {
            warn!("No worker.shared_secret is set: anyone who reaches the port may call");
        }
        let permits = Arc::new(Semaphore::new(settings.at_once));
        let large_read_permits = Semaphore::new(MAX_LARGE_READS);
        Ok(Self(Arc::new(Inner {
            settings,
            expected,
            large_read_permits,
            permits,
            metrics: EvidenceMetrics::default(),
        })))
    }

    fn snapshot(&self) -> piton::serde_json::Value {
        let (waiting, in_progress) =
            (self.0.metrics.waiting.get(), self.0.metrics.in_progress.get());
        piton::serde_json::json!({ "waiting": waiting, "under_way": in_progress })
    }

    fn metrics(&self, metrics: &Metrics) {
        self.0.metrics.register(metrics);
    }
}

piton::part!(EvidenceQueue);

#[cfg(test)]
mod tests {
    use super::*;

    #[piton::test]
    async fn a_panic_is_an_error_that_says_nothing_of_the_media() {
        let panics = |with_text: bool| async move {
            assert!(!with_text, "of the {}", "media");
            WorkerResponse::Deferred
        };
        let response = panic_to_error(panics(true)).await;
        let why = "a fault of the worker; its log has more".into();
        assert_eq!(response, WorkerResponse::Error(why));
        assert_eq!(panic_to_error(panics(false)).await, WorkerResponse::Deferred);
    }
}
