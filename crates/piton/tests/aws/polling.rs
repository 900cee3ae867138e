//! Reading queues without failures.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use piton::aws::sqs::{Message, Poll, Sqs};
use piton::part::{self, BoxError, Launch, Part};
use piton::prelude::*;
use piton::serde_json::json;
use piton::testing::{TestApp, TestServer};
use test_support::moto::Moto;
use tokio::sync::Semaphore;

use crate::failures::proxy;
use crate::{Boto3, Seen, app, numbered};

const SHORT: Duration = Duration::from_millis(100);

#[piton::test]
async fn a_thousand_messages_are_handled_once_each() {
    let moto = Moto::start();
    let mut boto3 = Boto3::of(&moto);
    boto3.create("many", json!({}));
    boto3.send("many", &numbered("0-", 250));
    let seen = Seen::default();
    let note = seen.clone();
    let poll = Poll::new("many", move |message: Message| {
        note.note(&message);
        async {}
    });
    let poll = poll.interval(SHORT).max_number_of_messages(10);
    let app = TestApp::new(app(&moto).sqs(poll)).await;
    // In batches, because moto goes through the whole queue on every call.
    for wave in 1..4 {
        seen.wait_for(wave * 250 - 50).await;
        boto3.send("many", &numbered(&format!("{wave}-"), 250));
    }
    seen.wait_for(1000).await;
    boto3.wait_until_empty("many").await;
    let mut all = seen.all();
    all.sort();
    all.dedup();
    assert_eq!((all.len(), seen.all().len()), (1000, 1000));
    let figures = app.handle().metrics().text();
    let line = r#"sqs_messages_total{queue="many",outcome="deleted"} 1000"#;
    assert!(figures.contains(line), "{figures}");
    let snapshot = &app.handle().snapshots()["sqs_polls"][0];
    assert_eq!((&snapshot["queue"], &snapshot["deleted"]), (&json!("many"), &json!(1000)));
    app.stop().await;
}

#[piton::test]
async fn several_queues_are_read_concurrently() {
    let moto = Moto::start();
    let mut boto3 = Boto3::of(&moto);
    boto3.create("stuck", json!({}));
    boto3.create("free", json!({}));
    boto3.send("stuck", &numbered("s", 1));
    boto3.send("free", &numbered("f", 20));
    let (seen, gate) = (Seen::default(), Arc::new(Semaphore::new(0)));
    let (note, closed) = (seen.clone(), gate.clone());
    let stuck = Poll::new("stuck", move |_: Message| {
        let closed = closed.clone();
        async move { drop(closed.acquire().await) }
    });
    let free = Poll::new("free", move |message: Message| {
        note.note(&message);
        async {}
    });
    let app = TestApp::new(app(&moto).sqs(stuck).sqs(free.interval(SHORT))).await;
    seen.wait_for(20).await;
    gate.add_permits(1);
    boto3.wait_until_empty("stuck").await;
    app.stop().await;
}

async fn relay(message: Message, sqs: Sqs, handle: Handle) -> Result<()> {
    assert_eq!(piton::app().name(), handle.name());
    sqs.send("next", message.body()).await?;
    Ok(())
}

#[piton::test]
async fn a_handler_gets_its_parts() {
    let moto = Moto::start();
    let mut boto3 = Boto3::of(&moto);
    boto3.create("first", json!({}));
    boto3.create("next", json!({}));
    boto3.send("first", &numbered("x", 1));
    let app = TestApp::new(app(&moto).sqs(Poll::new("first", relay))).await;
    boto3.wait_until_empty("first").await;
    let received = boto3.ask(&json!({ "op": "receive", "queue": "next" }));
    assert_eq!(received["messages"][0]["Body"], "x0");
    app.stop().await;
}

/// A part that can be connected once the test allows it.
#[derive(Clone)]
struct Late(Arc<AtomicBool>);

impl Part for Late {
    const NAME: &'static str = "late";
    type Settings = ();

    async fn start(_: (), launch: &Launch) -> Result<Self, part::Error> {
        Ok(Self(launch.provided::<Arc<AtomicBool>>().next().cloned().unwrap_or_default()))
    }

    async fn connect(&self) -> Result<(), BoxError> {
        if self.0.load(Ordering::SeqCst) { Ok(()) } else { Err("nobody answers".into()) }
    }
}

piton::part!(Late);

#[piton::test]
async fn a_queue_is_not_read_before_the_parts_of_its_handler_are_connected() {
    let moto = Moto::start();
    let mut boto3 = Boto3::of(&moto);
    boto3.create("q", json!({}));
    boto3.send("q", &numbered("x", 1));
    let (seen, there) = (Seen::default(), Arc::new(AtomicBool::new(false)));
    let note = seen.clone();
    let poll = Poll::new("q", move |message: Message, _: Late| {
        note.note(&message);
        async {}
    });
    let server = TestServer::start(app(&moto).provide(there.clone()).sqs(poll)).await;
    let state = || std::future::ready(server.handle().snapshots()["sqs_polls"][0]["state"].clone());
    test_support::wait_for("the poll to wait", || async { state().await == "waiting" }).await;
    assert_eq!((seen.all().len(), boto3.count("q")), (0, (1, 0)));
    there.store(true, Ordering::SeqCst);
    boto3.wait_until_empty("q").await;
    assert_eq!(seen.all(), ["x0"]);
    server.stop().await;
}

#[piton::test]
async fn a_stop_does_not_wait_for_a_long_poll_of_twenty_seconds() {
    let moto = Moto::start();
    let mut boto3 = Boto3::of(&moto);
    boto3.create("quiet", json!({}));
    let poll = Poll::new("quiet", |_: Message| async {}).wait_time(Duration::from_secs(20));
    let app = TestApp::new(app(&moto).sqs(poll)).await;
    let begin = Instant::now();
    app.stop().await;
    assert!(begin.elapsed() < Duration::from_secs(12), "{:?}", begin.elapsed());
}

#[piton::test]
async fn a_message_that_arrives_during_a_stop_is_given_back() {
    let moto = Moto::start();
    let mut boto3 = Boto3::of(&moto);
    boto3.create("q", json!({}));
    let poll = Poll::new("q", |_: Message| async {}).wait_time(Duration::from_secs(5));
    let called = Arc::new(AtomicBool::new(false));
    let note = called.clone();
    let url = proxy(&moto, "ReceiveMessage", move || {
        note.store(true, Ordering::SeqCst);
        true
    });
    let app = TestApp::new(app(&moto).set("sqs.endpoint_url", url.await).sqs(poll)).await;
    test_support::wait_for("a call", || std::future::ready(called.load(Ordering::SeqCst))).await;
    let mut stopping = Box::pin(app.stop());
    // Polled once, so that the poll has been told to stop before the message is sent.
    assert!((&mut stopping).now_or_never().is_none());
    boto3.send("q", &numbered("late", 1));
    stopping.await;
    assert_eq!(boto3.count("q"), (1, 0));
}

#[piton::test]
async fn a_slow_handlers_message_stays_hidden() {
    let moto = Moto::start();
    let mut boto3 = Boto3::of(&moto);
    boto3.create("slow", json!({ "VisibilityTimeout": "1" }));
    boto3.send("slow", &numbered("x", 1));
    let seen = Seen::default();
    let poll = |note: Seen| {
        let slow = move |message: Message| {
            note.note(&message);
            tokio::time::sleep(Duration::from_millis(3500))
        };
        Poll::new("slow", slow).interval(SHORT)
    };
    let one = TestApp::new(app(&moto).sqs(poll(seen.clone()))).await;
    let other = TestApp::new(app(&moto).sqs(poll(seen.clone()))).await;
    boto3.wait_until_empty("slow").await;
    assert_eq!(seen.all(), ["x0"]);
    one.stop().await;
    other.stop().await;
}

#[piton::test]
async fn a_stop_finishes_the_message_in_hand_and_gives_back_the_others() {
    let moto = Moto::start();
    let mut boto3 = Boto3::of(&moto);
    boto3.create("work", json!({}));
    boto3.send("work", &numbered("w", 3));
    let (seen, gate) = (Seen::default(), Arc::new(Semaphore::new(0)));
    let (note, closed) = (seen.clone(), gate.clone());
    let poll = Poll::new("work", move |message: Message| {
        note.note(&message);
        let closed = closed.clone();
        async move { drop(closed.acquire().await) }
    });
    let app = TestApp::new(app(&moto).sqs(poll.max_number_of_messages(10))).await;
    seen.wait_for(1).await;
    assert_eq!(boto3.count("work"), (0, 3));
    let stopping = tokio::spawn(app.stop());
    gate.add_permits(10);
    stopping.await.unwrap();
    let left = 3 - seen.all().len() as u64;
    assert_eq!(boto3.count("work"), (left, 0), "what was not begun can be had at once");
}

#[piton::test]
async fn a_handler_that_does_not_end_is_stopped_and_its_message_given_back() {
    let moto = Moto::start();
    let mut boto3 = Boto3::of(&moto);
    boto3.create("endless", json!({}));
    boto3.send("endless", &numbered("e", 1));
    let seen = Seen::default();
    let note = seen.clone();
    let endless = Poll::new("endless", move |message: Message| {
        note.note(&message);
        std::future::pending::<()>()
    });
    let app = TestApp::new(app(&moto).sqs(endless)).await;
    seen.wait_for(1).await;
    app.stop().await;
    assert_eq!(boto3.count("endless"), (1, 0));
}

#[piton::test]
async fn options_that_sqs_would_refuse_prevent_the_launch() {
    let moto = Moto::start();
    let poll = Poll::new("q", |_: Message| async {}).max_number_of_messages(11);
    let error = app(&moto).sqs(poll).into_router().await.expect_err("it is refused");
    let report = error.report("the service");
    assert!(report.contains("the poll of the queue `q`: max_number_of_messages"), "{report}");
    assert!(report.contains("1 to 10"), "{report}");
}
