//! Slow, broken or unavailable hosts: retries where they are safe, timeouts, circuit breakers.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::*;
use crate::http::{get, post};
use crate::prelude::Result as Answered;
use crate::testing::TestApp;

const BUSY: &str = "HTTP/1.1 503 Busy\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

#[piton::test]
async fn a_safe_method_is_retried() {
    for trouble in [BUSY, "break"] {
        let server = Scripted::new(&[trouble, trouble, &ok("well")]).await;
        let app = caller(app()).await;
        let answer = app.handle().external().get(&server.url("/")).send().await.unwrap();
        assert_eq!((answer.text().await.unwrap().as_str(), server.count()), ("well", 3));
    }
}

#[piton::test]
async fn an_unsafe_method_is_not_retried_unless_marked_idempotent() {
    let app = caller(app().set("client.breaker_failures", 0)).await;
    let external = app.handle().external();
    let server = Scripted::new(&[BUSY, "break", &ok("")]).await;
    let post = || external.post(&server.url("/")).body("x");
    assert_eq!(post().send().await.unwrap().status(), 503);
    let error = post().send().await.unwrap_err();
    assert_eq!((error.kind(), server.count()), (Kind::ConnectionLost, 2));
    let server = Scripted::new(&[BUSY, "break", &ok("")]).await;
    let call = external.post(&server.url("/")).body("x").idempotent();
    assert_eq!(call.send().await.unwrap().status(), 200);
    let bodies = server.seen();
    assert!(bodies.len() == 3 && bodies.iter().all(|it| it.ends_with("\r\n\r\nx")), "{bodies:?}");
}

#[piton::test]
async fn a_call_is_retried_up_to_the_maximum_and_the_last_response_returned() {
    let app = caller(app().set("client.breaker_failures", 0)).await;
    let external = app.handle().external();
    let server = Scripted::new(&[BUSY]).await;
    assert_eq!(external.get(&server.url("/")).send().await.unwrap().status(), 503);
    assert_eq!(server.count(), 3);
    assert_eq!(external.get(&server.url("/")).retries(0).send().await.unwrap().status(), 503);
    assert_eq!(server.count(), 4);
    let refusal = Scripted::new(&[&answer("500 Oops", "", "")]).await;
    assert_eq!(external.get(&refusal.url("/")).send().await.unwrap().status(), 500);
    assert_eq!(refusal.count(), 1, "to ask again would change nothing");
    assert!(
        app.handle().metrics().text().contains("http_client_retries_total{peer=\"external\"} 2")
    );
}

#[piton::test]
async fn a_multipart_form_is_sent_once() {
    let server = Scripted::new(&[BUSY]).await;
    let app = caller(app()).await;
    let form = Multipart::new().text("a", "b");
    let call = app.handle().external().post(&server.url("/")).multipart(form).idempotent();
    assert_eq!(call.send().await.unwrap().status(), 503);
    assert_eq!(server.count(), 1);
}

#[piton::test]
async fn any_method_is_retried_if_no_connection_was_made() {
    let reserved = ReservedAddress::new();
    let address = reserved.address;
    let app = caller(app().set("client.retries", 50).set("client.breaker_failures", 0)).await;
    let call = app.handle().external().post(&format!("http://{address}/")).body("x");
    let call = tokio::spawn(call.send());
    // Available a moment later.
    tokio::task::yield_now().await;
    let server = reserved.start(&[&ok("")]);
    assert_eq!(call.await.unwrap().unwrap().status(), 200);
    assert_eq!(server.count(), 1);
}

#[piton::test]
async fn retry_after_is_respected_up_to_a_maximum() {
    let app = caller(app()).await;
    let soon = answer("429 Too Many", "retry-after: 1\r\n", "");
    let server = Scripted::new(&[&soon, &ok("")]).await;
    let begun = Instant::now();
    let answer_after = app.handle().external().get(&server.url("/")).send().await.unwrap();
    assert_eq!(answer_after.status(), 200);
    assert!(begun.elapsed() >= Duration::from_secs(1), "{:?}", begun.elapsed());
    let late = answer("503 Busy", "retry-after: 3600\r\n", "");
    let server = Scripted::new(&[&late]).await;
    let answer = app.handle().external().get(&server.url("/")).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), server.count()), (503, 1));
    let error = answer.error_for_status().unwrap_err();
    assert_eq!(error.retry_after(), Some(Duration::from_secs(3600)));
}

#[piton::test]
async fn an_attempt_and_the_whole_call_have_timeouts() {
    let app = caller(app().set("client.attempt_timeout", "300ms").set("client.timeout", "2s"));
    let app = app.await;
    let server = Scripted::new(&["hang", &ok("")]).await;
    assert_eq!(app.handle().external().get(&server.url("/")).send().await.unwrap().status(), 200);
    assert_eq!(server.count(), 2);

    let server = Scripted::new(&["hang"]).await;
    let begun = Instant::now();
    let error = app.handle().external().get(&server.url("/")).send().await.unwrap_err();
    assert_eq!(error.to_string(), "host 127.0.0.1: no response within 2s");
    assert_eq!(error.kind(), Kind::Timeout);
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());

    let server = Scripted::new(&["hang"]).await;
    let call = app.handle().external().post(&server.url("/")).timeout(Duration::from_millis(100));
    let error = call.send().await.unwrap_err();
    assert_eq!((error.kind(), server.count()), (Kind::Timeout, 1));
    assert_eq!(error.to_string(), "host 127.0.0.1: no response within 100ms");
}

async fn ask(peers: Peers) -> Answered<String> {
    Ok(peers.peer("off-piste")?.post("/").send().await?.error_for_status()?.text().await?)
}

#[piton::test]
async fn an_unavailable_peer_becomes_503_at_once_and_is_found_again_without_a_restart() {
    let reserved = ReservedAddress::new();
    let address = reserved.address;
    let app = app().route(get("/ask", ask)).set("client.peers.off-piste", address.to_string());
    let app = app.set("client.breaker_failures", 2).set("client.breaker_pause", "3s");
    let app = caller(app.set("client.retries", 0)).await;
    for _ in 0..2 {
        let answer = app.get("/ask").await;
        assert_eq!(answer.status(), 503);
        let problem: Value = answer.json();
        assert_eq!(problem["detail"], "the peer `off-piste` cannot be reached");
        assert_eq!(answer.header("retry-after"), "");
    }
    let answer = app.get("/ask").await;
    let wait: u8 = answer.header("retry-after").parse().expect("nothing was sent");
    assert!(answer.status() == 503 && (1..=3).contains(&wait), "{answer:?}");
    assert!(answer.text().contains("the peer `off-piste` cannot be reached"), "{}", answer.text());
    assert!(breaker(&app).contains("peer off-piste"), "{}", breaker(&app));
    let open = "http_client_breakers_open{peer=\"off-piste\"} 1";
    assert!(app.handle().metrics().text().contains(open));
    let shown = &app.handle().snapshots()["client"];
    assert_eq!(shown["failing"][address.to_string()]["failures"], 2);
    assert_eq!(shown["peers"]["off-piste"], address.to_string());

    let _server = reserved.start(&[&ok("back")]);
    let patience = Instant::now() + Duration::from_secs(20);
    while app.get("/ask").await.status() != 200 {
        assert!(Instant::now() < patience, "it is not found again");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(breaker(&app), "");
    assert_eq!(app.handle().snapshots()["client"]["failing"], serde_json::json!({}));
    let text = app.handle().metrics().text();
    assert!(text.contains("http_client_breakers_open{peer=\"off-piste\"} 0"), "{text}");
    for status in ["error", "2xx"] {
        let line = format!(
            "http_client_request_duration_seconds_count{{peer=\"off-piste\",method=\"POST\",status=\"{status}\"}}"
        );
        assert!(text.contains(&line), "{text}");
    }
}

/// Returns why the part is degraded, or "".
fn breaker(app: &TestApp) -> String {
    let health = futures_util::FutureExt::now_or_never(app.handle().health()).expect("no waiting");
    match &health.iter().find(|part| part.name == "client").unwrap().health {
        Health::Degraded(why) => why.clone(),
        _ => String::new(),
    }
}

#[piton::test]
async fn status_503_counts_as_a_failure_of_the_host_and_500_does_not() {
    let app = caller(app().set("client.breaker_failures", 2).set("client.retries", 0)).await;
    let external = app.handle().external();
    let oops = answer("500 Oops", "", "");
    let server = Scripted::new(&[BUSY, &oops, BUSY, BUSY]).await;
    for status in [503, 500, 503, 503] {
        assert_eq!(external.get(&server.url("/")).send().await.unwrap().status(), status);
    }
    let error = external.get(&server.url("/")).retries(9).send().await.unwrap_err();
    assert_eq!((error.kind(), server.count()), (Kind::CircuitOpen, 4));
    // No further retry, because the breaker opened: the caller gets the last response.
    let other = Scripted::new(&[BUSY]).await;
    let answer = external.get(&other.url("/")).retries(9).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), other.count()), (503, 2));
    let wait = error.retry_after().unwrap();
    assert!(wait > Duration::from_secs(5) && wait <= Duration::from_secs(10), "{wait:?}");
}

#[piton::test]
async fn a_response_that_never_ends_is_a_failure_of_the_host() {
    let app = app().set("client.breaker_failures", 2).set("client.retries", 0);
    let app = caller(app.set("client.timeout", "300ms")).await;
    let external = app.handle().external();
    let begun = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nbegun";
    for (trouble, kind) in
        [(begun.to_owned(), Kind::ConnectionLost), (format!("{begun}hang"), Kind::Timeout)]
    {
        let server = Scripted::new(&[&trouble]).await;
        for _ in 0..2 {
            let answer = external.get(&server.url("/")).send().await.unwrap();
            assert_eq!(answer.text().await.unwrap_err().kind(), kind);
        }
        let error = external.get(&server.url("/")).send().await.unwrap_err();
        assert_eq!((error.kind(), server.count()), (Kind::CircuitOpen, 2));
    }
}

#[piton::test]
async fn an_unread_response_counts_as_success_and_a_cancelled_one_does_not_count() {
    let app = caller(app().set("client.breaker_failures", 2).set("client.retries", 0)).await;
    let external = app.handle().external();
    let hangs = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhang";
    let server = Scripted::new(&[BUSY, hangs, BUSY, hangs, BUSY]).await;
    let call = || external.get(&server.url("/")).send();
    call().await.unwrap();
    drop(call().await.unwrap());
    call().await.unwrap();
    let mut answer = call().await.unwrap();
    assert!(futures_util::FutureExt::now_or_never(answer.chunk()).is_none(), "it hangs");
    drop(answer);
    call().await.unwrap();
    let error = call().await.unwrap_err();
    assert_eq!((error.kind(), server.count()), (Kind::CircuitOpen, 5), "two in a row");
}

async fn unusable(peers: Peers) -> Answered<String> {
    let answer = peers.peer("off-piste")?.get("/").send().await?;
    Ok(answer.error_for_status()?.text().await?)
}

async fn unknown(peers: Peers) -> Answered<String> {
    Ok(peers.peer("reserved")?.get("/").send().await?.text().await?)
}

#[piton::test]
async fn an_unusable_response_becomes_502_and_an_own_mistake_500() {
    let server = Scripted::new(&[&answer("404 Not Found", "", "secret")]).await;
    let app = app().route(get("/unusable", unusable)).route(post("/unknown", unknown));
    let app = app.set("client.peers.off-piste", server.address.to_string());
    let app = caller(app).await;
    let answer = app.get("/unusable").await;
    assert_eq!(answer.status(), 502);
    let problem: Value = answer.json();
    assert_eq!(problem["detail"], "the peer `off-piste` gave no usable response");
    assert_eq!(app.post("/unknown").await.status(), 500);
}

#[piton::test]
async fn a_retryable_status_becomes_503_and_any_other_502() {
    let busy = |status: &str, wait: &str| answer(status, wait, "secret");
    let server = Scripted::new(&[
        &busy("503 Busy", "retry-after: 7\r\n"),
        &busy("429 Too Many", "retry-after: 999999\r\n"),
        &busy("503 Busy", ""),
        &busy("500 Oops", "retry-after: 7\r\n"),
        &busy("504 Late", ""),
        &busy("403 Forbidden", ""),
    ])
    .await;
    let app = app().route(get("/ask", ask)).set("client.breaker_failures", 0);
    let app = app.set("client.peers.off-piste", server.address.to_string());
    let app = caller(app.set("client.retries", 0)).await;
    for (status, wait, what) in [
        (503, "7", "is not available at the moment"),
        (503, "3600", "is not available at the moment"),
        (503, "", "is not available at the moment"),
        (502, "", "gave no usable response"),
        (502, "", "gave no usable response"),
        (502, "", "gave no usable response"),
    ] {
        let answer = app.get("/ask").await;
        assert_eq!((answer.status().as_u16(), answer.header("retry-after")), (status, wait));
        let detail = answer.json::<Value>()["detail"].clone();
        assert_eq!(detail, format!("the peer `off-piste` {what}"));
    }
}
