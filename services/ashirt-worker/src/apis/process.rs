//! `POST /ashirt/process`, the one route that ASHIRT calls.

use std::time::Duration;

use piton::axum::extract::Request;
use piton::axum::response::{IntoResponse, Response};
use piton::http::ErrorResponse;
use piton::prelude::*;
use piton::{RequestId, tokio};

use super::shared_secret::SharedSecretGuard;
use crate::actions::EvidenceInput;
use crate::evidence_queue::EvidenceQueue;
use crate::protocol::{self, Message, PROCESS_PATH, WorkerResponse};
use crate::services::Backend;
use crate::tasks;

piton::blueprint!("/ashirt", tag = "ashirt", guard = SharedSecretGuard);

/// Responds to a test message, and processes a piece of evidence.
///
/// Ignores the request's `Content-Type`: the body has to be JSON in any case, and ASHIRT's
/// administrator may have configured another header.
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
            let evidence = EvidenceInput::from_message(message, backend.client().clone());
            let deferral = tasks::deferral(queue.settings(), &evidence);
            json(add_request_id(queue.process(evidence, deferral).await).body())
        }
        Ok(Message::Untyped(why)) => json(rejected(why)),
        Ok(Message::Unknown(kind)) => {
            let kind: String = kind.chars().take(100).collect();
            json(rejected(format!("unsupported message type `{kind}`")))
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

/// Adds the request id to an error, so that an administrator finds its log lines.
fn add_request_id(response: WorkerResponse) -> WorkerResponse {
    match response {
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

/// Maximum time for the connection test behind ASHIRT's button "Test".
const TEST_TIMEOUT: Duration = Duration::from_secs(5);

/// Returns why the worker could not process evidence now. Checked only if `worker.test_asks_ashirt`
/// is set.
async fn failure_reason(queue: &EvidenceQueue, backend: &Backend) -> Option<String> {
    if !queue.settings().test_asks_ashirt {
        return None;
    }
    let checked = tokio::time::timeout(TEST_TIMEOUT, backend.check()).await;
    let failure_reason = checked.unwrap_or_else(|_| Err("it did not respond in time".into())).err();
    failure_reason.map(|why| format!("the worker cannot use ASHIRT: {why}"))
}

/// Renders an error of any layer for ASHIRT, which reads a reason only from a response with status
/// 200. For 401, 404 and 405 the true status is sent, because the caller is not ASHIRT, or is an
/// ASHIRT whose log should show it.
pub(crate) fn error_response(failed: &ErrorResponse<'_>) -> Response {
    match failed.status().as_u16() {
        401 | 404 | 405 => wrong_path_response(failed),
        _ => failure_response(failed, ""),
    }
}

/// Renders an error outside of ASHIRT's route: with its true status, and so that the test on
/// ASHIRT's page shows the reason.
pub(crate) fn wrong_path_response(failed: &ErrorResponse<'_>) -> Response {
    let nowhere = failed.status() == StatusCode::NOT_FOUND;
    let place = if nowhere { format!("; ASHIRT calls {PROCESS_PATH}") } else { String::new() };
    let mut response = failure_response(failed, &place);
    *response.status_mut() = failed.status();
    response
}

fn failure_response(failed: &ErrorResponse<'_>, place: &str) -> Response {
    json(protocol::failure(&with_request_id(&format!("{failed}{place}"), failed.id())))
}

fn json(body: Vec<u8>) -> Response {
    ([("content-type", "application/json")], body).into_response()
}
