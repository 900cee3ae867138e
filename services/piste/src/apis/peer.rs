//! The route that calls the peer off-piste on behalf of the user.

use piton::axum::http::header::{CONTENT_TYPE, WWW_AUTHENTICATE};
use piton::axum::response::{IntoResponse, Response};
use piton::http::{Operation, Output};
use piton::prelude::*;

piton::blueprint!("/peer", tag = "peers", protected);

/// The user, as off-piste identifies them.
#[derive(Serialize, JsonSchema)]
pub struct Caller {
    /// The email address that the token was issued for.
    pub email: String,
    /// The service that responds.
    pub service: String,
}

/// The unchanged response of off-piste: a [`Caller`], or an error.
pub struct ForwardedResponse(Response);

impl IntoResponse for ForwardedResponse {
    fn into_response(self) -> Response {
        self.0
    }
}

impl Output for ForwardedResponse {
    fn describe(operation: &mut Operation) {
        operation.response::<Caller>(StatusCode::OK, "application/json");
    }
}

/// Shows the user as off-piste identifies them.
///
/// The response of off-piste is forwarded unchanged, also a client error. If off-piste fails, the
/// response is an error that names it.
#[get("/me")]
#[errors(
    422 = "Off-piste: the token does not name its user by an email address.",
    502 = "Off-piste gave no usable response."
)]
pub async fn me(peers: Peers) -> Result<ForwardedResponse> {
    let response = peers.peer("off-piste")?.get("user/me").auto_auth().send().await?;
    let response = match response.status().is_server_error() {
        true => response.error_for_status()?,
        false => response,
    };
    let (status, mut headers) = (response.status(), response.headers().clone());
    let mut forwarded = (status, response.bytes().await?).into_response();
    for name in [CONTENT_TYPE, WWW_AUTHENTICATE] {
        if let Some(value) = headers.remove(&name) {
            forwarded.headers_mut().insert(name, value);
        }
    }
    Ok(ForwardedResponse(forwarded))
}
