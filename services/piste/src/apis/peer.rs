//! The neighbour, asked in the caller's name.

use piton::client::Peers;
use piton::prelude::*;
use piton::serde_json::Value;

piton::blueprint!("/peer", tag = "peers", protected);

/// Says who off-piste takes the caller for.
///
/// Its answer comes through as it is, whatever its status.
#[get("/me")]
async fn me(peers: Peers) -> Result<(StatusCode, Json<Value>)> {
    let answer = peers.peer("off-piste")?.get("user/me").auto_auth().send().await?;
    let status = answer.status();
    Ok((status, Json(answer.json().await?)))
}
