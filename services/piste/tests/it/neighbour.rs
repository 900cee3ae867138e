//! off-piste, asked in the caller's name.

use piton::testing::TestServer;

use super::*;

fn off_piste() -> App {
    off_piste::app().set("log.level", "critical").set("jwt.secret_key", KEY)
}

/// piste with a real off-piste beside it.
async fn both() -> (TestApp, TestServer) {
    let neighbour = TestServer::start(off_piste()).await;
    let address = neighbour.address().to_string();
    let app = quiet().set("client.peers.off-piste", address).set("jwt.renew", true);
    (on_a_file(app).await, neighbour)
}

#[piton::test]
async fn the_neighbour_is_told_who_is_calling() {
    let (piste, off_piste) = both().await;
    activated(&piste, "ada@example.org", "x").await;
    let token = token_of(&piste, "ada@example.org", "x").await;
    let answer = get_as(&piste, "/peer/me", &token).await;
    assert_eq!(answer.status(), 200, "{}", answer.text());
    let expected = json!({ "email": "ada@example.org", "service": "off-piste" });
    assert_eq!(answer.json::<Value>(), expected);
    let renewed = answer.header("authorization").strip_prefix("Bearer ").unwrap();
    assert_eq!(get_as(&piste, "/peer/me", renewed).await.status(), 200);
    assert_eq!(piste.get("/peer/me").await.status(), 401, "nobody is called for a stranger");
    off_piste.stop().await;
}

#[piton::test]
async fn what_the_neighbour_answers_comes_through_whatever_its_status() {
    let neighbour = TestServer::start(off_piste().set("jwt.secret_key", "x".repeat(32))).await;
    let address = neighbour.address().to_string();
    let piste = on_a_file(quiet().set("client.peers.off-piste", address)).await;
    let token = piste.handle().tokens().access("ada@example.org").sign().unwrap();
    let answer = get_as(&piste, "/peer/me", &token).await;
    assert_eq!(answer.status(), 401, "{}", answer.text());
    assert_eq!(answer.json::<Value>()["instance"], "/user/me");
}

#[piton::test]
async fn without_a_neighbour_the_answer_says_who_is_missing() {
    let piste = on_a_file(quiet().set("client.peers.off-piste", "127.0.0.1:1")).await;
    let token = piste.handle().tokens().access("ada@example.org").sign().unwrap();
    let (status, detail) = refusal(&get_as(&piste, "/peer/me", &token).await);
    assert!(status == 503 && detail.contains("off-piste"), "{status} {detail}");
}
