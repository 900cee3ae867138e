//! `POST /ashirt/process`: all that ASHIRT says to a worker.

use std::time::Duration;

use piton::axum::extract::Request;
use piton::axum::response::{IntoResponse, Response};
use piton::http::FailedRequest;
use piton::prelude::*;
use piton::{RequestId, tokio};

use super::shared_secret::SharedSecret;
use crate::actions::Evidence;
use crate::desk::Desk;
use crate::protocol::{self, Answer, Message, PROCESS_PATH};
use crate::services::Backend;

piton::blueprint!("/ashirt", tag = "ashirt", guard = SharedSecret);

/// Answers a test, and says what is in a piece of evidence.
///
/// The type of the body is not looked at: it is JSON or it is nothing, and a header that somebody has
/// configured may say otherwise.
#[post("/process")]
pub async fn process(desk: Desk, backend: Backend, request: Request) -> Response {
    let message = match desk.read(request).await {
        Ok(message) => message,
        Err(refusal) => return refusal,
    };
    match message {
        Ok(Message::Test) => json(protocol::liveness(trouble(&desk, &backend).await.as_deref())),
        Ok(Message::EvidenceCreated(message)) => {
            let evidence = Evidence::of_ashirt(message, backend.client().clone());
            json(with_id(desk.look_at(evidence).await).body())
        }
        Ok(Message::Untyped(why)) => json(rejected(why)),
        Ok(Message::Unknown(kind)) => {
            let kind: String = kind.chars().take(100).collect();
            json(rejected(format!("this worker does not know the message type `{kind}`")))
        }
        Err(why) => {
            warn!("Cannot read a message: {why}");
            json(protocol::failure(&of_request(&why)))
        }
    }
}

fn rejected(why: String) -> Vec<u8> {
    info!("Rejected a message: {why}");
    Answer::Rejected(why.into()).body()
}

/// An error leads to its lines in the log.
fn with_id(answer: Answer) -> Answer {
    match answer {
        Answer::Error(why) => Answer::Error(of_request(&why).into()),
        other => other,
    }
}

fn of_request(why: &str) -> String {
    RequestId::current().map_or_else(|| why.to_owned(), |id| named(why, id))
}

fn named(why: &str, id: RequestId) -> String {
    format!("{why} (request {id})")
}

/// How long an administrator waits who presses "Test".
const TEST_PATIENCE: Duration = Duration::from_secs(5);

/// Why the worker could not do its work.
async fn trouble(desk: &Desk, backend: &Backend) -> Option<String> {
    if !desk.settings().test_asks_ashirt {
        return None;
    }
    let checked = tokio::time::timeout(TEST_PATIENCE, backend.check()).await;
    let trouble = checked.unwrap_or_else(|_| Err("it does not answer".into())).err();
    trouble.map(|why| format!("the worker cannot work with ASHIRT: {why}"))
}

/// What a failure looks like to ASHIRT, whoever made it: it takes a reason only out of status 200. Who may
/// not call, or calls something else, is no ASHIRT, or one that should see it in its log.
pub(crate) fn failed(failed: &FailedRequest<'_>) -> Response {
    match failed.status().as_u16() {
        401 | 404 | 405 => failed_elsewhere(failed),
        _ => told(failed, ""),
    }
}

/// What a failure looks like where ASHIRT should not have called: with its true status, and so that the test
/// of its page shows why.
pub(crate) fn failed_elsewhere(failed: &FailedRequest<'_>) -> Response {
    let nowhere = failed.status() == StatusCode::NOT_FOUND;
    let place = if nowhere { format!("; ASHIRT calls {PROCESS_PATH}") } else { String::new() };
    let mut answer = told(failed, &place);
    *answer.status_mut() = failed.status();
    answer
}

fn told(failed: &FailedRequest<'_>, place: &str) -> Response {
    json(protocol::failure(&named(&format!("{failed}{place}"), failed.id())))
}

fn json(body: Vec<u8>) -> Response {
    ([("content-type", "application/json")], body).into_response()
}
