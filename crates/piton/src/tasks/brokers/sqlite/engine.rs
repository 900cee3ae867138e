//! The writer: SQLite lets one transaction write at a time, so whatever waits while one is committed shares the next.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::oneshot;
use tokio::time::timeout;
use tracing::warn;

use super::claim::nothing_ready;
use super::job::{Job, JobOutcome, apply_all};
use super::wake::WakeSignal;
use super::write_back::WriteBack;
use crate::db::{SqliteInternal, Tx};
use crate::tasks::brokers::records::{Outcome, Settlement, WorkerId};
use crate::tasks::clock::Clock;
use crate::tasks::error::{BrokerError, Kind};

/// Number of tasks from which on no further call joins a transaction, before and again after its wait for earlier
/// writers. It bounds how long other writers wait.
const MAX_TASKS: usize = 4000;

/// The time for the statements of one transaction, in addition to the wait for other writers.
const STATEMENTS_TIMEOUT: Duration = Duration::from_secs(10);

/// The writer. Clones share it.
#[derive(Clone)]
pub(super) struct Engine(Arc<Inner>);

struct Inner {
    internal: SqliteInternal,
    clock: Clock,
    wake: Arc<WakeSignal>,
    waiting: Mutex<Waiting>,
    write_back: Arc<WriteBack>,
}

/// The calls that wait for the next transaction.
#[derive(Default)]
struct Waiting {
    jobs: VecDeque<Job>,
    /// Set while a task works on them.
    is_running: bool,
}

/// Returns the error of a call that took too long.
pub(super) fn timed_out() -> BrokerError {
    BrokerError::new(Kind::Unavailable, "the database of the tasks did not answer in time")
}

impl Engine {
    pub fn new(internal: SqliteInternal, clock: Clock, wake: Arc<WakeSignal>) -> Self {
        let (waiting, write_back) = (Mutex::default(), Arc::default());
        Self(Arc::new(Inner { internal, clock, wake, waiting, write_back }))
    }

    pub fn internal(&self) -> &SqliteInternal {
        &self.0.internal
    }

    /// Does a job in the next transaction. If the future is dropped, the job is done nevertheless.
    pub async fn run<T>(
        &self,
        job: impl FnOnce(oneshot::Sender<Result<T, BrokerError>>) -> Job,
    ) -> Result<T, BrokerError> {
        let (reply, outcome) = oneshot::channel();
        self.submit(job(reply));
        // The sender is dropped without a reply if the transaction took too long.
        outcome.await.unwrap_or_else(|_| Err(timed_out()))
    }

    fn submit(&self, job: Job) {
        let mut waiting = self.0.waiting.lock();
        waiting.jobs.push_back(job);
        // Without a runtime the service has ended: leases expire.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        if std::mem::replace(&mut waiting.is_running, true) {
            return;
        }
        // A runtime that ends drops the task at once, which takes the lock.
        drop(waiting);
        // In a task of its own, because a caller that is cancelled must not stop what others wait for.
        runtime.spawn(Running(self.clone()).run());
    }

    /// Gives tasks back that nobody received.
    pub fn release(&self, worker: WorkerId, keys: impl Iterator<Item = (i64, String)>) {
        let settlements = keys.map(|(key, id)| Settlement {
            key,
            id,
            outcome: Outcome::Released,
            follow_ups: Vec::new(),
            groups: Vec::new(),
            abandoned: Vec::new(),
        });
        let (reply, _) = oneshot::channel();
        self.submit(Job::Settle { worker, settlements: settlements.collect(), reply });
    }

    /// Takes jobs for one transaction.
    fn take(&self) -> Vec<Job> {
        let mut waiting = self.0.waiting.lock();
        let mut tasks = 0;
        let mut jobs = Vec::new();
        while tasks < MAX_TASKS
            && let Some(job) = waiting.jobs.pop_front()
        {
            tasks += job.tasks();
            jobs.push(job);
        }
        jobs
    }

    /// Takes jobs, or ends the task that asks if there are none.
    fn take_or_end(&self) -> Option<Vec<Job>> {
        let jobs = self.take();
        if !jobs.is_empty() {
            return Some(jobs);
        }
        let mut waiting = self.0.waiting.lock();
        waiting.is_running = !waiting.jobs.is_empty();
        waiting.is_running.then(Vec::new)
    }

    /// Responds to claims that find nothing, without a transaction, so that an idle worker does not write. Returns the
    /// other jobs. Skipped if a job writes anyway.
    async fn answer_idle_claims(&self, jobs: Vec<Job>) -> Vec<Job> {
        if !jobs.iter().all(|job| matches!(job, Job::Claim { .. })) {
            return jobs;
        }
        let mut left = Vec::with_capacity(jobs.len());
        for job in jobs {
            let Job::Claim { request, reply } = job else {
                left.push(job);
                continue;
            };
            let internal = &self.0.internal;
            let looked = async {
                let mut connection = internal.batch_connection().await?;
                let batch = nothing_ready(&mut connection, &request, self.0.clock.now_ms()).await;
                batch.map_err(|error| internal.error(error))
            };
            match looked.await {
                Ok(None) => left.push(Job::Claim { request, reply }),
                Ok(Some(batch)) => {
                    Job::Claim { request, reply }.finish(Ok(JobOutcome::Claimed(batch)), self);
                }
                Err(error) => Job::Claim { request, reply }.finish(Err(error.into()), self),
            }
        }
        left
    }

    /// Does jobs in one transaction. If one of them is refused, each is done in a transaction of its own, so that the
    /// fault of one caller does not become that of others.
    async fn write(&self, mut jobs: Vec<Job>) {
        let tx = match self.0.internal.begin_batch().await {
            Ok(tx) => tx,
            Err(error) => return self.refuse(jobs, &error.into()),
        };
        // While this transaction waited for earlier writers, further calls came.
        jobs.extend(self.take());
        match self.commit(tx, &jobs).await {
            Ok(outcomes) => self.finish(jobs, outcomes),
            Err(error) if jobs.len() == 1 || error.kind() == Kind::Unavailable => {
                self.refuse(jobs, &error);
            }
            Err(_) => self.write_each(jobs).await,
        }
    }

    async fn write_each(&self, jobs: Vec<Job>) {
        for job in jobs {
            let job = [job];
            let committed = match self.0.internal.begin_batch().await {
                Ok(tx) => self.commit(tx, &job).await,
                Err(error) => Err(error.into()),
            };
            match committed {
                Ok(outcomes) => self.finish(job, outcomes),
                Err(error) => self.refuse(job, &error),
            }
        }
    }

    async fn commit(&self, mut tx: Tx, jobs: &[Job]) -> Result<Vec<JobOutcome>, BrokerError> {
        let outcomes = apply_all(&mut tx, jobs, &self.0.internal, self.0.clock.now_ms()).await?;
        tx.commit().await?;
        self.0.write_back.committed(jobs, &self.0.internal);
        Ok(outcomes)
    }

    fn finish(&self, jobs: impl IntoIterator<Item = Job>, outcomes: Vec<JobOutcome>) {
        let wakes = outcomes.iter().any(JobOutcome::makes_ready);
        for (job, outcome) in jobs.into_iter().zip(outcomes) {
            job.finish(Ok(outcome), self);
        }
        if wakes {
            self.0.wake.notify();
        }
    }

    fn refuse(&self, jobs: impl IntoIterator<Item = Job>, error: &BrokerError) {
        for job in jobs {
            job.finish(Err(error.copy()), self);
        }
    }
}

/// The task that works on the jobs. When it is dropped, with its runtime, another may start.
struct Running(Engine);

impl Running {
    async fn run(self) {
        let engine = &self.0;
        let limit = engine.0.internal.busy_timeout() + STATEMENTS_TIMEOUT;
        while let Some(jobs) = engine.take_or_end() {
            let work = async {
                let jobs = engine.answer_idle_claims(jobs).await;
                if !jobs.is_empty() {
                    engine.write(jobs).await;
                }
            };
            if timeout(limit, work).await.is_err() {
                warn!(
                    limit_s = limit.as_secs(),
                    "Gave up a transaction of tasks that took too long: its callers get an error. Does another process keep the file locked?"
                );
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut waiting = self.0.0.waiting.lock();
        if waiting.is_running {
            waiting.is_running = false;
            // Their callers are told that nothing is known, instead of waiting for a task that is gone.
            waiting.jobs.clear();
        }
    }
}
