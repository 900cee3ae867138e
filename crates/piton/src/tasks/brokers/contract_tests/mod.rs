//! The promises of [`Broker`], as tests of every broker. To add one, write its fixture here and a test in the macro.

use std::any::Any;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use test_support::redis::Redis;

use super::memory::{MemoryBroker, MemoryLimits};
use super::records::{
    ClaimedTask, FinalState, FinishedTask, NewTask, Outcome, Settlement, TaskFilter, TaskState,
    WorkerId, WorkerInfo,
};
use super::*;
use crate::tasks::clock::Clock;
use crate::tasks::error::Kind;
use crate::tasks::settings::{TaskBroker, TasksSettings};

/// Defines a test for each function and each broker.
macro_rules! on_every_broker {
    ($(async fn $name:ident($fixture:ident) $body:block)*) => {$(
        mod $name {
            use super::*;

            async fn check($fixture: Fixture) $body

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn in_memory() {
                check(memory()).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_sqlite() {
                check(sqlite().await).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_postgres() {
                check(postgres().await).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_redis() {
                check(redis().await).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_redis_with_results_elsewhere() {
                check(redis_with_results_elsewhere().await).await;
            }
        }
    )*};
}

mod administration;
mod cancellation;
mod claiming;
mod compositions;
mod concurrency;
mod crons;
mod groups;
mod history;
mod leases;
mod missing_tables;
mod rendering;
mod settling;
mod waking;

const LEASE: Duration = Duration::from_secs(30);

/// A broker of its own for each test.
struct Fixture {
    broker: Arc<dyn Broker>,
    clock: Clock,
    /// Opens the same tasks again, as another process does.
    open_another: Box<dyn Fn() -> BoxFuture<'static, Arc<dyn Broker>> + Send + Sync>,
    /// Removed after the test.
    _storage: Box<dyn Any + Send + Sync>,
}

impl std::ops::Deref for Fixture {
    type Target = dyn Broker;

    fn deref(&self) -> &Self::Target {
        &*self.broker
    }
}

fn memory() -> Fixture {
    let clock = Clock::default();
    let broker = MemoryBroker::new(clock.clone(), MemoryLimits::default());
    let broker = rendering(broker);
    let same = broker.clone();
    // No other process can open it.
    let open_another = Box::new(move || -> BoxFuture<'static, Arc<dyn Broker>> {
        Box::pin(std::future::ready(same.clone()))
    });
    Fixture { broker, clock, open_another, _storage: Box::new(()) }
}

async fn sqlite() -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::default();
    let open_another = {
        let (folder, clock) = (folder.path().to_owned(), clock.clone());
        Box::new(move || -> BoxFuture<'static, Arc<dyn Broker>> {
            let (folder, clock) = (folder.clone(), clock.clone());
            Box::pin(async move { rendering(open_sqlite(&folder, clock).await) })
        })
    };
    Fixture { broker: open_another().await, clock, open_another, _storage: Box::new(folder) }
}

async fn open_sqlite(folder: &std::path::Path, clock: Clock) -> super::sqlite::SqliteBroker {
    let db = crate::db::Db::for_test(&crate::db::DbSettings::default(), folder).await.unwrap();
    let broker = super::sqlite::SqliteBroker::new(&db, clock).unwrap();
    broker.prepare().await.unwrap();
    broker
}

async fn postgres() -> Fixture {
    let (url, clock) = (test_support::postgres::database(), Clock::default());
    let open_another = {
        let clock = clock.clone();
        Box::new(move || -> BoxFuture<'static, Arc<dyn Broker>> {
            let (url, clock) = (url.clone(), clock.clone());
            Box::pin(async move { rendering(open_postgres(&url, clock).await) })
        })
    };
    Fixture { broker: open_another().await, clock, open_another, _storage: Box::new(()) }
}

async fn postgres_db(url: &str) -> crate::db::Db {
    let url = crate::config::Setting::parse(&serde_json::Value::from(url)).unwrap();
    let settings = crate::db::DbSettings { url: Some(url), ..Default::default() };
    crate::db::Db::for_test(&settings, std::path::Path::new("")).await.unwrap()
}

async fn open_postgres(url: &str, clock: Clock) -> super::postgres::PostgresBroker {
    let db = postgres_db(url).await;
    let broker = super::postgres::PostgresBroker::new(&db, clock).unwrap();
    broker.prepare().await.unwrap();
    broker
}

async fn redis() -> Fixture {
    let server = Redis::start();
    redis_of(&server.url(), None, Box::new(server)).await
}

async fn redis_with_results_elsewhere() -> Fixture {
    let (server, results) = (Redis::start(), Redis::start());
    let (url, result_url) = (server.url(), results.url());
    redis_of(&url, Some(&result_url), Box::new((server, results))).await
}

async fn redis_of(
    url: &str,
    result_url: Option<&str>,
    storage: Box<dyn Any + Send + Sync>,
) -> Fixture {
    let clock = Clock::default();
    let parse = |url: &str| crate::config::Setting::parse(&serde_json::Value::from(url)).unwrap();
    let mut settings = TasksSettings { broker: TaskBroker::Redis, ..TasksSettings::default() };
    settings.redis.url = Some(parse(url));
    settings.redis.result_url = result_url.map(parse);
    // As many as there are priorities, so that each counts.
    settings.redis.priority_steps = (0..=9).collect();
    let open_another = {
        let clock = clock.clone();
        Box::new(move || -> BoxFuture<'static, Arc<dyn Broker>> {
            let broker = super::redis::RedisBroker::new(&settings, &[], &clock).ok().unwrap();
            Box::pin(async move {
                broker.prepare().await.unwrap();
                rendering(broker)
            })
        })
    };
    Fixture { broker: open_another().await, clock, open_another, _storage: storage }
}

fn rendering(broker: impl Broker + 'static) -> Arc<dyn Broker> {
    Arc::new(rendering::Rendering(Arc::new(broker)))
}

impl Fixture {
    /// Returns a task that is ready at once, in the queue `q`.
    fn new_task(&self, id: impl Into<String>) -> NewTask {
        let id = id.into();
        NewTask {
            name: "shop.pack".into(),
            queue: "q".into(),
            priority: 0,
            created_at_ms: self.clock.now_ms(),
            due_at_ms: None,
            expires_at_ms: None,
            retries: 0,
            parent_id: None,
            group: None,
            ignore_result: false,
            message: String::new(),
            id,
        }
    }

    fn tasks(&self, ids: impl IntoIterator<Item = u32>) -> Vec<NewTask> {
        ids.into_iter().map(|id| self.new_task(format!("t{id}"))).collect()
    }

    /// Enqueues tasks of these ids.
    async fn send(&self, ids: &[&str]) {
        let tasks: Vec<_> = ids.iter().map(|id| self.new_task(*id)).collect();
        self.enqueue(&tasks, None).await.unwrap();
    }

    async fn worker(&self) -> WorkerId {
        let worker = WorkerInfo {
            name: "shop@host:1".into(),
            queues: vec!["q".into()],
            concurrency: 10,
            started_at_ms: self.clock.now_ms(),
        };
        self.register(&worker, LEASE).await.unwrap()
    }

    /// Claims up to `max` tasks of the queue `q`.
    async fn claim_some(&self, worker: WorkerId, max: usize) -> Vec<ClaimedTask> {
        self.claim(worker, &queues(&["q"]), max).await.unwrap().tasks
    }

    async fn claim_one(&self, worker: WorkerId) -> ClaimedTask {
        let mut tasks = self.claim_some(worker, 1).await;
        tasks.pop().expect("a task is ready")
    }

    /// Claims what is ready in `q`, and returns the ids in order.
    async fn claim_ids(&self, worker: WorkerId) -> Vec<String> {
        self.claim_some(worker, 100).await.into_iter().map(|task| task.id).collect()
    }

    /// Settles claimed tasks, all of which must still be held.
    async fn settle_all(&self, worker: WorkerId, settlements: Vec<Settlement>) {
        let settled = self.settle(worker, settlements).await.unwrap();
        assert_eq!(settled.fenced, [] as [i64; 0]);
    }

    async fn state(&self, id: &str) -> Option<TaskState> {
        self.broker.task(id).await.unwrap().map(|task| task.state)
    }

    async fn another(&self) -> Arc<dyn Broker> {
        (self.open_another)().await
    }

    fn finished(&self, state: FinalState, result: &str) -> FinishedTask {
        FinishedTask {
            state,
            result: result.into(),
            traceback: None,
            started_at_ms: Some(self.clock.now_ms()),
            finished_at_ms: self.clock.now_ms(),
            keep_message: state != FinalState::Success,
        }
    }

    fn success(&self, task: &ClaimedTask, result: &str) -> Settlement {
        settlement(task, Outcome::Finished(Some(self.finished(FinalState::Success, result))))
    }

    fn failure(&self, task: &ClaimedTask, result: &str) -> Settlement {
        settlement(task, Outcome::Finished(Some(self.finished(FinalState::Failure, result))))
    }

    /// Runs everything that is ready in `q`, and returns the ids in order.
    async fn work_off(&self, worker: WorkerId) -> Vec<String> {
        let tasks = self.claim_some(worker, 1000).await;
        let settlements = tasks.iter().map(|task| self.success(task, "1")).collect();
        self.settle_all(worker, settlements).await;
        tasks.into_iter().map(|task| task.id).collect()
    }
}

fn settlement(task: &ClaimedTask, outcome: Outcome) -> Settlement {
    Settlement {
        key: task.key,
        id: task.id.clone(),
        outcome,
        follow_ups: Vec::new(),
        groups: Vec::new(),
        abandoned: Vec::new(),
    }
}

/// Returns the id of the task that a message is of.
fn id_of(message: &str) -> String {
    let envelope =
        piton_celery::Envelope::<piton_celery::TaskHeaders>::from_slice(message.as_bytes());
    envelope.unwrap().headers.id
}

fn queues(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn ids(ids: &[&str]) -> TaskFilter {
    TaskFilter { ids: queues(ids), ..TaskFilter::default() }
}

fn in_state(state: TaskState) -> TaskFilter {
    TaskFilter { states: vec![state], ..TaskFilter::default() }
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
