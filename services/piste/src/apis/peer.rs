//! The neighbour, asked in the caller's name.

use piton::axum::http::header::{CONTENT_TYPE, WWW_AUTHENTICATE};
use piton::axum::response::{IntoResponse, Response};
use piton::prelude::*;

piton::blueprint!("/peer", tag = "peers", protected);

/// Says who off-piste takes the caller for.
///
/// Its answer comes through as it is, a refusal too. Where it fails, this service says who failed.
#[get("/me")]
pub async fn me(peers: Peers) -> Result<Response> {
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
    Ok(through)
}
