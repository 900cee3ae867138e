//! Tests of the calls to off-piste on behalf of the user.

use piton::testing::{TestApp, TestServer};

use super::*;

fn off_piste() -> App {
    off_piste::app().set("log.level", "critical").set("jwt.secret_key", KEY)
}

/// Returns piste and a real off-piste as its peer.
async fn both() -> (TestApp, TestServer) {
    let peer = TestServer::start(off_piste()).await;
    let address = peer.address().to_string();
    let app = quiet().set("client.peers.off-piste", address).set("jwt.renew", true);
    (on_a_file(app).await, peer)
}

#[piton::test]
async fn the_peer_identifies_the_user() {
    let (piste, off_piste) = both().await;
    activated(&piste, "ada@example.org", "x").await;
    let token = token_of(&piste, "ada@example.org", "x").await;
    let answer = get_as(&piste, "/peer/me", &token).await;
    assert_eq!(answer.status(), 200, "{}", answer.text());
    let expected = json!({ "email": "ada@example.org", "service": "off-piste" });
    assert_eq!(answer.json::<Value>(), expected);
    let renewed = answer.header("authorization").strip_prefix("Bearer ").unwrap();
    assert_eq!(get_as(&piste, "/peer/me", renewed).await.status(), 200);
    assert_eq!(
        piste.get("/peer/me").await.status(),
        401,
        "the peer is not called for an anonymous client"
    );
    off_piste.stop().await;
}

#[piton::test]
async fn the_response_of_the_peer_is_forwarded_with_its_status() {
    let peer = TestServer::start(off_piste().set("jwt.secret_key", "x".repeat(32))).await;
    let address = peer.address().to_string();
    let piste = on_a_file(quiet().set("client.peers.off-piste", address)).await;
    let token = piste.handle().tokens().access("ada@example.org").sign().unwrap();
    let answer = get_as(&piste, "/peer/me", &token).await;
    assert_eq!(answer.status(), 401, "{}", answer.text());
    assert_eq!(answer.json::<Value>()["instance"], "/user/me");
}

#[piton::test]
async fn without_the_peer_the_error_names_it() {
    let piste = on_a_file(quiet().set("client.peers.off-piste", "127.0.0.1:1")).await;
    let token = piste.handle().tokens().access("ada@example.org").sign().unwrap();
    let (status, detail) = refusal(&get_as(&piste, "/peer/me", &token).await);
    assert!(status == 503 && detail.contains("off-piste"), "{status} {detail}");
}
