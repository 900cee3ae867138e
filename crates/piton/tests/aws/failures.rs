//! Reading queues when something fails.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use piton::aws::Kind;
use piton::aws::ses::{Email, Ses};
use piton::aws::sqs::{Message, Poll, Sqs};
use piton::part::{self, Health, Launch, Part};
use piton::prelude::*;
use piton::serde_json::{Value, json};
use piton::testing::TestApp;
use test_support::moto::Moto;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::{Boto3, Seen, app, numbered};

const SHORT: Duration = Duration::from_millis(100);

#[piton::test]
async fn a_failed_message_is_delivered_again_until_it_succeeds() {
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

#[piton::test]
async fn health_lists_each_queue_with_the_error_of_its_last_message() {
    let moto = Moto::start();
    let mut boto3 = Boto3::of(&moto);
    boto3.create("sick", json!({ "VisibilityTimeout": "1" }));
    boto3.send("sick", &["x".to_owned()]);
    let well = Arc::new(AtomicBool::new(false));
    let is_well = well.clone();
    let poll = Poll::new("sick", move |_: Message| {
        let is_well = is_well.load(Ordering::SeqCst);
        async move { if is_well { Ok(()) } else { Err(Error::unavailable("not yet")) } }
    });
    let app = TestApp::new(app(&moto).sqs(poll.interval(SHORT))).await;
    test_support::wait_for("trouble", || async { failure_reason(&app).await.is_some() }).await;
    let why = failure_reason(&app).await.unwrap();
    assert!(why.contains("`sick` failed") && why.contains("not yet"), "{why}");
    let health: Value = app.get("/health").await.json();
    let parts = health["parts"].as_array().unwrap();
    let polls = parts.iter().find(|part| part["name"] == "sqs_polls").unwrap();
    let queue = &polls["details"][0];
    assert_eq!((&polls["status"], &queue["queue"]), (&json!("degraded"), &json!("sick")));
    assert!(queue["kept"].as_u64() >= Some(1) && queue["deleted"] == 0, "{queue}");
    assert!(queue["last_error"].as_str().unwrap().contains("not yet"), "{queue}");
    assert!(queue["last_poll"].is_string() && queue["state"].is_string(), "{queue}");
    well.store(true, Ordering::SeqCst);
    test_support::wait_for("no trouble", || async { failure_reason(&app).await.is_none() }).await;
    app.stop().await;
}

#[piton::test]
async fn a_poll_in_a_long_wait_is_receiving() {
    let moto = Moto::start();
    Boto3::of(&moto).create("quiet", json!({}));
    let poll = Poll::new("quiet", |_: Message| async {}).wait_time(Duration::from_secs(2));
    let app = TestApp::new(app(&moto).sqs(poll)).await;
    let state = || async { app.handle().snapshots()["sqs_polls"][0]["state"].clone() };
    test_support::wait_for("the poll to receive", || async { state().await == "receiving" }).await;
    app.stop().await;
}

/// A part that is down while the test wants it.
#[derive(Clone)]
struct Frail(Arc<AtomicBool>);

impl Part for Frail {
    const NAME: &'static str = "frail";
    type Settings = ();

    async fn start(_: (), launch: &Launch) -> Result<Self, part::Error> {
        Ok(Self(launch.provided::<Arc<AtomicBool>>().next().cloned().unwrap_or_default()))
    }

    async fn health(&self) -> Health {
        let is_down = self.0.load(Ordering::SeqCst);
        if is_down { Health::Down("no such host".into()) } else { Health::Up }
    }
}

piton::part!(Frail);

#[piton::test]
async fn a_queue_is_not_read_while_a_part_of_its_handler_is_down() {
    let moto = Moto::start();
    let mut boto3 = Boto3::of(&moto);
    boto3.create("q", json!({}));
    boto3.send("q", &numbered("x", 3));
    let (seen, down) = (Seen::default(), Arc::new(AtomicBool::new(true)));
    let note = seen.clone();
    let poll = Poll::new("q", move |message: Message, _: Frail| {
        note.note(&message);
        async {}
    });
    let app = TestApp::new(app(&moto).provide(down.clone()).sqs(poll.interval(SHORT))).await;
    let waits_for = || async { app.handle().snapshots()["sqs_polls"][0]["waits_for"].clone() };
    let why = "`frail` is down: no such host";
    test_support::wait_for("the poll to wait", || async { waits_for().await == why }).await;
    let reason = failure_reason(&app).await.unwrap();
    assert_eq!(reason, format!("the queue `q` is not read: {why}"));
    assert_eq!((seen.all().len(), boto3.count("q")), (0, (3, 0)));
    down.store(false, Ordering::SeqCst);
    boto3.wait_until_empty("q").await;
    assert_eq!((seen.all().len(), failure_reason(&app).await), (3, None));
    app.stop().await;
}

#[piton::test]
async fn a_failing_handler_backs_off_instead_of_emptying_the_queue() {
    let moto = Moto::start();
    let mut boto3 = Boto3::of(&moto);
    boto3.create("long", json!({}));
    boto3.send("long", &numbered("x", 50));
    let (seen, well) = (Seen::default(), Arc::new(AtomicBool::new(false)));
    let (note, is_well) = (seen.clone(), well.clone());
    let poll = Poll::new("long", move |message: Message| {
        note.note(&message);
        let is_well = is_well.load(Ordering::SeqCst);
        async move { if is_well { Ok(()) } else { Err(Error::unavailable("no database")) } }
    });
    let app = TestApp::new(app(&moto).sqs(poll.interval(SHORT))).await;
    seen.wait_for(3).await;
    // The third failure in a row is followed by two seconds; without a delay all fifty messages would have
    // been tried by then.
    let third = Instant::now();
    seen.wait_for(4).await;
    assert!(third.elapsed() > Duration::from_secs(1), "{:?}", third.elapsed());
    assert!(seen.all().len() <= 5, "{:?}", seen.all());
    well.store(true, Ordering::SeqCst);
    seen.wait_for(50).await;
    app.stop().await;
}

#[piton::test]
async fn a_test_without_an_endpoint_makes_no_calls() {
    // In production, where a service would use the machine's own account.
    let bare = App::new("nobody").blueprints(["none"]).set("log.level", "critical");
    let bare = bare.set("production", true).enable::<Sqs>().enable::<Ses>();
    let app = TestApp::new(bare.sqs(Poll::new("q", |_: Message| async {}))).await;
    let error = app.handle().sqs().send("q", "x").await.unwrap_err();
    assert_eq!(error.kind(), Kind::Misconfigured);
    assert!(
        error.to_string().ends_with("unless they set sqs.endpoint_url or sqs.region_name"),
        "{error}"
    );
    let email = Email::new().to("ada@example.com").from("me@example.com").subject("x").text("x");
    let error = app.handle().ses().send(email).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Misconfigured, "{error}");
    assert!(app.handle().sqs().client().await.list_queues().send().await.is_err());
    test_support::wait_for("the poll to say so", || async { failure_reason(&app).await.is_some() })
        .await;
    app.stop().await;
}

async fn failure_reason(app: &TestApp) -> Option<String> {
    let health = app.handle().health().await;
    health.into_iter().find(|part| part.name == "sqs_polls").and_then(|part| match part.health {
        Health::Up => None,
        Health::Degraded(why) | Health::Down(why) => Some(why),
    })
}

#[piton::test]
async fn a_queue_is_read_again_after_an_outage() {
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
    assert_eq!(failure_reason(&app).await, None);

    moto.stop();
    test_support::wait_for("trouble", || async { failure_reason(&app).await.is_some() }).await;
    moto.start_again();
    test_support::wait_for("the queue to be missing", || async {
        failure_reason(&app).await.is_some_and(|why| why.contains("does not exist"))
    })
    .await;
    boto3.create("q", json!({}));
    boto3.send("q", &numbered("after", 1));
    seen.wait_for(2).await;
    assert_eq!(seen.all(), ["before0", "after0"]);
    assert_eq!(failure_reason(&app).await, None);
    app.stop().await;
}

#[piton::test]
async fn a_recreated_queue_has_its_visibility_timeout_read_again() {
    let mut moto = Moto::start();
    let mut boto3 = Boto3::of(&moto);
    boto3.create("q", json!({ "VisibilityTimeout": "600" }));
    let seen = Seen::default();
    let poll = |note: Seen| {
        let slow = move |message: Message| {
            note.note(&message);
            tokio::time::sleep(Duration::from_millis(3500))
        };
        Poll::new("q", slow).interval(SHORT)
    };
    let one = TestApp::new(app(&moto).sqs(poll(seen.clone()))).await;
    let other = TestApp::new(app(&moto).sqs(poll(seen.clone()))).await;
    for app in [&one, &other] {
        let polled = || async { app.handle().snapshots()["sqs_polls"][0]["last_poll"].is_string() };
        test_support::wait_for("an answer", polled).await;
    }
    moto.start_again();
    for app in [&one, &other] {
        let gone =
            || async { failure_reason(app).await.is_some_and(|why| why.contains("not exist")) };
        test_support::wait_for("the queue to be missing", gone).await;
    }
    boto3.create("q", json!({ "VisibilityTimeout": "1" }));
    for app in [&one, &other] {
        test_support::wait_for("the queue again", || async { failure_reason(app).await.is_none() })
            .await;
    }
    boto3.send("q", &numbered("x", 1));
    boto3.wait_until_empty("q").await;
    assert_eq!(seen.all(), ["x0"]);
    one.stop().await;
    other.stop().await;
}

/// Starts a proxy before moto that closes the connection of each call of `operation` while `closed` is true.
pub(crate) async fn before(
    moto: &Moto,
    operation: &'static str,
    closed: Arc<AtomicBool>,
) -> String {
    proxy(moto, operation, move || !closed.load(Ordering::SeqCst)).await
}

/// Starts a proxy before moto that asks `admit` whether to forward a call of `operation`.
pub(crate) async fn proxy(
    moto: &Moto,
    operation: &'static str,
    admit: impl Fn() -> bool + Send + Sync + 'static,
) -> String {
    let admit = Arc::new(admit);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let behind = moto.url().trim_start_matches("http://").to_owned();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let (behind, admit) = (behind.clone(), admit.clone());
            tokio::spawn(async move {
                // One request per connection, because moto closes it after each response.
                let mut head = vec![0; 16 * 1024];
                let length = client.read(&mut head).await.unwrap_or(0);
                let head = &head[..length];
                let operation = format!("AmazonSQS.{operation}");
                let is_it = String::from_utf8_lossy(head).contains(&operation);
                if is_it && !admit() {
                    return;
                }
                let mut server = TcpStream::connect(&behind).await.unwrap();
                server.write_all(head).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    url
}

#[piton::test]
async fn a_handled_message_that_could_not_be_deleted_is_deleted_at_its_next_delivery() {
    let moto = Moto::start();
    let mut boto3 = Boto3::of(&moto);
    boto3.create("q", json!({ "VisibilityTimeout": "1" }));
    boto3.send("q", &numbered("x", 1));
    let closed = Arc::new(AtomicBool::new(true));
    let seen = Seen::default();
    let note = seen.clone();
    let poll = Poll::new("q", move |message: Message| {
        note.note(&message);
        async {}
    });
    let app =
        app(&moto).set("sqs.endpoint_url", before(&moto, "DeleteMessage", closed.clone()).await);
    let app = TestApp::new(app.sqs(poll.interval(SHORT))).await;
    // Delivered a second time, the message is not handled again.
    let received = || async { app.handle().snapshots()["sqs_polls"][0]["received"].as_u64() };
    test_support::wait_for("the message again", || async { received().await >= Some(2) }).await;
    closed.store(false, Ordering::SeqCst);
    boto3.wait_until_empty("q").await;
    assert_eq!(seen.all(), ["x0"]);
    app.stop().await;
}
