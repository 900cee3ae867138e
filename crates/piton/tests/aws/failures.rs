//! Reading queues, when something fails.

use std::time::Duration;

use e2e::moto::Moto;
use piton::aws::sqs::{Message, Poll};
use piton::part::Health;
use piton::prelude::*;
use piton::serde_json::json;

use crate::{Boto3, Seen, app, numbered};

const SHORT: Duration = Duration::from_millis(100);

#[piton::test]
async fn what_failed_comes_again_until_it_succeeds() {
    let moto = Moto::start();
    let mut boto3 = Boto3::of(&moto);
    boto3.create("hard", json!({}));
    boto3.send("hard", &["error", "false", "panic", "good"].map(str::to_owned));
    let seen = Seen::default();
    let note = seen.clone();
    let work = move |message: Message| {
        note.note(&message);
        let before = note.times(message.body());
        async move {
            match message.body() {
                "error" if before < 3 => Err(Error::unavailable("not yet")),
                "false" if before < 3 => Ok(false),
                "panic" if before < 3 => panic!("not yet"),
                _ => Ok(true),
            }
        }
    };
    let poll = Poll::new("hard", work).interval(SHORT).max_number_of_messages(10);
    let poll = poll.visibility_timeout(Duration::from_secs(1));
    let app = TestApp::new(app(&moto).sqs(poll)).await;
    boto3.wait_until_empty("hard").await;
    let times = ["error", "false", "panic", "good"].map(|body| seen.times(body));
    assert_eq!(times, [3, 3, 3, 1]);
    let figures = app.handle().metrics().text();
    for line in [
        r#"sqs_messages_total{queue="hard",outcome="failed"} 4"#,
        r#"sqs_messages_total{queue="hard",outcome="kept"} 2"#,
        r#"sqs_messages_total{queue="hard",outcome="deleted"} 4"#,
    ] {
        assert!(figures.contains(line), "{line} in {figures}");
    }
    app.stop().await;
}

async fn trouble(app: &TestApp) -> Option<String> {
    let health = app.handle().health().await;
    health.into_iter().find(|part| part.name == "sqs_polls").and_then(|part| match part.health {
        Health::Up => None,
        Health::Degraded(why) | Health::Down(why) => Some(why),
    })
}

#[piton::test]
async fn a_server_that_goes_away_and_comes_back_is_read_again() {
    let mut moto = Moto::start();
    let mut boto3 = Boto3::of(&moto);
    boto3.create("q", json!({}));
    boto3.send("q", &numbered("before", 1));
    let seen = Seen::default();
    let note = seen.clone();
    let poll = Poll::new("q", move |message: Message| {
        note.note(&message);
        async {}
    });
    let app = TestApp::new(app(&moto).sqs(poll.interval(SHORT))).await;
    seen.wait_for(1).await;
    assert_eq!(trouble(&app).await, None);

    moto.stop();
    e2e::wait_for("trouble", || async { trouble(&app).await.is_some() }).await;
    moto.start_again();
    e2e::wait_for("the queue to be missing", || async {
        trouble(&app).await.is_some_and(|why| why.contains("QueueDoesNotExist"))
    })
    .await;
    boto3.create("q", json!({}));
    boto3.send("q", &numbered("after", 1));
    seen.wait_for(2).await;
    assert_eq!(seen.all(), ["before0", "after0"]);
    assert_eq!(trouble(&app).await, None);
    app.stop().await;
}

#[piton::test]
async fn what_was_dealt_with_and_could_not_be_deleted_is_not_dealt_with_again() {
    let mut moto = Moto::start();
    let mut boto3 = Boto3::of(&moto);
    boto3.create("q", json!({ "VisibilityTimeout": "1" }));
    let url = boto3.ask(&json!({ "op": "create", "queue": "q", "attributes": {} }));
    assert_eq!(url, json!({}));
    let seen = Seen::default();
    let (note, gate) = (seen.clone(), std::sync::Arc::new(tokio::sync::Semaphore::new(0)));
    let closed = gate.clone();
    let poll = Poll::new("q", move |message: Message| {
        note.note(&message);
        let closed = closed.clone();
        async move { drop(closed.acquire().await) }
    });
    let app = TestApp::new(app(&moto).sqs(poll.interval(SHORT))).await;
    boto3.send("q", &numbered("x", 1));
    seen.wait_for(1).await;
    moto.stop();
    gate.add_permits(10);
    // moto forgets what it had, so that the message cannot come again from it: what is looked at is
    // that the poll goes on after all attempts to delete have failed.
    e2e::wait_for("trouble", || async { trouble(&app).await.is_some() }).await;
    moto.start_again();
    boto3.create("q", json!({}));
    boto3.send("q", &numbered("y", 1));
    seen.wait_for(2).await;
    assert_eq!(seen.all(), ["x0", "y0"]);
    app.stop().await;
}
