//! FIFO queues.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use piton::aws::sqs::{Message, Poll};
use piton::prelude::*;
use piton::serde_json::json;
use piton::testing::TestApp;
use test_support::moto::Moto;

use crate::failures::before;
use crate::{Boto3, Seen, app, numbered};

#[piton::test]
async fn a_failed_message_does_not_break_the_order_of_its_group() {
    let moto = Moto::start();
    let mut boto3 = Boto3::of(&moto);
    boto3.create("ordered.fifo", json!({ "FifoQueue": "true", "VisibilityTimeout": "1" }));
    boto3.send_to_group("ordered.fifo", "a", &numbered("a", 10));
    boto3.send_to_group("ordered.fifo", "b", &numbered("b", 10));
    let (tried, done) = (Seen::default(), Seen::default());
    let (try_it, did) = (tried.clone(), done.clone());
    let work = move |message: Message| {
        try_it.note(&message);
        let (before, did) = (try_it.times(message.body()), did.clone());
        async move {
            match message.body() {
                "a3" if before == 1 => return Err(Error::unavailable("not yet")),
                "a7" if before == 1 => return Ok(false),
                "b5" if before < 3 => panic!("not yet"),
                _ => {}
            }
            assert!(message.attributes().contains_key("MessageGroupId"));
            did.note(&message);
            Ok(true)
        }
    };
    let poll = Poll::new("ordered.fifo", work).max_number_of_messages(10);
    let app = TestApp::new(app(&moto).sqs(poll.interval(Duration::from_millis(100)))).await;
    boto3.wait_until_empty("ordered.fifo").await;
    let of = |group: char| {
        done.all().into_iter().filter(|body| body.starts_with(group)).collect::<Vec<_>>()
    };
    assert_eq!(of('a'), numbered("a", 10));
    assert_eq!(of('b'), numbered("b", 10));
    assert_eq!((tried.times("a3"), tried.times("a4"), tried.times("b5")), (2, 1, 3));
    app.stop().await;
}

#[piton::test]
async fn messages_whose_lease_expired_are_left_to_the_next_receive() {
    let moto = Moto::start();
    let mut boto3 = Boto3::of(&moto);
    boto3.create("ordered.fifo", json!({ "FifoQueue": "true", "VisibilityTimeout": "1" }));
    boto3.send_to_group("ordered.fifo", "a", &numbered("a", 2));
    let seen = Seen::default();
    let note = seen.clone();
    let slow = move |message: Message| {
        note.note(&message);
        let time = if message.body() == "a0" { 2500 } else { 0 };
        tokio::time::sleep(Duration::from_millis(time))
    };
    let poll = Poll::new("ordered.fifo", slow).max_number_of_messages(10);
    let deaf = before(&moto, "ChangeMessageVisibility", Arc::new(AtomicBool::new(true))).await;
    let app = app(&moto).set("sqs.endpoint_url", deaf);
    let app = TestApp::new(app.sqs(poll.interval(Duration::from_millis(100)))).await;
    boto3.wait_until_empty("ordered.fifo").await;
    let received = app.handle().snapshots()["sqs_polls"][0]["received"].as_u64();
    assert_eq!((seen.times("a1"), received >= Some(3)), (1, true), "{received:?}");
    app.stop().await;
}
