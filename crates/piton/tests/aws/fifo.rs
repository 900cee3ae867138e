//! Queues whose messages have an order.

use std::time::Duration;

use e2e::moto::Moto;
use piton::aws::sqs::{Message, Poll};
use piton::prelude::*;
use piton::serde_json::json;

use crate::{Boto3, Seen, app, numbered};

#[piton::test]
async fn the_order_of_a_group_is_kept_when_one_of_its_messages_fails() {
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
