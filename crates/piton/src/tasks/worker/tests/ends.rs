//! The ends of tasks: results, failures and retries.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use piton_celery::TimeLimit;
use serde_json::{Value, json};

use super::fixture::{Fixture, ONE, SECOND, counting, echo, endless, exception, number, runs};
use crate::context;
use crate::tasks::brokers::records::{NewTask, TaskState};
use crate::tasks::{Error, Task, TaskRun};

#[tokio::test(start_paused = true)]
async fn a_task_is_run_and_its_result_is_stored() {
    let fixture = Fixture::new().await;
    let running = fixture.start([echo()]);
    let mut ids = Vec::new();
    for value in 0..2000 {
        ids.push(fixture.send("echo", vec![value.into()]).await);
    }
    for (value, id) in ids.iter().enumerate() {
        let record = fixture.until(id, TaskState::Succeeded).await;
        assert_eq!(number(&record), json!(value));
        assert_eq!(record.message, None);
        assert_eq!(record.worker.as_deref(), Some("worker@test"));
    }
    running.stop().await;
    assert!(fixture.broker.workers().await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_failed_task_is_retried_with_growing_delays_and_then_kept_with_its_message() {
    let fixture = Fixture::new().await;
    let (task, count) = counting("fail", |_| async { Err(Error::new("no luck")) });
    let task = || [task.clone().retries(2).backoff(10 * SECOND, 60 * SECOND)];
    let id = fixture.send("fail", vec![]).await;
    fixture.drain(task()).await;
    let record = fixture.record(&id).await;
    assert_eq!((record.state, record.retries), (TaskState::Retrying, 1));
    assert_eq!(exception(&record).1, "no luck");
    let delay_ms = record.due_at_ms.unwrap() - fixture.clock.now_ms();
    assert!((9_000..12_500).contains(&delay_ms), "{delay_ms}");
    fixture.clock.advance(Duration::from_secs(9));
    assert!(fixture.drain(task()).await.is_empty(), "it is not due yet");
    fixture.clock.advance(4 * SECOND);
    fixture.drain(task()).await;
    fixture.clock.advance(26 * SECOND);
    fixture.drain(task()).await;
    let record = fixture.record(&id).await;
    assert_eq!((record.state, record.retries, runs(&count)), (TaskState::Failed, 2, 3));
    assert!(record.message.is_some() && record.traceback.unwrap().contains("ends.rs"));
}

#[tokio::test(start_paused = true)]
async fn errors_decide_what_happens_next() {
    let fixture = Fixture::new().await;
    let task = |name: &str, error: fn() -> Error| {
        counting(name, move |_| async move { Err(error()) }).0.retries(5)
    };
    let tasks = || {
        [
            task("reject", || Error::reject("never")),
            task("ignore", Error::ignore),
            task("snooze", || Error::snooze(60 * SECOND)),
            task("after", || Error::retry("later").after(60 * SECOND)),
        ]
    };
    let mut ids = Vec::new();
    for name in ["reject", "ignore", "snooze", "after"] {
        ids.push(fixture.send(name, vec![]).await);
    }
    assert_eq!(fixture.drain(tasks()).await.len(), 4);
    assert_eq!(fixture.record(&ids[0]).await.state, TaskState::Failed);
    assert!(fixture.broker.task(&ids[1]).await.unwrap().is_none());
    let snoozed = fixture.record(&ids[2]).await;
    assert_eq!((snoozed.state, snoozed.retries), (TaskState::Scheduled, 0));
    let retrying = fixture.record(&ids[3]).await;
    assert_eq!((retrying.state, retrying.retries), (TaskState::Retrying, 1));
    let delay_ms = retrying.due_at_ms.unwrap() - fixture.clock.now_ms();
    assert!((59_000..75_000).contains(&delay_ms), "{delay_ms}");
}

#[tokio::test(start_paused = true)]
async fn a_panic_fails_the_attempt_with_its_message_and_the_worker_lives_on() {
    let fixture = Fixture::new().await;
    let (task, count) = counting("panic", |run| async move {
        assert!(run > 1, "the first run panics");
        Ok(json!(run))
    });
    let task = task.retries(1).backoff(Duration::ZERO, Duration::ZERO);
    let sync = Task::new("sync", ONE, |_| -> std::future::Ready<()> { panic!("no future") });
    let id = fixture.send("panic", vec![]).await;
    let other = fixture.send("sync", vec![]).await;
    let running = fixture.start([task, sync, echo()]);
    assert_eq!(number(&fixture.until(&id, TaskState::Succeeded).await), json!(2));
    assert_eq!(runs(&count), 2);
    let failed = fixture.until(&other, TaskState::Failed).await;
    assert_eq!(exception(&failed), ("RuntimeError".into(), json!("panicked: no future")));
    assert!(failed.traceback.unwrap().contains("ends.rs"));
    let id = fixture.send("echo", vec![json!(5)]).await;
    fixture.until(&id, TaskState::Succeeded).await;
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_run_fails_at_once_and_keeps_its_message() {
    let fixture = Fixture::new().await;
    let unknown = fixture.send("nosuch", vec![json!(1)]).await;
    let wrong = fixture.send("echo", vec![json!(1), json!(2)]).await;
    let broken = fixture.message("echo", vec![], |_, _| {});
    let broken = fixture.enqueue(NewTask { message: "{]".to_owned(), ..broken }).await;
    fixture.drain([echo().retries(5)]).await;
    let record = fixture.record(&unknown).await;
    assert_eq!(exception(&record), ("NotRegistered".into(), json!("nosuch")));
    let record = fixture.record(&wrong).await;
    let text = "echo() takes from 0 to 1 positional arguments but 2 were given";
    assert_eq!(exception(&record), ("TypeError".into(), json!(text)));
    let record = fixture.record(&broken).await;
    assert_eq!((record.state, exception(&record).0), (TaskState::Failed, "DecodeError".into()));
    assert_eq!(record.message.as_deref(), Some("{]"));
}

#[tokio::test(start_paused = true)]
async fn a_task_that_has_expired_is_revoked_and_not_run() {
    let fixture = Fixture::new().await;
    let (task, count) = counting("late", |_| async { Ok(Value::Null) });
    let message = fixture.message("late", vec![], |_, _| {});
    let expires_at_ms = Some(fixture.clock.now_ms() + 1000);
    let id = fixture.enqueue(NewTask { expires_at_ms, ..message }).await;
    fixture.clock.advance(2 * SECOND);
    fixture.drain([task]).await;
    let record = fixture.record(&id).await;
    assert_eq!((record.state, runs(&count)), (TaskState::Revoked, 0));
    assert_eq!(exception(&record), ("TaskRevokedError".into(), json!("expired")));
}

#[tokio::test(start_paused = true)]
async fn a_task_is_cancelled_at_its_timeout_and_retried() {
    let fixture = Fixture::new().await;
    let task = endless().timeout(2 * SECOND).retries(1).backoff(SECOND, SECOND);
    let id = fixture.send("endless", vec![]).await;
    let sent = fixture
        .send_with("endless", vec![], |headers, _| {
            headers.time_limit = TimeLimit { hard: Some(Duration::from_millis(500)), soft: None };
        })
        .await;
    fixture.drain([task.clone()]).await;
    assert_eq!(fixture.record(&id).await.state, TaskState::Retrying);
    fixture.clock.advance(2 * SECOND);
    fixture.drain([task]).await;
    let record = fixture.record(&id).await;
    assert_eq!(exception(&record), ("TimeLimitExceeded".into(), json!(2)));
    assert_eq!(exception(&fixture.record(&sent).await), ("TimeLimitExceeded".into(), json!(0.5)));
}

#[tokio::test(start_paused = true)]
async fn the_soft_timeout_tells_a_task_to_end_by_itself() {
    let fixture = Fixture::new().await;
    let task = Task::new("soft", ONE, |_| async {
        TaskRun::current().unwrap().soft_timed_out().await;
        Err::<(), _>(Error::snooze(SECOND))
    });
    let id = fixture.send("soft", vec![]).await;
    fixture.drain([task.soft_timeout(SECOND).timeout(5 * SECOND)]).await;
    assert_eq!(fixture.record(&id).await.state, TaskState::Scheduled);
}

#[tokio::test(start_paused = true)]
async fn results_that_nobody_wants_are_not_stored_and_failures_are() {
    let fixture = Fixture::new().await;
    let by_header =
        fixture.send_with("echo", vec![], |headers, _| headers.ignore_result = Some(true)).await;
    let by_option = fixture.send("quiet", vec![]).await;
    let failing = fixture.send("fail", vec![]).await;
    let (quiet, _) = counting("quiet", |_| async { Ok(Value::Null) });
    let (fail, _) = counting("fail", |_| async { Err(Error::new("no")) });
    fixture.drain([echo(), quiet.ignore_result(), fail.ignore_result()]).await;
    assert!(fixture.broker.task(&by_header).await.unwrap().is_none());
    assert!(fixture.broker.task(&by_option).await.unwrap().is_none());
    assert_eq!(fixture.record(&failing).await.state, TaskState::Failed);
}

#[tokio::test(start_paused = true)]
async fn a_task_runs_in_the_request_of_its_sender() {
    let fixture = Fixture::new().await;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = seen.clone();
    let task = Task::new("who", ONE, move |_| {
        let log = log.clone();
        async move {
            let (id, trace) = context::request_and_trace();
            let app = crate::app().name().to_owned();
            log.lock().push((app, id.unwrap().to_string(), trace.map(|trace| trace.trace_id())));
        }
    });
    let trace_id = "4bf92f3577b34da6a3ce929d0e0e4736";
    let id = fixture.send("who", vec![]).await;
    fixture
        .send_with("who", vec![], |headers, _| {
            let trace = format!("00-{trace_id}-00f067aa0ba902b7-01");
            headers.extra.insert("traceparent".into(), trace.into());
            headers.extra.insert("x-request-id".into(), "request-7".into());
        })
        .await;
    fixture.drain([task]).await;
    let app = || "worker".to_owned();
    let expected = [(app(), id, None), (app(), "request-7".into(), Some(trace_id.to_owned()))];
    assert_eq!(*seen.lock(), expected);
}

#[tokio::test(start_paused = true)]
async fn progress_is_stored_while_the_task_runs() {
    let fixture = Fixture::new().await;
    let task = Task::new("export", ONE, |_| async {
        let run = TaskRun::current().unwrap();
        for row in 0..10_000 {
            run.set_progress(&row)?;
        }
        std::future::pending::<()>().await;
        Ok::<_, Error>(())
    });
    let id = fixture.send("export", vec![]).await;
    let _running = fixture.start([task]);
    while fixture.record(&id).await.progress.as_deref() != Some("9999") {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn attempts_are_counted_in_the_metrics() {
    let fixture = Fixture::new().await;
    let metrics = crate::metrics::Metrics::default();
    fixture.metrics.register(&metrics);
    fixture.send("echo", vec![]).await;
    fixture.send("nosuch", vec![]).await;
    let ran = fixture.drain([echo()]).await;
    assert_eq!(ran, ["id-0", "id-1"]);
    assert_eq!(fixture.state_of("id-0").await, TaskState::Succeeded);
    let text = metrics.text();
    let line = r#"task_duration_seconds_count{task="echo",outcome="success"} 1"#;
    assert!(text.contains(line), "{text}");
    let line = r#"task_duration_seconds_count{task="other",outcome="failure"} 1"#;
    assert!(text.contains(line), "{text}");
}
