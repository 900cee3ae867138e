//! `POST /ashirt/process`: all that ASHIRT says to a worker.

use std::time::Duration;

use piton::axum::extract::Request;
use piton::axum::response::{IntoResponse, Response};
use piton::http::FailedRequest;
use piton::prelude::*;
use piton::{RequestId, tokio};

use super::shared_secret::SharedSecretGuard;
use crate::actions::EvidenceInput;
use crate::evidence_queue::EvidenceQueue;
use crate::protocol::{self, Message, PROCESS_PATH, WorkerResponse};
use crate::services::Backend;

piton::blueprint!("/ashirt", tag = "ashirt", guard = SharedSecretGuard);

/// Answers a test, and says what is in a piece of evidence.
///
/// The type of the body is not looked at: it is JSON or it is nothing, and a header that somebody has
/// configured may say otherwise.
#[post("/process")]
pub async fn process(queue: EvidenceQueue, backend: Backend, request: Request) -> Response {
    let message = match queue.read(request).await {
        Ok(message) => message,
        Err(refusal) => return refusal,
    };
    match message {
        Ok(Message::Test) => {
            json(protocol::liveness(failure_reason(&queue, &backend).await.as_deref()))
        }
        Ok(Message::EvidenceCreated(message)) => {
            let evidence = EvidenceInput::of_ashirt(message, backend.client().clone());
            json(add_request_id(queue.process(evidence).await).body())
        }
        Ok(Message::Untyped(why)) => json(rejected(why)),
        Ok(Message::Unknown(kind)) => {
            let kind: String = kind.chars().take(100).collect();
            json(rejected(format!("this worker does not know the message type `{kind}`")))
        }
        Err(why) => {
            warn!("Cannot read a message: {why}");
            json(protocol::failure(&with_current_request_id(&why)))
        }
    }
}

fn rejected(why: String) -> Vec<u8> {
    info!("Rejected a message: {why}");
    WorkerResponse::Rejected(why.into()).body()
}

/// An error leads to its lines in the log.
fn add_request_id(answer: WorkerResponse) -> WorkerResponse {
    match answer {
        WorkerResponse::Error(why) => WorkerResponse::Error(with_current_request_id(&why).into()),
        other => other,
    }
}

fn with_current_request_id(why: &str) -> String {
    RequestId::current().map_or_else(|| why.to_owned(), |id| with_request_id(why, id))
}

fn with_request_id(why: &str, id: RequestId) -> String {
    format!("{why} (request {id})")
}

/// How long an administrator waits who presses "Test".
const TEST_TIMEOUT: Duration = Duration::from_secs(5);

/// Why the worker could not do its work.
async fn failure_reason(queue: &EvidenceQueue, backend: &Backend) -> Option<String> {
    if !queue.settings().test_asks_ashirt {
        return None;
    }
    let checked = tokio::time::timeout(TEST_TIMEOUT, backend.check()).await;
    let failure_reason = checked.unwrap_or_else(|_| Err("it does not answer".into())).err();
    failure_reason.map(|why| format!("the worker cannot work with ASHIRT: {why}"))
}

/// What a failure looks like to ASHIRT, whoever made it: it takes a reason only out of status 200. Who may
/// not call, or calls something else, is no ASHIRT, or one that should see it in its log.
pub(crate) fn error_response(failed: &FailedRequest<'_>) -> Response {
    match failed.status().as_u16() {
        401 | 404 | 405 => wrong_path_response(failed),
        _ => failure_response(failed, ""),
    }
}

/// What a failure looks like where ASHIRT should not have called: with its true status, and so that the test
/// of its page shows why.
pub(crate) fn wrong_path_response(failed: &FailedRequest<'_>) -> Response {
    let nowhere = failed.status() == StatusCode::NOT_FOUND;
    let place = if nowhere { format!("; ASHIRT calls {PROCESS_PATH}") } else { String::new() };
    let mut answer = failure_response(failed, &place);
    *answer.status_mut() = failed.status();
    answer
}

fn failure_response(failed: &FailedRequest<'_>, place: &str) -> Response {
    json(protocol::failure(&with_request_id(&format!("{failed}{place}"), failed.id())))
}

fn json(body: Vec<u8>) -> Response {
    ([("content-type", "application/json")], body).into_response()
}
