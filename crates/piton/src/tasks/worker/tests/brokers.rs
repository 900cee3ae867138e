//! Brokers that fail.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};
use parking_lot::Mutex;
use serde_json::json;

use super::fixture::{Fixture, SECOND, counting, echo, exception, number, runs};
use crate::part::Health;
use crate::tasks::brokers::records::{
    ClaimedBatch, CronRecord, FinalState, FinishedTask, NewGroup, NewTask, Outcome, QueueStats,
    Settled, Settlement, TaskFilter, TaskRecord, TaskState, WorkerId, WorkerInfo,
};
use crate::tasks::brokers::{Broker, Call, CronStore, TaskAdmin};
use crate::tasks::error::{BrokerError, Kind};

/// A broker that is unavailable while it is told so, and that refuses results that contain `poison`.
struct Flaky {
    inner: Arc<dyn Broker>,
    is_down: Arc<AtomicBool>,
    /// Time that the next registration takes.
    next_registration_s: AtomicU64,
    /// The call whose next one panics.
    panics: Mutex<Option<&'static str>>,
}

impl Flaky {
    fn panic_once(&self, call: &str) {
        let mut panics = self.panics.lock();
        if *panics == Some(call) {
            *panics = None;
            drop(panics);
            panic!("{call}");
        }
    }

    fn check<'a, T: Send + 'a>(&self, call: Call<'a, T>) -> Call<'a, T> {
        if self.is_down.load(Ordering::SeqCst) {
            return ready(Err(BrokerError::new(Kind::Unavailable, "out for lunch"))).boxed();
        }
        call
    }
}

impl Broker for Flaky {
    fn prepare(&self) -> Call<'_, ()> {
        self.inner.prepare()
    }
    fn enqueue<'a>(&'a self, tasks: &'a [NewTask], group: Option<&'a NewGroup>) -> Call<'a, ()> {
        self.inner.enqueue(tasks, group)
    }
    fn register<'a>(&'a self, worker: &'a WorkerInfo, lease: Duration) -> Call<'a, WorkerId> {
        let call = self.check(self.inner.register(worker, lease));
        let seconds = self.next_registration_s.swap(0, Ordering::SeqCst);
        async move {
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            call.await
        }
        .boxed()
    }
    fn renew(&self, worker: WorkerId, lease: Duration) -> Call<'_, Option<Vec<i64>>> {
        self.check(self.inner.renew(worker, lease))
    }
    fn unregister(&self, worker: WorkerId) -> Call<'_, ()> {
        self.check(self.inner.unregister(worker))
    }
    fn claim<'a>(
        &'a self,
        worker: WorkerId,
        queues: &'a [String],
        max: usize,
    ) -> Call<'a, ClaimedBatch> {
        self.panic_once("claim");
        if self.is_down.load(Ordering::SeqCst) {
            return self.check(ready(Ok(ClaimedBatch::default())).boxed());
        }
        self.inner.claim(worker, queues, max)
    }
    fn settle(&self, worker: WorkerId, settlements: Vec<Settlement>) -> Call<'_, Settled> {
        self.panic_once("settle");
        if self.is_down.load(Ordering::SeqCst) {
            return self.check(ready(Ok(Settled::default())).boxed());
        }
        let is_poison = |settlement: &Settlement| matches!(&settlement.outcome, Outcome::Finished(Some(FinishedTask { state: FinalState::Success, result, .. })) if result.contains("poison"));
        if settlements.iter().any(is_poison) {
            return ready(Err(BrokerError::new(Kind::Other, "too large"))).boxed();
        }
        self.inner.settle(worker, settlements)
    }
    fn report_progress<'a>(
        &'a self,
        worker: WorkerId,
        progress: &'a [(i64, String)],
    ) -> Call<'a, ()> {
        self.check(self.inner.report_progress(worker, progress))
    }
    fn release_lost(&self) -> Call<'_, u64> {
        self.panic_once("release_lost");
        self.check(self.inner.release_lost())
    }
    fn expire_results(&self, successes: Duration, failures: Duration) -> Call<'_, u64> {
        self.check(self.inner.expire_results(successes, failures))
    }
    fn woken<'a>(&'a self, queues: &'a [String]) -> BoxFuture<'a, ()> {
        self.inner.woken(queues)
    }
}

impl TaskAdmin for Flaky {
    fn task<'a>(&'a self, id: &'a str) -> Call<'a, Option<TaskRecord>> {
        self.inner.task(id)
    }
    fn list<'a>(&'a self, filter: &'a TaskFilter) -> Call<'a, Vec<TaskRecord>> {
        self.inner.list(filter)
    }
    fn revoke<'a>(&'a self, filter: &'a TaskFilter) -> Call<'a, u64> {
        self.inner.revoke(filter)
    }
    fn retry<'a>(&'a self, filter: &'a TaskFilter) -> Call<'a, u64> {
        self.inner.retry(filter)
    }
    fn purge<'a>(&'a self, filter: &'a TaskFilter) -> Call<'a, u64> {
        self.inner.purge(filter)
    }
    fn pause<'a>(&'a self, queue: &'a str, paused: bool) -> Call<'a, ()> {
        self.inner.pause(queue, paused)
    }
    fn queues(&self) -> Call<'_, Vec<QueueStats>> {
        self.inner.queues()
    }
    fn workers(&self) -> Call<'_, Vec<WorkerInfo>> {
        self.inner.workers()
    }
}

impl CronStore for Flaky {
    fn cron<'a>(&'a self, name: &'a str, first_tick_ms: i64) -> Call<'a, CronRecord> {
        self.inner.cron(name, first_tick_ms)
    }
    fn fire<'a>(
        &'a self,
        name: &'a str,
        tick_ms: i64,
        task: Option<&'a NewTask>,
    ) -> Call<'a, bool> {
        self.inner.fire(name, tick_ms, task)
    }
    fn pause_cron<'a>(&'a self, name: &'a str, paused: bool) -> Call<'a, bool> {
        self.inner.pause_cron(name, paused)
    }
    fn reset_cron<'a>(&'a self, name: &'a str, last_tick_ms: i64) -> Call<'a, bool> {
        self.inner.reset_cron(name, last_tick_ms)
    }
    fn crons(&self) -> Call<'_, Vec<CronRecord>> {
        self.inner.crons()
    }
}

async fn flaky() -> (Fixture, Arc<AtomicBool>) {
    slow_to_register(0).await
}

/// Makes a fixture whose first registration takes so long.
async fn slow_to_register(seconds: u64) -> (Fixture, Arc<AtomicBool>) {
    let is_down = Arc::new(AtomicBool::new(false));
    let switch = is_down.clone();
    let next_registration_s = AtomicU64::new(seconds);
    let fixture = Fixture::over(|inner| {
        let panics = Mutex::default();
        Arc::new(Flaky { inner, is_down, next_registration_s, panics })
    });
    (fixture.await, switch)
}

/// Makes a fixture whose broker panics once, in this call.
pub async fn panicking(call: &'static str) -> Fixture {
    let wrap = |inner| {
        let (is_down, next_registration_s) = Default::default();
        let panics = Mutex::new(Some(call));
        Arc::new(Flaky { inner, is_down, next_registration_s, panics }) as _
    };
    Fixture::over(wrap).await
}

#[tokio::test(start_paused = true)]
async fn no_task_runs_under_a_registration_that_took_as_long_as_its_lease() {
    let (fixture, _) = slow_to_register(31).await;
    let (task, count) = counting("task", |_| async {
        tokio::time::sleep(5 * SECOND).await;
        Ok(json!(1))
    });
    let id = fixture.send("task", vec![]).await;
    let running = fixture.start([task]);
    tokio::time::sleep(60 * SECOND).await;
    assert_eq!((fixture.state_of(&id).await, runs(&count)), (TaskState::Succeeded, 1));
    assert_eq!(fixture.broker.workers().await.unwrap().len(), 1);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn results_of_tasks_that_ended_while_the_broker_was_away_are_stored_when_it_is_back() {
    let (fixture, is_down) = flaky().await;
    let (task, count) = counting("task", |_| async {
        tokio::time::sleep(2 * SECOND).await;
        Ok(json!("kept"))
    });
    let id = fixture.send("task", vec![]).await;
    let running = fixture.start([task, echo()]);
    fixture.until(&id, TaskState::Running).await;
    is_down.store(true, Ordering::SeqCst);
    tokio::time::sleep(10 * SECOND).await;
    let Health::Degraded(why) = fixture.state.health(SECOND) else { panic!("it is away") };
    assert_eq!(why, "out for lunch");
    is_down.store(false, Ordering::SeqCst);
    let record = fixture.until(&id, TaskState::Succeeded).await;
    assert_eq!((number(&record), runs(&count)), (json!("kept"), 1));
    let id = fixture.send("echo", vec![]).await;
    fixture.until(&id, TaskState::Succeeded).await;
    assert_eq!(fixture.state.health(SECOND), Health::Up);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn running_tasks_are_cancelled_when_the_lease_would_have_expired() {
    let (fixture, is_down) = flaky().await;
    let (task, count) = counting("task", |run| async move {
        if run == 1 {
            std::future::pending::<()>().await;
        }
        Ok(json!(run))
    });
    let id = fixture.send("task", vec![]).await;
    let running = fixture.start([task]);
    fixture.until(&id, TaskState::Running).await;
    is_down.store(true, Ordering::SeqCst);
    tokio::time::sleep(20 * SECOND).await;
    assert_eq!(fixture.metrics.running.get(), 1, "it goes on while the lease holds");
    tokio::time::sleep(20 * SECOND).await;
    assert_eq!(fixture.metrics.running.get(), 0);
    is_down.store(false, Ordering::SeqCst);
    fixture.clock.advance(31 * SECOND);
    fixture.until(&id, TaskState::Succeeded).await;
    assert_eq!(runs(&count), 2);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_starts_before_its_broker_waits_for_it_and_can_be_stopped() {
    let (fixture, is_down) = flaky().await;
    is_down.store(true, Ordering::SeqCst);
    let id = fixture.send("echo", vec![json!(1)]).await;
    let (early, late) = (fixture.start([echo()]), fixture.start([echo()]));
    tokio::time::sleep(20 * SECOND).await;
    early.stop().await;
    is_down.store(false, Ordering::SeqCst);
    fixture.until(&id, TaskState::Succeeded).await;
    late.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_result_that_cannot_be_stored_fails_its_task_and_no_other() {
    let (fixture, _) = flaky().await;
    let mut ids = Vec::new();
    for value in ["one", "poison", "two"] {
        ids.push(fixture.send("echo", vec![json!(value)]).await);
    }
    let running = fixture.start([echo()]);
    fixture.until(&ids[0], TaskState::Succeeded).await;
    fixture.until(&ids[2], TaskState::Succeeded).await;
    let record = fixture.until(&ids[1], TaskState::Failed).await;
    assert_eq!(exception(&record).1, "the result cannot be stored");
    running.stop().await;
}
