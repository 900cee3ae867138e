//! A broker whose tasks get complete messages, as [`Call`](crate::tasks::Call) makes them: one broker reads them.

use std::sync::Arc;
use std::time::Duration;

use chrono::DateTime;
use futures_util::future::BoxFuture;
use piton_celery::{BodyEncoding, Envelope, Properties, TaskBody, TaskHeaders};

use super::super::records::{
    ClaimedBatch, CronRecord, NewGroup, NewTask, QueueStats, Settled, Settlement, TaskFilter,
    TaskRecord, WorkerId, WorkerInfo,
};
use super::super::{Broker, Call, CronStore, TaskAdmin};

/// Writes the message of each task that has none.
pub(super) struct Rendering(pub Arc<dyn Broker>);

/// Returns a task with a message that says the same as the other fields.
pub(super) fn rendered(task: &NewTask) -> NewTask {
    if !task.message.is_empty() {
        return task.clone();
    }
    let mut headers = TaskHeaders::new(&task.name, &task.id);
    let time = |at_ms: i64| DateTime::from_timestamp_millis(at_ms).map(Into::into);
    headers.eta = task.due_at_ms.and_then(time);
    headers.expires = task.expires_at_ms.and_then(time);
    headers.retries = task.retries;
    headers.parent_id.clone_from(&task.parent_id);
    headers.group = task.group.as_ref().map(|member| member.id.clone());
    headers.group_index = task.group.as_ref().map(|member| member.index.into());
    let mut properties = Properties::new(&task.queue, &task.id);
    properties.priority = task.priority;
    properties.body_encoding = BodyEncoding::Text;
    let kwargs = [("ü".to_owned(), "\0 'quoted'".into())].into_iter().collect();
    let message = Envelope::task(headers, properties, &TaskBody::new(Vec::new(), kwargs)).unwrap();
    NewTask { message: String::from_utf8(message.to_vec().unwrap()).unwrap(), ..task.clone() }
}

fn all_rendered(tasks: &[NewTask]) -> Vec<NewTask> {
    tasks.iter().map(rendered).collect()
}

impl Broker for Rendering {
    fn prepare(&self) -> Call<'_, ()> {
        self.0.prepare()
    }

    fn enqueue<'a>(&'a self, tasks: &'a [NewTask], group: Option<&'a NewGroup>) -> Call<'a, ()> {
        let tasks = all_rendered(tasks);
        Box::pin(async move { self.0.enqueue(&tasks, group).await })
    }

    fn register<'a>(&'a self, worker: &'a WorkerInfo, lease: Duration) -> Call<'a, WorkerId> {
        self.0.register(worker, lease)
    }

    fn renew(&self, worker: WorkerId, lease: Duration) -> Call<'_, Option<Vec<i64>>> {
        self.0.renew(worker, lease)
    }

    fn unregister(&self, worker: WorkerId) -> Call<'_, ()> {
        self.0.unregister(worker)
    }

    fn claim<'a>(
        &'a self,
        worker: WorkerId,
        queues: &'a [String],
        max: usize,
    ) -> Call<'a, ClaimedBatch> {
        self.0.claim(worker, queues, max)
    }

    fn settle(&self, worker: WorkerId, mut settlements: Vec<Settlement>) -> Call<'_, Settled> {
        for settlement in &mut settlements {
            settlement.follow_ups = all_rendered(&settlement.follow_ups);
        }
        self.0.settle(worker, settlements)
    }

    fn report_progress<'a>(
        &'a self,
        worker: WorkerId,
        progress: &'a [(i64, String)],
    ) -> Call<'a, ()> {
        self.0.report_progress(worker, progress)
    }

    fn release_lost(&self) -> Call<'_, u64> {
        self.0.release_lost()
    }

    fn expire_results(&self, successes: Duration, failures: Duration) -> Call<'_, u64> {
        self.0.expire_results(successes, failures)
    }

    fn woken<'a>(&'a self, queues: &'a [String]) -> BoxFuture<'a, ()> {
        self.0.woken(queues)
    }

    fn changed<'a>(&'a self, id: &'a str) -> BoxFuture<'a, ()> {
        self.0.changed(id)
    }
}

impl TaskAdmin for Rendering {
    fn task<'a>(&'a self, id: &'a str) -> Call<'a, Option<TaskRecord>> {
        self.0.task(id)
    }

    fn list<'a>(&'a self, filter: &'a TaskFilter) -> Call<'a, Vec<TaskRecord>> {
        self.0.list(filter)
    }

    fn revoke<'a>(&'a self, filter: &'a TaskFilter) -> Call<'a, u64> {
        self.0.revoke(filter)
    }

    fn retry<'a>(&'a self, filter: &'a TaskFilter) -> Call<'a, u64> {
        self.0.retry(filter)
    }

    fn purge<'a>(&'a self, filter: &'a TaskFilter) -> Call<'a, u64> {
        self.0.purge(filter)
    }

    fn pause<'a>(&'a self, queue: &'a str, paused: bool) -> Call<'a, ()> {
        self.0.pause(queue, paused)
    }

    fn queues(&self) -> Call<'_, Vec<QueueStats>> {
        self.0.queues()
    }

    fn workers(&self) -> Call<'_, Vec<WorkerInfo>> {
        self.0.workers()
    }
}

impl CronStore for Rendering {
    fn cron<'a>(&'a self, name: &'a str, first_tick_ms: i64) -> Call<'a, CronRecord> {
        self.0.cron(name, first_tick_ms)
    }

    fn fire<'a>(
        &'a self,
        name: &'a str,
        tick_ms: i64,
        task: Option<&'a NewTask>,
    ) -> Call<'a, bool> {
        let task = task.map(rendered);
        Box::pin(async move { self.0.fire(name, tick_ms, task.as_ref()).await })
    }

    fn pause_cron<'a>(&'a self, name: &'a str, paused: bool) -> Call<'a, bool> {
        self.0.pause_cron(name, paused)
    }

    fn reset_cron<'a>(&'a self, name: &'a str, last_tick_ms: i64) -> Call<'a, bool> {
        self.0.reset_cron(name, last_tick_ms)
    }

    fn crons(&self) -> Call<'_, Vec<CronRecord>> {
        self.0.crons()
    }
}
