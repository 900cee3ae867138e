//! The broker on Redis, on Celery's wire: workers of Celery and of this framework share queues, results, groups and
//! schedules' runs.
//!
//! Queues, messages and results are Celery's, key by key (docs/COMPATIBILITY.md). Where Celery loses tasks this broker
//! does not: a claim is one script, each delivery has a tag of its own, and the claims of a worker whose lease has ended
//! are given back after seconds.

mod admin;
mod chord_bodies;
mod chord_member;
mod chords;
mod claim;
mod crons;
mod delivery;
mod delivery_tag;
mod effects;
mod enqueue;
mod events;
mod incoming;
mod keys;
mod leases;
mod link;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod relay;
mod remote_control;
mod scripts;
mod settle;
mod stored_record;
#[cfg(test)]
mod tests;
mod times;
mod watcher;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::records::{ClaimedBatch, NewGroup, NewTask, Settled, Settlement, WorkerId, WorkerInfo};
use super::{Broker, Call, OpenBroker, outbox};
use crate::part::{Launch, Problem};
use crate::redis_client::{RedisServer, RedisUrl, ServerSettings, SettingNames};
use crate::stop_signal::Stop;
use crate::tasks::clock::Clock;
use crate::tasks::error::{BrokerError, Kind};
use crate::tasks::health::TasksState;
use crate::tasks::metrics::TaskMetrics;
use crate::tasks::monitored_worker::MonitoredWorker;
use crate::tasks::redis_settings::RedisTasksSettings;
use crate::tasks::settings::TasksSettings;
use crate::tasks::task::{Task, TaskOptions};
use chord_member::ChordMember;
use delivery_tag::DeliveryTag;
use keys::Keys;
use link::Link;
use stored_record::StoredRecord;
use watcher::Watcher;

const NAMES: SettingNames = SettingNames {
    section: "tasks.redis",
    server: "tasks.redis.url (CELERY_BROKER_URL)",
    password: "tasks.redis.password",
};

const RESULT_NAMES: SettingNames = SettingNames {
    section: "tasks.redis",
    server: "tasks.redis.result_url (CELERY_RESULT_BACKEND)",
    password: "tasks.redis.result_url",
};

/// The broker on Redis. Clones share everything.
#[derive(Clone)]
pub(in crate::tasks) struct RedisBroker(Arc<Inner>);

struct Inner {
    keys: Keys,
    broker: Link,
    /// The server of results, if it is another one.
    separate_results: Option<Link>,
    /// Reports that queues have messages.
    queues: Watcher,
    /// Reports that results have changed.
    changes: Watcher,
    /// The server of the broker, for the connection of the remote control.
    control_server: RedisServer,
    /// Celery's logical clock, by which monitors sort events.
    logical_clock: AtomicU64,
    publishes_events: bool,
    clock: Clock,
    visibility_timeout: Duration,
    keep_results: Duration,
    keep_failures: Duration,
    /// The tasks of this service, whose options apply to the bodies of chords.
    tasks: HashMap<String, TaskOptions>,
    /// The claims of the workers of this process.
    claims: Mutex<HashMap<i64, WorkerClaims>>,
    /// The queues whose names are stored.
    known_queues: Mutex<HashSet<String>>,
    last_key: AtomicI64,
    last_batch: AtomicU64,
    /// The reason why a list could not be read by the last claim.
    last_fault: Mutex<Option<String>>,
}

/// The claims of one worker.
#[derive(Default)]
struct WorkerClaims {
    name: String,
    held: HashMap<i64, HeldTask>,
    /// Claims whose reply was lost: their messages are put back before the next one.
    unknown_batches: Vec<u64>,
    /// The time at which workers of Celery were last shown that the claims are alive.
    shown: Option<Instant>,
}

/// A claimed task.
#[derive(Clone)]
struct HeldTask {
    id: String,
    tag: DeliveryTag,
    record: StoredRecord,
    /// False if the sender wants no result, or it is stored already.
    has_record: bool,
    /// Set if it is a member of a chord.
    chord: Option<Box<ChordMember>>,
}

/// Opens the broker. Connects to nothing.
///
/// # Errors
/// Settings that only the client library can check.
pub(super) fn open(
    settings: &TasksSettings,
    tasks: &[Task],
    launch: &Launch,
    clock: &Clock,
    state: &Arc<TasksState>,
    metrics: &TaskMetrics,
) -> Result<OpenBroker, Box<Problem>> {
    let broker = RedisBroker::new(settings, tasks, clock)?;
    Ok(outbox::with_outbox(broker, &settings.outbox, launch, clock, state, metrics))
}

impl RedisBroker {
    /// Opens the broker. Connects to nothing.
    ///
    /// # Errors
    /// Settings that only the client library can check.
    pub fn new(
        settings: &TasksSettings,
        tasks: &[Task],
        clock: &Clock,
    ) -> Result<Self, Box<Problem>> {
        let redis = &settings.redis;
        let server = || RedisServer::new(&redis.broker_server());
        let results = match &redis.result_url {
            Some(url) if !redis.shares_results() => {
                let server = || RedisServer::new(&redis.result_server(url));
                Some((server()?, server()?))
            }
            _ => None,
        };
        let (results, changes) = match results {
            Some((results, changes)) => (Some(Link::new(results, redis.timeout)), changes),
            None => (None, server()?),
        };
        let options = |task: &Task| (task.name().to_owned(), task.options().clone());
        Ok(Self(Arc::new(Inner {
            keys: Keys::new(redis),
            broker: Link::new(server()?, redis.timeout),
            separate_results: results,
            queues: Watcher::new(server()?, redis.timeout),
            changes: Watcher::new(changes, redis.timeout),
            control_server: server()?,
            logical_clock: AtomicU64::new(0),
            publishes_events: redis.events,
            clock: clock.clone(),
            visibility_timeout: redis.visibility_timeout,
            keep_results: settings.keep_results,
            keep_failures: settings.keep_failures,
            tasks: tasks.iter().map(options).collect(),
            claims: Mutex::default(),
            known_queues: Mutex::default(),
            last_key: AtomicI64::new(0),
            last_batch: AtomicU64::new(0),
            last_fault: Mutex::default(),
        })))
    }

    /// Makes a call that goes on if its caller is dropped, because it has several steps.
    fn detached<T: Send + 'static>(
        &self,
        call: impl Future<Output = Result<T, BrokerError>> + Send + 'static,
    ) -> Call<'static, T> {
        Box::pin(async move {
            match tokio::spawn(call).await {
                Ok(outcome) => outcome,
                Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                Err(_) => Err(BrokerError::new(Kind::Unavailable, "the service stops")),
            }
        })
    }
}

impl Inner {
    /// Returns the server of results.
    fn results(&self) -> &Link {
        self.separate_results.as_ref().unwrap_or(&self.broker)
    }

    fn offset_ms(&self) -> String {
        self.clock.offset_ms().to_string()
    }

    fn new_key(&self) -> i64 {
        self.last_key.fetch_add(1, Ordering::Relaxed) + 1
    }
}

/// Claimed tasks on their way to the caller.
struct UntakenBatch {
    inner: Arc<Inner>,
    worker: WorkerId,
    batch: ClaimedBatch,
}

impl UntakenBatch {
    fn take(mut self) -> ClaimedBatch {
        std::mem::take(&mut self.batch)
    }
}

impl Drop for UntakenBatch {
    /// Lets the next claim give back what the caller has not taken.
    fn drop(&mut self) {
        self.inner.give_back_later(self.worker, &self.batch.tasks);
    }
}

impl RedisTasksSettings {
    fn broker_server(&self) -> ServerSettings<'_> {
        ServerSettings {
            names: &NAMES,
            url: self.url.as_ref(),
            host: None,
            port: None,
            db: self.db,
            username: self.username.as_deref(),
            password: self.password.as_ref(),
            tls: self.tls,
            tls_ca: self.tls_ca.as_ref(),
            sentinel: &self.sentinel,
            sentinel_master: &self.sentinel_master,
            sentinel_password: self.sentinel_password.as_ref(),
            connect_timeout: self.connect_timeout,
        }
    }

    /// Returns the settings of a server of results, which its address alone describes.
    fn result_server<'a>(&'a self, url: &'a RedisUrl) -> ServerSettings<'a> {
        ServerSettings {
            names: &RESULT_NAMES,
            url: Some(url),
            db: None,
            username: None,
            password: None,
            sentinel: &[],
            ..self.broker_server()
        }
    }
}

impl Broker for RedisBroker {
    fn prepare(&self) -> Call<'_, ()> {
        Box::pin(async move {
            self.0.broker.connect().await?;
            match &self.0.separate_results {
                Some(results) => results.connect().await,
                None => Ok(()),
            }
        })
    }

    fn enqueue<'a>(&'a self, tasks: &'a [NewTask], group: Option<&'a NewGroup>) -> Call<'a, ()> {
        if self.0.separate_results.is_none() && group.is_none() {
            // One command, which is sent or not.
            return Box::pin(self.0.enqueue(tasks, None));
        }
        let (inner, tasks, group) = (self.0.clone(), tasks.to_vec(), group.cloned());
        self.detached(async move { inner.enqueue(&tasks, group.as_ref()).await })
    }

    fn register<'a>(&'a self, worker: &'a WorkerInfo, lease: Duration) -> Call<'a, WorkerId> {
        let (inner, worker) = (self.0.clone(), worker.clone());
        self.detached(async move { inner.register(&worker, lease).await })
    }

    fn renew(&self, worker: WorkerId, lease: Duration) -> Call<'_, Option<Vec<i64>>> {
        Box::pin(self.0.renew(worker, lease))
    }

    fn unregister(&self, worker: WorkerId) -> Call<'_, ()> {
        let inner = self.0.clone();
        self.detached(async move { inner.unregister(worker).await })
    }

    fn claim<'a>(
        &'a self,
        worker: WorkerId,
        queues: &'a [String],
        max: usize,
    ) -> Call<'a, ClaimedBatch> {
        let (inner, queues) = (self.0.clone(), queues.to_vec());
        // In a task of its own, because a claim has several steps. What its caller does not take is given back.
        let claim = self.detached(async move {
            let batch = inner.claim(worker, &queues, max).await?;
            Ok(UntakenBatch { inner, worker, batch })
        });
        Box::pin(async move { Ok(claim.await?.take()) })
    }

    fn settle(&self, worker: WorkerId, settlements: Vec<Settlement>) -> Call<'_, Settled> {
        let inner = self.0.clone();
        self.detached(async move { inner.settle(worker, settlements).await })
    }

    fn report_progress<'a>(
        &'a self,
        worker: WorkerId,
        progress: &'a [(i64, String)],
    ) -> Call<'a, ()> {
        Box::pin(self.0.report_progress(worker, progress))
    }

    fn release_lost(&self) -> Call<'_, u64> {
        let inner = self.0.clone();
        self.detached(async move { inner.release_lost().await })
    }

    fn expire_results(&self, successes: Duration, failures: Duration) -> Call<'_, u64> {
        Box::pin(self.0.expire_results(successes, failures))
    }

    fn woken<'a>(&'a self, queues: &'a [String]) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let lists = queues.iter().flat_map(|queue| self.0.keys.lists(queue)).collect();
            self.0.queues.filled(lists, &self.0.keys.named("piton:paused"), queues).await;
        })
    }

    fn changed<'a>(&'a self, id: &'a str) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let has_ended = |json: &[u8]| {
                StoredRecord::parse(json).is_some_and(|record| record.state(i64::MAX).is_final())
            };
            self.0.changes.changed(&self.0.keys.result(id), has_ended).await;
        })
    }

    fn serve_monitors(&self, worker: Arc<dyn MonitoredWorker>, stop: Stop) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            worker.events().enable(self.0.publishes_events);
            let control = self.0.serve_control(&worker, &stop);
            tokio::join!(control, self.0.publish_events(&worker, &stop));
        })
    }
}

/// Returns the error of a message that cannot be read or written.
fn malformed(error: piton_celery::Error) -> BrokerError {
    BrokerError::new(Kind::Other, error.to_string())
}
