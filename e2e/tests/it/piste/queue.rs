//! Messages out of a queue: each is kept, and once, whatever becomes of who reads them.

use std::time::{Duration, Instant};

use e2e::moto::{Boto3, Moto};
use e2e::postgres::database;
use e2e::{client, wait_for, wait_longer_for};
use serde_json::{Value, json};

use super::{Deployment, get};

const QUEUE: &str = "gnar-queue";
const MANY: usize = 1000;

/// A moto with so many messages, which are hidden for three seconds from when they are received.
fn moto_with_messages() -> (Moto, Boto3) {
    let moto = Moto::start();
    let mut boto3 = Boto3::of(&moto);
    let attributes = json!({ "VisibilityTimeout": "3" });
    boto3.ask(&json!({ "op": "create", "queue": QUEUE, "attributes": attributes }));
    let bodies: Vec<String> = (0..MANY).map(|number| format!("message {number}")).collect();
    boto3.ask(&json!({ "op": "send", "queue": QUEUE, "bodies": bodies }));
    (moto, boto3)
}

/// All messages that piste has kept, page by page.
async fn kept(port: u16) -> Vec<Value> {
    let (mut all, mut path) = (Vec::new(), "/messages".to_owned());
    loop {
        let page = get(port, &path, &[]).await.json().as_array().unwrap().clone();
        let Some(last) = page.last() else { return all };
        path = format!("/messages?before={}", last["id"]);
        all.extend(page);
    }
}

/// Whether piste has kept about so many; it may have stopped.
async fn has_kept(port: u16, many: i64) -> bool {
    let answer = client::get(port, "/messages?limit=1").await;
    answer.is_ok_and(|answer| answer.json()[0]["id"].as_i64() >= Some(many))
}

/// Waits until the queue is empty, and looks whether each message was kept once.
async fn each_is_kept_once(port: u16, boto3: &mut Boto3) {
    let limit = Duration::from_secs(180);
    wait_longer_for("an empty queue", limit, || std::future::ready(boto3.count(QUEUE) == (0, 0)))
        .await;
    let all = kept(port).await;
    let mut bodies: Vec<&str> = all.iter().map(|it| it["body"].as_str().unwrap()).collect();
    bodies.sort_unstable();
    let mut expected: Vec<String> = (0..MANY).map(|number| format!("message {number}")).collect();
    expected.sort_unstable();
    assert_eq!(bodies.len(), MANY);
    assert_eq!(bodies, expected);
}

#[tokio::test]
async fn a_thousand_messages_arrive_once_each() {
    let (moto, mut boto3) = moto_with_messages();
    let piste = Deployment::new(&database()).production().amazon(&moto.url());
    let _service = piste.start().await;
    each_is_kept_once(piste.port, &mut boto3).await;
}

#[tokio::test]
async fn no_message_is_lost_by_kill_9() {
    let (moto, mut boto3) = moto_with_messages();
    let piste = Deployment::new(&database()).production().amazon(&moto.url());
    let service = piste.start().await;
    wait_for("some messages", || has_kept(piste.port, 50)).await;
    service.signal("KILL").await;
    service.ended().await;
    let (visible, _) = boto3.count(QUEUE);
    assert!(visible > 0, "it was to end in the middle");
    let _again = piste.start().await;
    each_is_kept_once(piste.port, &mut boto3).await;
}

#[tokio::test]
async fn on_sigterm_what_is_in_hand_is_dealt_with_or_given_back() {
    let (moto, mut boto3) = moto_with_messages();
    let piste = Deployment::new(&database()).production().amazon(&moto.url());
    let service = piste.start().await;
    wait_for("some messages", || has_kept(piste.port, 50)).await;
    let begin = Instant::now();
    service.signal("TERM").await;
    assert_eq!(service.ended().await.code(), Some(0));
    let took = begin.elapsed();
    assert!(took < Duration::from_secs(10), "{took:?}");
    let (visible, hidden) = boto3.count(QUEUE);
    assert!(visible > 0 && hidden == 0, "{visible} left, {hidden} in nobody's hands");
    let _again = piste.start().await;
    each_is_kept_once(piste.port, &mut boto3).await;
}
