//! Keys that other programs have changed, and workers that are late.

use std::time::Duration;

use piton_celery::{Envelope, Properties, TaskBody, TaskHeaders};
use test_support::redis::Redis;

use super::RedisBroker;
use crate::tasks::brokers::records::{
    ClaimedTask, FinalState, FinishedTask, Outcome, Settlement, TaskFilter, TaskState, WorkerId,
    WorkerInfo,
};
use crate::tasks::brokers::{Broker, TaskAdmin};
use crate::tasks::clock::Clock;
use crate::tasks::settings::{TaskBroker, TasksSettings};

const LEASE: Duration = Duration::from_secs(30);

struct Fixture {
    redis: Redis,
    broker: RedisBroker,
    clock: Clock,
}

impl Fixture {
    async fn new() -> Self {
        let redis = Redis::start();
        let url = serde_json::Value::from(redis.url());
        let mut settings = TasksSettings { broker: TaskBroker::Redis, ..TasksSettings::default() };
        settings.redis.url = crate::config::Setting::parse(&url).ok();
        let clock = Clock::default();
        let broker = RedisBroker::new(&settings, &[], &clock).ok().unwrap();
        broker.prepare().await.unwrap();
        Self { redis, broker, clock }
    }

    async fn worker(&self) -> WorkerId {
        let worker = WorkerInfo {
            name: "shop@host:1".into(),
            queues: vec!["q".into()],
            concurrency: 10,
            started_at_ms: 0,
        };
        self.broker.register(&worker, LEASE).await.unwrap()
    }

    /// Sends a task as Celery does.
    fn send(&self, id: &str, priority: u8, eta_ms: Option<i64>) {
        let mut headers = TaskHeaders::new("shop.pack", id);
        headers.eta = eta_ms.and_then(chrono::DateTime::from_timestamp_millis).map(Into::into);
        let mut properties = Properties::new("q", id);
        properties.priority = priority;
        let message = Envelope::task(headers, properties, &TaskBody::default()).unwrap();
        let message = String::from_utf8(message.to_vec().unwrap()).unwrap();
        let list = self.broker.0.keys.list("q", self.broker.0.keys.step_of(priority));
        let _ = self.redis.command(&["LPUSH", &list, &message]);
    }

    async fn claim(&self, worker: WorkerId) -> Vec<ClaimedTask> {
        self.broker.claim(worker, &["q".into()], 10).await.unwrap().tasks
    }

    async fn state(&self, id: &str) -> Option<TaskState> {
        self.broker.task(id).await.unwrap().map(|task| task.state)
    }
}

fn success(task: &ClaimedTask, result: &str) -> Settlement {
    let finished = FinishedTask {
        state: FinalState::Success,
        result: result.into(),
        traceback: None,
        started_at_ms: None,
        finished_at_ms: 1,
        keep_message: false,
    };
    Settlement {
        key: task.key,
        id: task.id.clone(),
        outcome: Outcome::Finished(Some(finished)),
        follow_ups: Vec::new(),
        groups: Vec::new(),
        abandoned: Vec::new(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_late_does_not_replace_a_result() {
    let fixture = Fixture::new().await;
    fixture.send("a", 0, None);
    let (late, other) = (fixture.worker().await, fixture.worker().await);
    let task = fixture.claim(late).await.pop().unwrap();
    let started = fixture.broker.0.held(late, task.key).unwrap().record;
    fixture.clock.advance(LEASE + Duration::from_secs(1));
    fixture.broker.renew(other, LEASE).await.unwrap();
    assert_eq!(fixture.broker.release_lost().await.unwrap(), 1);
    let again = fixture.claim(other).await.pop().unwrap();
    fixture.broker.settle(other, vec![success(&again, "1")]).await.unwrap();
    // What the late one still has on its way.
    let value = fixture.broker.0.value_of(&started);
    fixture.broker.0.store_unless_final(&[value], false).await.unwrap();
    fixture.broker.report_progress(late, &[(task.key, "5".into())]).await.unwrap();
    assert_eq!(fixture.state("a").await, Some(TaskState::Succeeded));
}

#[tokio::test(flavor = "multi_thread")]
async fn tasks_that_wait_for_their_time_do_not_delay_those_that_are_ready() {
    let fixture = Fixture::new().await;
    let later = fixture.clock.now_ms() + 3_600_000;
    (0..100).for_each(|number| fixture.send(&format!("later-{number}"), 0, Some(later)));
    fixture.send("ready", 0, None);
    let worker = fixture.worker().await;
    let batch = fixture.broker.claim(worker, &["q".into()], 10).await.unwrap();
    assert_eq!(batch.tasks.iter().map(|task| task.id.as_str()).collect::<Vec<_>>(), ["ready"]);
    assert_eq!(batch.next_due_at_ms, Some(later));
    let stats = fixture.broker.queues().await.unwrap();
    assert_eq!((stats[0].scheduled, stats[0].running), (100, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_a_wrong_type_lose_nothing_and_stop_nothing_else() {
    let fixture = Fixture::new().await;
    let worker = fixture.worker().await;
    let _ = fixture.redis.command(&["SET", "q\x06\x169", "no list"]);
    fixture.send("a", 0, None);
    assert_eq!(fixture.claim(worker).await.len(), 1);
    fixture.send("b", 0, None);
    let _ = fixture.redis.command(&["RENAME", "unacked", "saved"]);
    let _ = fixture.redis.command(&["SET", "unacked", "no hash"]);
    let error = fixture.broker.claim(worker, &["q".into()], 10).await.unwrap_err();
    assert!(error.to_string().contains("unacked"), "{error}");
    assert_eq!(fixture.redis.command(&["LLEN", "q"]), "1");
    let _ = fixture.redis.command(&["RENAME", "saved", "unacked"]);
    assert_eq!(fixture.claim(worker).await[0].id, "b");
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_of_an_exchange_are_left_to_celerys_workers() {
    let fixture = Fixture::new().await;
    let entry =
        |exchange: &str| format!(r#"[{{"headers": {{"id": "a"}}}}, "{exchange}", "media.video"]"#);
    for (tag, exchange) in [("theirs", "media"), ("plain", "")] {
        let _ = fixture.redis.command(&["HSET", "unacked", tag, &entry(exchange)]);
        let _ = fixture.redis.command(&["ZADD", "unacked_index", "1", tag]);
    }
    assert_eq!(fixture.broker.release_lost().await.unwrap(), 1);
    assert_eq!(fixture.redis.command(&["HKEYS", "unacked"]), "theirs");
    assert_eq!(fixture.redis.command(&["LLEN", "media.video"]), "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn tasks_of_celery_are_as_old_as_their_first_claim_and_can_be_purged() {
    let fixture = Fixture::new().await;
    fixture.send("4b0c1d1e-5a5d-4a0e-9a43-0d6c3a6a1b11", 0, None);
    fixture.send("b", 0, None);
    let worker = fixture.worker().await;
    let claimed = fixture.broker.claim(worker, &["q".into()], 1).await.unwrap().tasks;
    let task = fixture.broker.task(&claimed[0].id).await.unwrap().unwrap();
    assert!(fixture.clock.now_ms() - task.created_at_ms < 60_000, "{task:?}");
    let filter = TaskFilter {
        queues: vec!["q".into()],
        states: vec![TaskState::Queued, TaskState::Scheduled, TaskState::Retrying],
        ..TaskFilter::default()
    };
    assert_eq!(fixture.broker.purge(&filter).await.unwrap(), 1);
    assert_eq!(fixture.redis.command(&["LLEN", "q"]), "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_with_a_readable_id_reaches_the_worker_which_fails_it() {
    let fixture = Fixture::new().await;
    let worker = fixture.worker().await;
    for message in [
        r#"{"headers": {"task": "t", "id": "surrogate", "shadow": "\ud800"}, "body": ""}"#,
        r#"{"headers": {"task": "t", "id": "limit", "timelimit": "never"}, "body": ""}"#,
        r#"{"headers": {"task": "t", "id": "eta", "eta": "soon"}, "body": ""}"#,
    ] {
        let _ = fixture.redis.command(&["LPUSH", "q", message]);
    }
    let ids: Vec<_> = fixture.claim(worker).await.into_iter().map(|task| task.id).collect();
    assert_eq!(ids, ["surrogate", "limit", "eta"]);
}
