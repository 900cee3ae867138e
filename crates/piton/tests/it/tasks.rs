//! Tasks through their attributes, the app and the test support.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use piton::prelude::*;
use piton::serde_json::{Value, json};
use piton::tasks::{Call, Chain, Group, Kind, State as TaskState, TaskFailure, TaskRun};
use piton::testing::{TestApp, TestServer};

const MIGRATIONS: piton::db::Migrations = piton::db::Migrations::new(&[(
    "0001_orders.sql",
    "CREATE TABLE orders (id BIGINT PRIMARY KEY, state TEXT NOT NULL)",
)]);

/// Adds two numbers.
#[task(name = "it.add")]
async fn add(x: i64, #[default(1)] y: i64, note: Option<String>) -> task::Result<String> {
    Ok(format!("{}{}", x + y, note.unwrap_or_default()))
}

#[task(retries = 2, backoff = "10s", max_backoff = "1m")]
async fn flaky(#[part] run: TaskRun, succeeds_at: u32) -> task::Result<u32> {
    if run.retries() < succeeds_at {
        return Err(task::Error::new("not yet"));
    }
    Ok(run.retries())
}

#[task]
async fn confirm(#[part] db: Db, id: i64) -> Result<()> {
    db.run("UPDATE orders SET state = 'confirmed' WHERE id = $1", (id,)).await?;
    Ok(())
}

#[task(retries = 3)]
async fn ends_as(how: String) -> task::Result<()> {
    match &*how {
        "rejected" => Err(task::Error::reject("another attempt would not help")),
        "ignored" => Err(task::Error::ignore()),
        "panics" => panic!("a bug"),
        _ => Err("x".parse::<u8>().unwrap_err().into()),
    }
}

static SNOOZED: AtomicU32 = AtomicU32::new(0);

#[task]
async fn snoozes(#[part] run: TaskRun) -> task::Result<u32> {
    if SNOOZED.fetch_add(1, Ordering::Relaxed) == 0 {
        return Err(task::Error::snooze(Duration::from_secs(30)));
    }
    Ok(run.retries())
}

#[task]
async fn square(x: u64) -> task::Result<u64> {
    if x == 13 { Err(task::Error::reject("unlucky")) } else { Ok(x * x) }
}

#[task]
async fn sum(all: Vec<u64>) -> task::Result<u64> {
    Ok(all.iter().sum())
}

#[task(timeout = "50ms", soft_timeout = "10ms")]
async fn slow(#[part] run: TaskRun) -> task::Result<()> {
    run.soft_timed_out().await;
    run.set_progress("was told")?;
    std::future::pending().await
}

#[post("/add/{x}")]
async fn start(Path(x): Path<i64>) -> Result<piton::tasks::Accepted> {
    Ok(add::delay(x, None, None).await?.accepted())
}

fn app() -> App {
    App::new("it::tasks").set("log.level", "critical").migrations(MIGRATIONS).task_status("/tasks")
}

async fn test_app() -> TestApp {
    TestApp::new(app()).await
}

fn states(ran: &[piton::tasks::TaskStatus]) -> Vec<TaskState> {
    ran.iter().map(|status| status.state).collect()
}

#[piton::test]
async fn arguments_come_by_position_and_by_name_and_may_be_absent() {
    let app = test_app().await;
    let tasks: Tasks = app.handle().part();
    let whole = tasks.send(add::apply(1, Some(2), Some("!".into()))).await.unwrap();
    let short = tasks.send(add::apply(1, None, None)).await.unwrap();
    let named = Call::<String>::new(add::NAME).kwarg("note", "?").kwarg("x", 40);
    let named = tasks.send(named).await.unwrap();
    assert_eq!(states(&app.run_tasks().await), [TaskState::Succeeded; 3]);
    let second = Duration::from_secs(1);
    assert_eq!(whole.result(second).await.unwrap(), "3!");
    assert_eq!(short.result(second).await.unwrap(), "2");
    assert_eq!(named.result(second).await.unwrap(), "41?");
}

#[piton::test]
async fn a_wrong_call_fails_at_once_with_pythons_type_error() {
    let app = test_app().await;
    let tasks: Tasks = app.handle().part();
    let calls = [
        Call::<Value>::of(&flaky::task()),
        Call::of(&flaky::task()).arg(&1).arg(&2),
        Call::of(&flaky::task()).arg("one"),
        Call::of(&flaky::task()).arg(&1).kwarg("more", 1),
    ];
    for call in calls {
        let sent = tasks.send(call).await.unwrap();
        assert_eq!(states(&app.run_tasks().await), [TaskState::Failed]);
        let failure = sent.result(Duration::from_secs(1)).await.unwrap_err();
        let TaskFailure::Failed(exception) = failure else { panic!("{failure}") };
        assert_eq!(exception.exc_type, "TypeError");
    }
}

#[piton::test]
async fn an_unknown_task_fails_as_celerys() {
    let app = test_app().await;
    let tasks: Tasks = app.handle().part();
    let sent = tasks.send(Call::<()>::new("it.unknown")).await.unwrap();
    app.run_tasks().await;
    let failure = sent.result(Duration::from_secs(1)).await.unwrap_err();
    assert!(failure.to_string().contains("NotRegistered"), "{failure}");
}

#[piton::test]
async fn a_task_is_sent_with_the_rows_of_a_transaction_or_not_at_all() {
    let app = test_app().await;
    let (db, tasks): (Db, Tasks) = (app.handle().part(), app.handle().part());
    let mut tx = db.begin().await.unwrap();
    tx.run("INSERT INTO orders (id, state) VALUES ($1, $2)", (1, "new")).await.unwrap();
    let lost = tasks.send_in(&mut tx, confirm::apply(1)).await.unwrap();
    tx.rollback().await.unwrap();
    assert!(app.run_tasks().await.is_empty());
    assert_eq!(lost.status().await.unwrap(), None);
    let mut tx = db.begin().await.unwrap();
    tx.run("INSERT INTO orders (id, state) VALUES ($1, $2)", (2, "new")).await.unwrap();
    tasks.send_in(&mut tx, confirm::apply(2)).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(states(&app.run_tasks().await), [TaskState::Succeeded]);
    let state: String = db.scalar("SELECT state FROM orders WHERE id = 2", ()).await.unwrap();
    assert_eq!(state, "confirmed");
}

#[piton::test]
async fn a_failed_attempt_is_retried_after_its_backoff() {
    let app = test_app().await;
    let tasks: Tasks = app.handle().part();
    let sent = tasks.send(flaky::apply(2)).await.unwrap();
    assert_eq!(states(&app.run_tasks().await), [TaskState::Retrying]);
    assert!(app.run_tasks().await.is_empty());
    app.advance_task_clock(Duration::from_secs(13));
    assert_eq!(states(&app.run_tasks().await), [TaskState::Retrying]);
    app.advance_task_clock(Duration::from_secs(13));
    assert!(app.run_tasks().await.is_empty(), "the second delay is twice as long");
    app.advance_task_clock(Duration::from_secs(13));
    assert_eq!(states(&app.run_tasks().await), [TaskState::Succeeded]);
    assert_eq!(sent.result(Duration::from_secs(1)).await.unwrap(), 2);
    let status = sent.status().await.unwrap().unwrap();
    assert_eq!(status.retries, 2);
}

#[piton::test]
async fn a_task_without_retries_left_fails_with_its_last_error() {
    let app = test_app().await;
    let tasks: Tasks = app.handle().part();
    let sent = tasks.send(flaky::apply(9)).await.unwrap();
    for _ in 0..3 {
        app.run_tasks().await;
        app.advance_task_clock(Duration::from_secs(60));
    }
    let failure = sent.result(Duration::from_secs(1)).await.unwrap_err();
    assert!(failure.to_string().contains("not yet"), "{failure}");
}

#[piton::test]
async fn errors_decide_what_happens_next() {
    let app = test_app().await;
    let tasks: Tasks = app.handle().part();
    for (how, state) in [
        ("rejected", TaskState::Failed),
        ("panics", TaskState::Retrying),
        ("", TaskState::Retrying),
    ] {
        tasks.send(ends_as::apply(how.into())).await.unwrap();
        assert_eq!(states(&app.run_tasks().await), [state], "{how}");
    }
    let ignored = tasks.send(ends_as::apply("ignored".into())).await.unwrap();
    app.run_tasks().await;
    assert_eq!(ignored.status().await.unwrap(), None);
    let snoozed = tasks.send(snoozes::apply()).await.unwrap();
    app.run_tasks().await;
    app.advance_task_clock(Duration::from_secs(31));
    app.run_tasks().await;
    assert_eq!(snoozed.result(Duration::from_secs(1)).await.unwrap(), 0);
}

#[piton::test]
async fn countdown_priority_and_expiry_are_obeyed() {
    let app = test_app().await;
    let tasks: Tasks = app.handle().part();
    let minute = Duration::from_secs(60);
    tasks.send(square::apply(1).priority(9)).await.unwrap();
    tasks.send(square::apply(2).priority(0)).await.unwrap();
    let later = tasks.send(square::apply(3).countdown(minute)).await.unwrap();
    let expired = tasks.send(square::apply(4).countdown(minute).expires(minute)).await.unwrap();
    let results: Vec<_> = app.run_tasks().await.into_iter().map(|ran| ran.result).collect();
    assert_eq!(results, [Some(json!(4)), Some(json!(1))]);
    assert_eq!(later.status().await.unwrap().unwrap().state, TaskState::Scheduled);
    app.advance_task_clock(3 * minute);
    assert_eq!(states(&app.run_tasks().await), [TaskState::Succeeded, TaskState::Revoked]);
    let failure = expired.result(Duration::from_secs(1)).await.unwrap_err();
    assert!(matches!(failure, TaskFailure::Revoked), "{failure}");
}

#[piton::test]
async fn a_summary_gets_the_results_of_its_group_in_order() {
    let app = test_app().await;
    let tasks: Tasks = app.handle().part();
    let group = Group::new((1..=10).map(square::apply)).then(sum::signature());
    let summary = tasks.send_group(group).await.unwrap();
    assert_eq!(app.run_tasks().await.len(), 11);
    assert_eq!(summary.result(Duration::from_secs(1)).await.unwrap(), 385);
    let group = Group::new((12..=14).map(square::apply)).then(sum::signature());
    let summary = tasks.send_group(group).await.unwrap();
    app.run_tasks().await;
    let failure = summary.result(Duration::from_secs(1)).await.unwrap_err();
    assert!(failure.to_string().contains("ChordError"), "{failure}");
}

/// Returns the result of a chain on the broker of the app.
async fn run_chain<T: piton::serde::de::DeserializeOwned>(
    app: &TestApp,
    chain: Chain<T>,
) -> std::result::Result<T, TaskFailure> {
    let tasks: Tasks = app.handle().part();
    let sent = tasks.send_chain(chain).await.unwrap();
    app.run_tasks().await;
    sent.result(Duration::from_secs(1)).await
}

#[piton::test]
async fn chains_pass_their_results_on_and_have_groups_in_them() {
    for broker in ["database", "memory"] {
        let app = TestApp::new(app().set("tasks.broker", broker)).await;
        let chain = Chain::new(square::apply(2)).then(square::signature());
        assert_eq!(run_chain(&app, chain).await.unwrap(), 16);
        let squares = || Group::new([square::signature(), square::apply(3).immutable()]);
        let chain = Chain::new(square::apply(2)).then(squares().then(sum::signature()));
        assert_eq!(run_chain(&app, chain.then(square::signature())).await.unwrap(), 625);
        // A group first, and one within another one.
        let first = Group::new([square::apply(1), square::apply(2)]).then(sum::signature());
        let inner = Chain::new(square::signature()).then(squares().then(sum::signature()));
        let outer = Group::new([inner, Chain::new(square::signature())]).then(sum::signature());
        assert_eq!(run_chain(&app, first.then(outer)).await.unwrap(), 625 + 9 + 25);
    }
}

#[piton::test]
async fn a_failure_reaches_the_end_of_a_chain_and_callbacks_run() {
    let app = test_app().await;
    let tasks: Tasks = app.handle().part();
    let chain = Chain::new(square::apply(13)).then(square::signature()).then(square::signature());
    let failure = run_chain(&app, chain).await.unwrap_err();
    assert!(failure.to_string().contains("unlucky"), "{failure}");
    let members = [square::apply(1), square::apply(13)];
    let summary = sum::signature().on_failure(add::signature().kwarg("note", "!").task_id("alert"));
    let chain = Group::new(members).then(summary).then(square::signature());
    let failure = run_chain(&app, chain).await.unwrap_err();
    assert!(failure.to_string().contains("ChordError"), "{failure}");
    assert!(tasks.status("alert").await.unwrap().is_some());
    let linked = square::apply(3).on_success(square::signature().task_id("linked"));
    tasks.send(linked.on_failure(square::signature().task_id("none"))).await.unwrap();
    app.run_tasks().await;
    let result = tasks.sent::<u64>("linked").result(Duration::from_secs(1)).await;
    assert_eq!(result.unwrap(), 81);
    assert_eq!(tasks.status("none").await.unwrap().map(|status| status.state), None);
}

#[piton::test]
async fn a_chain_is_sent_with_the_rows_of_a_transaction() {
    let app = test_app().await;
    let (tasks, db): (Tasks, Db) = (app.handle().part(), app.handle().part());
    let chain = || Group::new([square::apply(2)]).then(sum::signature()).then(square::signature());
    let mut tx = db.begin().await.unwrap();
    tasks.send_chain_in(&mut tx, chain()).await.unwrap();
    tx.rollback().await.unwrap();
    assert!(app.run_tasks().await.is_empty());
    let mut tx = db.begin().await.unwrap();
    let sent = tasks.send_chain_in(&mut tx, chain()).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(app.run_tasks().await.len(), 3);
    assert_eq!(sent.result(Duration::from_secs(1)).await.unwrap(), 16);
}

#[piton::test]
async fn chains_that_cannot_be_sent_say_why() {
    let app = test_app().await;
    let tasks: Tasks = app.handle().part();
    let empty = Group::<u64>::new(Vec::<Call<u64>>::new()).then(sum::signature());
    let large = Group::new((0..10_001).map(square::apply)).then(sum::signature());
    let group = |member: Chain<u64>| Group::new([member]).then(sum::signature());
    let nested = |levels: usize| {
        let one = || Chain::new(square::apply(1).immutable());
        (0..levels).fold(one(), |inner, _| one().then(group(inner)))
    };
    let in_a_row = |groups: usize| {
        (0..groups).fold(Chain::new(square::apply(1)), |chain, _| {
            chain.then(Group::new([square::signature()]).then(sum::signature()))
        })
    };
    let begins_with_group = group(group(Chain::new(square::apply(1))).into());
    let wrong = Chain::new(square::apply(1)).then(square::signature().priority(10));
    for (chain, why) in [
        (empty.into(), "not 0"),
        (large.into(), "not 10001"),
        (nested(1_000), "more than 10 groups"),
        (begins_with_group.into(), "begin it with a call"),
        (wrong, "priority 10"),
    ] {
        let error = tasks.send_chain(chain).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Invalid);
        assert!(error.to_string().contains(why), "{why}: {error}");
    }
    // Groups whose summaries are between them are not within each other.
    assert_eq!(run_chain(&app, in_a_row(100)).await.unwrap(), 1);
    assert_eq!(run_chain(&app, nested(10)).await.unwrap(), 1);
}

#[piton::test]
async fn a_slow_task_is_told_and_then_cancelled() {
    let app = test_app().await;
    let tasks: Tasks = app.handle().part();
    let sent = tasks.send(slow::apply()).await.unwrap();
    app.run_tasks().await;
    let failure = sent.result(Duration::from_secs(1)).await.unwrap_err();
    assert!(failure.to_string().contains("TimeLimitExceeded"), "{failure}");
    assert_eq!(sent.status().await.unwrap().unwrap().progress, Some(json!("was told")));
}

#[piton::test]
async fn the_state_of_a_task_is_served_at_the_url_of_the_response() {
    let app = test_app().await;
    let accepted = app.post("/add/41").await;
    assert_eq!(accepted.status(), 202);
    let url = accepted.header("location").to_owned();
    let waiting: Value = app.get(&url).await.json();
    assert_eq!((&waiting["state"], &waiting["name"]), (&json!("queued"), &json!("it.add")));
    app.run_tasks().await;
    let ended: Value = app.get(&url).await.json();
    assert_eq!((&ended["state"], &ended["result"]), (&json!("succeeded"), &json!("42")));
    let mut events = app.get(&url).header("accept", "text/event-stream").stream().await;
    let event = events.event().await.unwrap();
    let status: Value = piton::serde_json::from_str(&event.data).unwrap();
    assert_eq!(status["state"], "succeeded");
    assert!(events.event().await.is_none());
    assert_eq!(app.get("/tasks/00000000-0000-7000-8000-000000000000").await.status(), 404);
}

#[piton::test]
async fn clients_in_production_read_no_text_that_was_not_written_for_them() {
    let app = TestApp::new(app().production(true).set("http.host", "127.0.0.1")).await;
    let tasks: Tasks = app.handle().part();
    let inner = tasks.send(ends_as::apply("other".into())).await.unwrap();
    let declared = tasks.send(ends_as::apply("rejected".into())).await.unwrap();
    app.run_tasks().await;
    let shown: Value = app.get(&format!("/tasks/{}", inner.id())).await.json();
    assert_eq!(shown["error"], json!({ "type": "RuntimeError" }));
    let shown: Value = app.get(&format!("/tasks/{}", declared.id())).await.json();
    assert_eq!(shown["error"]["message"], "another attempt would not help");
}

#[piton::test]
async fn a_revoked_task_does_not_start() {
    let app = test_app().await;
    let tasks: Tasks = app.handle().part();
    let sent = tasks.send(square::apply(3)).await.unwrap();
    assert!(tasks.revoke(sent.id()).await.unwrap());
    assert!(app.run_tasks().await.is_empty());
    assert!(matches!(sent.result(Duration::from_secs(1)).await, Err(TaskFailure::Revoked)));
    assert!(!tasks.revoke(sent.id()).await.unwrap());
}

#[piton::test]
async fn calls_that_cannot_be_sent_say_why() {
    let app = test_app().await;
    let tasks: Tasks = app.handle().part();
    let unfit = std::collections::BTreeMap::from([((1, 2), 3)]);
    let large = "x".repeat(2 << 20);
    for call in [
        Call::<()>::new("it.add").arg(&unfit),
        Call::new("it.add").priority(10),
        Call::new("it.add").arg(&large),
    ] {
        let error = tasks.send(call).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Invalid, "{error}");
    }
    let twice = || Call::<()>::new("it.add").task_id("the-same");
    tasks.send(twice()).await.unwrap();
    assert_eq!(tasks.send(twice()).await.unwrap_err().kind(), Kind::Duplicate);
}

#[piton::test]
async fn a_server_runs_tasks_next_to_requests() {
    let server = TestServer::start(app().set("tasks.worker", "on")).await;
    let is_connected = async || server.handle().try_part::<Tasks>().is_ok();
    test_support::wait_for("the database", is_connected).await;
    let tasks: Tasks = server.handle().part();
    let sent = tasks.send(add::apply(1, Some(1), None)).await.unwrap();
    assert_eq!(sent.result(Duration::from_secs(10)).await.unwrap(), "2");
}
