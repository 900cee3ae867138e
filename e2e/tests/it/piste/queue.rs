//! Messages out of a queue: each is kept, and once, whatever becomes of who reads them.

use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use test_support::moto::{Boto3, Moto};
use test_support::postgres::database;
use test_support::{http_client, wait_for, wait_for_within};

use super::{Deployment, get};

const QUEUE: &str = "gnar-queue";
const MANY: usize = 1000;

/// Number of messages that are sent at once. Limited, because moto scans all messages for each one
/// that is received.
const WAVE: usize = 100;

/// A moto with an empty queue, whose messages are hidden for three seconds when they are received.
fn moto_with_a_queue() -> (Moto, Boto3) {
    let moto = Moto::start();
    let mut boto3 = Boto3::of(&moto);
    let attributes = json!({ "VisibilityTimeout": "3" });
    boto3.ask(&json!({ "op": "create", "queue": QUEUE, "attributes": attributes }));
    (moto, boto3)
}

/// Sends all messages, wave after wave, in a thread of its own: what boto3 says is waited for.
fn send_all(moto: &Moto) -> JoinHandle<()> {
    let mut boto3 = Boto3::of(moto);
    std::thread::spawn(move || {
        for wave in bodies().chunks(WAVE) {
            while boto3.count(QUEUE).0 > WAVE as u64 / 2 {
                std::thread::park_timeout(Duration::from_millis(20));
            }
            boto3.ask(&json!({ "op": "send", "queue": QUEUE, "bodies": wave }));
        }
    })
}

fn bodies() -> Vec<String> {
    (0..MANY).map(|number| format!("message {number:03}")).collect()
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

/// Returns whether piste has stored about this many messages; it may have stopped.
async fn has_kept(port: u16, many: i64) -> bool {
    let answer = http_client::get(port, "/messages?limit=1").await;
    answer.is_ok_and(|answer| answer.json()[0]["id"].as_i64() >= Some(many))
}

/// Waits until all is sent and the queue is empty, and looks whether each message was kept once.
async fn each_is_kept_once(port: u16, sender: JoinHandle<()>, boto3: &mut Boto3) {
    let mut is_empty = || sender.is_finished() && boto3.count(QUEUE) == (0, 0);
    let limit = Duration::from_secs(180);
    wait_for_within("an empty queue", limit, || std::future::ready(is_empty())).await;
    sender.join().unwrap();
    let all = kept(port).await;
    let mut found: Vec<&str> = all.iter().map(|it| it["body"].as_str().unwrap()).collect();
    found.sort_unstable();
    assert_eq!(found, bodies());
}

#[tokio::test]
async fn a_thousand_messages_are_kept_once_each_though_the_reader_is_killed() {
    let (moto, mut boto3) = moto_with_a_queue();
    let piste = Deployment::new(&database()).production().amazon(&moto.url());
    let service = piste.start().await;
    let sender = send_all(&moto);
    wait_for("some messages", || has_kept(piste.port, 250)).await;
    service.signal("KILL").await;
    service.ended().await;
    assert!(!sender.is_finished(), "it was to end in the middle");
    let _again = piste.start().await;
    each_is_kept_once(piste.port, sender, &mut boto3).await;
}

#[tokio::test]
async fn on_sigterm_what_is_in_hand_is_dealt_with_or_given_back() {
    let (moto, mut boto3) = moto_with_a_queue();
    let piste = Deployment::new(&database()).production().amazon(&moto.url());
    let service = piste.start().await;
    let sender = send_all(&moto);
    wait_for("some messages", || has_kept(piste.port, 250)).await;
    let begin = Instant::now();
    service.signal("TERM").await;
    assert_eq!(service.ended().await.code(), Some(0));
    let took = begin.elapsed();
    assert!(took < Duration::from_secs(10), "{took:?}");
    assert!(!sender.is_finished(), "it was to end in the middle");
    assert_eq!(boto3.count(QUEUE).1, 0, "messages that are hidden, and in nobody's hands");
    let _again = piste.start().await;
    each_is_kept_once(piste.port, sender, &mut boto3).await;
}
