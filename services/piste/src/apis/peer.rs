//! The neighbour, asked in the caller's name.

use piton::axum::http::header::{CONTENT_TYPE, WWW_AUTHENTICATE};
use piton::axum::response::{IntoResponse, Response};
use piton::http::{Operation, Output};
use piton::prelude::*;

piton::blueprint!("/peer", tag = "peers", protected);

/// The caller, as off-piste identifies them.
#[derive(Serialize, JsonSchema)]
pub struct Caller {
    /// The email address that the token was made for.
    pub email: String,
    /// The service that answers.
    pub service: String,
}

/// An answer of off-piste as it came: a [`Caller`], or a refusal.
pub struct Forwarded(Response);

impl IntoResponse for Forwarded {
    fn into_response(self) -> Response {
        self.0
    }
}

impl Output for Forwarded {
    fn describe(operation: &mut Operation) {
        operation.answer::<Caller>(StatusCode::OK, "application/json");
    }
}

/// Says who off-piste takes the caller for.
///
/// Its answer comes through as it is, a refusal too. Where it fails, this service says who failed.
#[get("/me")]
#[errors(
    422 = "Off-piste: the token does not name its user by an email address.",
    502 = "Off-piste gave no usable answer."
)]
pub async fn me(peers: Peers) -> Result<Forwarded> {
    let answer = peers.peer("off-piste")?.get("user/me").auto_auth().send().await?;
    let answer = match answer.status().is_server_error() {
        true => answer.error_for_status()?,
        false => answer,
    };
    let (status, mut headers) = (answer.status(), answer.headers().clone());
    let mut through = (status, answer.bytes().await?).into_response();
    for name in [CONTENT_TYPE, WWW_AUTHENTICATE] {
        if let Some(value) = headers.remove(&name) {
            through.headers_mut().insert(name, value);
        }
    }
    Ok(Forwarded(through))
}
