//! Callbacks, chains and errbacks.

use piton_celery::{Envelope, Signature};
use serde_json::{Value, json};

use super::fixture::{Fixture, ONE, counting, echo, exception, number};
use crate::tasks::brokers::records::{TaskFilter, TaskState};
use crate::tasks::{Error, Parameter, Result, Task, TaskCall, TaskRun};

const TWO: &[Parameter<'static>] = &[Parameter::required("x"), Parameter::required("y")];

fn add() -> Task {
    let add = |mut call: TaskCall| async move {
        let (x, y): (i64, i64) = (call.argument("x")?, call.argument("y")?);
        Ok::<_, Error>(x + y)
    };
    Task::new("add", TWO, add)
}

fn failing() -> Task {
    Task::new("fail", ONE, |_| async { Err::<(), _>(Error::new("no")) })
}

fn with_id(name: &str, id: &str) -> Signature {
    Signature::new(name).option("task_id", id)
}

#[tokio::test(start_paused = true)]
async fn a_chain_passes_its_results_on_and_keeps_its_parents() {
    let fixture = Fixture::new().await;
    let id = fixture
        .send_with("add", vec![json!(1), json!(2)], |headers, body| {
            headers.extra.insert("x-request-id".into(), "request-7".into());
            // In reverse order, as Celery has it.
            body.embed.chain = vec![
                with_id("add", "third").arg(100),
                with_id("add", "second").arg(10).option("priority", 3),
            ];
        })
        .await;
    let ran = fixture.drain([add()]).await;
    assert_eq!(ran.len(), 3);
    assert_eq!(number(&fixture.record("second").await), json!(13));
    let third = fixture.record("third").await;
    assert_eq!((number(&third), third.parent_id.as_deref()), (json!(113), Some("second")));
    assert_eq!(fixture.record("second").await.priority, 3);
    assert_eq!(fixture.record("second").await.parent_id.as_deref(), Some(id.as_str()));
}

#[tokio::test(start_paused = true)]
async fn callbacks_get_the_result_unless_they_are_immutable() {
    let fixture = Fixture::new().await;
    let id = fixture
        .send_with("echo", vec![json!(7)], |_, body| {
            body.embed.callbacks = vec![
                with_id("echo", "gets"),
                with_id("echo", "fixed").arg("own").immutable(),
                Signature::group([with_id("echo", "one"), with_id("echo", "two")]),
                Signature::chain([with_id("add", "sum").arg(1), with_id("echo", "last")]),
            ];
        })
        .await;
    fixture.drain([add(), echo()]).await;
    for (id, expected) in [
        ("gets", json!(7)),
        ("fixed", json!("own")),
        ("one", json!(7)),
        ("two", json!(7)),
        ("last", json!(8)),
    ] {
        assert_eq!(number(&fixture.record(id).await), expected, "{id}");
    }
    assert_eq!(fixture.record("two").await.parent_id.as_deref(), Some(id.as_str()));
}

#[tokio::test(start_paused = true)]
async fn errbacks_get_the_id_of_the_task_that_failed_and_callbacks_are_not_sent() {
    let fixture = Fixture::new().await;
    let id = fixture
        .send_with("fail", vec![], |_, body| {
            body.embed.errbacks = vec![with_id("echo", "errback")];
            body.embed.callbacks = vec![with_id("echo", "callback")];
        })
        .await;
    fixture.drain([failing(), echo()]).await;
    assert_eq!(number(&fixture.record("errback").await), json!(id));
    assert!(fixture.broker.task("callback").await.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn options_of_a_signature_are_those_of_the_task_that_follows() {
    let fixture = Fixture::new().await;
    fixture
        .send_with("echo", vec![json!(1)], |headers, body| {
            headers.extra.insert("traceparent".into(), "00-1".into());
            body.embed.callbacks = vec![
                with_id("echo", "later")
                    .option("countdown", 60)
                    .option("expires", 120)
                    .option("queue", "slow")
                    .option("headers", json!({"tenant": 5}))
                    .option("time_limit", 30)
                    .option("link", json!([with_id("echo", "linked")])),
            ];
        })
        .await;
    fixture.drain([echo()]).await;
    let record = fixture.record("later").await;
    assert_eq!((record.state, record.queue.as_str()), (TaskState::Scheduled, "slow"));
    assert!(record.due_at_ms.unwrap() - fixture.clock.now_ms() > 55_000);
    let mut message: Envelope = Envelope::from_slice(record.message.unwrap().as_bytes()).unwrap();
    assert_eq!(message.headers.extra["tenant"], 5);
    assert_eq!(message.headers.extra["traceparent"], "00-1");
    assert_eq!(message.headers.time_limit.hard.unwrap().as_secs(), 30);
    assert!(message.headers.eta.is_some() && message.headers.expires.is_some());
    assert_eq!(message.decode_body(1 << 20).unwrap().embed.callbacks[0].task, "echo");
}

#[tokio::test(start_paused = true)]
async fn a_chain_that_cannot_go_on_fails_instead_of_ending_silently() {
    let fixture = Fixture::new().await;
    let unreadable = Signature::new("celery.chord").kwarg("header", "no list");
    let id = fixture
        .send_with("echo", vec![json!(1)], |_, body| body.embed.chain = vec![unreadable])
        .await;
    let ran = fixture.drain([echo()]).await;
    assert_eq!(fixture.state_of(&ran[0]).await, TaskState::Failed);
    assert_eq!(exception(&fixture.record(&id).await).0, "ValueError");
}

#[tokio::test(start_paused = true)]
async fn a_chain_goes_on_after_a_chord_in_it() {
    let fixture = Fixture::new().await;
    fixture
        .send_with("add", vec![json!(1), json!(2)], |headers, body| {
            headers.extra.insert("x-request-id".into(), "request-7".into());
            let header = [Signature::new("add").arg(10), Signature::new("add").arg(20)];
            let chord = Signature::chord(header, with_id("echo", "body"));
            body.embed.chain = vec![with_id("echo", "last"), chord];
        })
        .await;
    assert_eq!(fixture.drain([add(), echo()]).await.len(), 5);
    let last = fixture.record("last").await;
    assert_eq!((number(&last), last.parent_id.as_deref()), (json!([13, 23]), Some("body")));
}

#[tokio::test(start_paused = true)]
async fn a_revoked_task_ends_its_chain() {
    let fixture = Fixture::new().await;
    let id = fixture
        .send_with("echo", vec![json!(1)], |headers, body| {
            headers.expires = None;
            body.embed.chain = vec![with_id("echo", "last")];
        })
        .await;
    let expired = TaskFilter { ids: vec![id], ..TaskFilter::default() };
    assert_eq!(fixture.broker.revoke(&expired).await.unwrap(), 1);
    fixture.drain([echo()]).await;
    assert_eq!(fixture.state_of("last").await, TaskState::Failed);
}

#[tokio::test(start_paused = true)]
async fn a_task_knows_its_root_and_its_parent() {
    let fixture = Fixture::new().await;
    let (task, _) = counting("who", |_| async {
        let run = TaskRun::current().unwrap();
        let parent: Option<&str> = run.parent_id();
        Result::<Value>::Ok(json!([run.root_id(), parent, run.id(), run.queue()]))
    });
    let id = fixture
        .send_with("echo", vec![], |_, body| {
            body.embed.chain = vec![with_id("who", "b").immutable(), with_id("echo", "a")];
        })
        .await;
    fixture.drain([echo(), task]).await;
    assert_eq!(number(&fixture.record("b").await), json!([id, "a", "b", "celery"]));
}
