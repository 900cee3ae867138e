//! The thread pool that computes hashes: few threads of low priority, within a memory budget.
//!
//! A hash takes tens of milliseconds and tens of MiB, on purpose. This module runs hashes off the
//! event loop, in the order of arrival, and bounds the memory that all of them take at one time. A
//! thread that is done leaves its memory to the next, as asking the system for 64 MiB and giving
//! them back costs a good part of the time of a hash.
//!
//! No request waits in vain: the time per hash is measured, and a request that would get 503 before
//! its turn came is refused at once, with the time after which a new attempt is useful.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use argon2::Block;
use parking_lot::{Condvar, Mutex, MutexGuard};
use secrecy::{ExposeSecret, SecretSlice};
use tokio::sync::oneshot;

use super::argon2_parameters::Argon2Parameters;
use super::error::{Error, Kind};
use super::metrics::{HashCounts, HashOperation, PoolLoad};
use super::thread_priority;
use crate::context;

/// Maximum value of `Retry-After`.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(60);

/// The weight of a new measurement in the moving average.
const AVERAGE_WEIGHT: f64 = 0.2;

/// Time without work after which spare memory is returned to the system.
const IDLE_TIMEOUT: Duration = Duration::from_secs(1);

/// The limits of the pool.
#[derive(Clone, Copy, Debug)]
pub(super) struct PoolLimits {
    pub memory_bytes: u64,
    pub max_waiting: usize,
    pub threads: usize,
    pub nice: u8,
}

/// One hash to compute.
pub(super) struct HashJob {
    pub operation: HashOperation,
    pub parameters: Argon2Parameters,
    pub salt: Vec<u8>,
    pub password: SecretSlice<u8>,
}

/// The thread pool. Dropping it ends its threads.
pub(super) struct HashPool(Arc<PoolShared>);

struct PoolShared {
    limits: PoolLimits,
    counts: HashCounts,
    state: Mutex<PoolState>,
    /// Signals that work was added or memory was returned.
    changed: Condvar,
}

#[derive(Default)]
struct PoolState {
    waiting: VecDeque<QueuedJob>,
    threads: usize,
    idle_threads: usize,
    /// Bytes in use by hashes in progress.
    used_bytes: u64,
    spare: Vec<BlockBuffer>,
    /// Bytes in `spare`, and bytes taken out of it that are being freed.
    spare_bytes: u64,
    peak_bytes: u64,
    /// The waiting work and the work in progress, in bytes of memory times passes.
    waiting_work: u64,
    running_work: u64,
    /// Seconds per unit of work. `None` until one hash has been computed.
    seconds_per_work: Option<f64>,
    /// Set when `IDLE_TIMEOUT` has passed without work.
    idle_expired: bool,
    stopped: bool,
}

struct QueuedJob {
    job: HashJob,
    /// The time at which the request is answered without its hash.
    deadline: Option<Instant>,
    answer: oneshot::Sender<Result<Vec<u8>, Error>>,
}

/// Memory to hash in. Argon2 overwrites its content.
#[derive(Default)]
struct BlockBuffer {
    blocks: Vec<Block>,
    bytes: u64,
}

/// The next step of a thread.
enum NextStep {
    Hash(QueuedJob, BlockBuffer),
    FreeMemory(Vec<BlockBuffer>),
    Wait,
}

impl HashPool {
    pub fn new(limits: PoolLimits, counts: HashCounts) -> Self {
        let state = Mutex::default();
        Self(Arc::new(PoolShared { limits, counts, state, changed: Condvar::new() }))
    }

    /// Computes a hash. If the future is dropped while the job waits, the hash is never started.
    ///
    /// # Errors
    /// [`Kind::Busy`] if too many jobs wait, or if this one would be done after the timeout of the current
    /// request; and those of [`Argon2Parameters::argon2`].
    pub async fn run(&self, job: HashJob) -> Result<Vec<u8>, Error> {
        self.run_until(job, context::deadline()).await
    }

    /// Runs a job as [`run`](Self::run) does, for a caller that waits until `deadline`.
    pub async fn run_until(
        &self,
        job: HashJob,
        deadline: Option<Instant>,
    ) -> Result<Vec<u8>, Error> {
        job.parameters.argon2()?;
        let (answer, received) = oneshot::channel();
        self.add(QueuedJob { job, deadline, answer })?;
        received.await.unwrap_or_else(|_| Err(stopping()))
    }

    fn add(&self, new: QueuedJob) -> Result<(), Error> {
        let mut state = self.0.lock();
        if state.stopped {
            return Err(stopping());
        }
        let PoolLimits { max_waiting, threads, .. } = self.0.limits;
        if state.waiting.len() >= max_waiting || state.would_be_late(&new, threads) {
            state.drop_cancelled();
            if state.waiting.len() >= max_waiting {
                return Err(state.busy("too many passwords are waiting to be hashed", threads));
            }
            if state.would_be_late(&new, threads) {
                return Err(state.busy(TOO_LATE, threads));
            }
        }
        state.waiting_work += new.work();
        state.waiting.push_back(new);
        if state.waiting.len() > state.idle_threads && state.threads < self.0.limits.threads {
            self.start_thread(&mut state)?;
        }
        drop(state);
        self.0.changed.notify_one();
        Ok(())
    }

    fn start_thread(&self, state: &mut PoolState) -> Result<(), Error> {
        let name = format!("argon2-{}", state.threads);
        let shared = Arc::clone(&self.0);
        let started = std::thread::Builder::new().name(name).spawn(move || shared.worker_loop());
        match started {
            Ok(_) => state.threads += 1,
            // The threads that exist do the work.
            Err(_) if state.threads > 0 => {}
            Err(error) => {
                if let Some(last) = state.waiting.pop_back() {
                    state.waiting_work -= last.work();
                }
                return Err(Error::new(Kind::Busy, format!("cannot start a thread: {error}")));
            }
        }
        Ok(())
    }

    pub fn load(&self) -> PoolLoad {
        let state = self.0.lock();
        PoolLoad {
            waiting: state.waiting.len(),
            threads: state.threads,
            memory_bytes: state.used_bytes + state.spare_bytes,
            peak_memory_bytes: state.peak_bytes,
        }
    }

    /// Refuses waiting and new jobs. Jobs in progress are finished.
    pub fn stop(&self) {
        let mut state = self.0.lock();
        state.stopped = true;
        let refused = std::mem::take(&mut state.waiting);
        state.waiting_work = 0;
        drop(state);
        drop(refused);
        self.0.changed.notify_all();
    }
}

impl Drop for HashPool {
    fn drop(&mut self) {
        self.stop();
    }
}

impl PoolShared {
    fn lock(&self) -> MutexGuard<'_, PoolState> {
        self.state.lock()
    }

    /// Runs jobs until the pool stops.
    fn worker_loop(&self) {
        thread_priority::set_nice(self.limits.nice);
        let mut state = self.lock();
        loop {
            match state.next(self.limits.memory_bytes) {
                NextStep::Hash(waiting, memory) => {
                    let (bytes, work) = (memory.bytes, waiting.work());
                    drop(state);
                    let begin = Instant::now();
                    let memory = self.perform(waiting, memory);
                    let took = begin.elapsed();
                    state = self.lock();
                    state.used_bytes -= bytes;
                    state.running_work -= work;
                    state.put_back(memory);
                    state.record_speed(work, took);
                    state.refuse_late(self.limits.threads);
                }
                NextStep::FreeMemory(memory) => {
                    let bytes: u64 = memory.iter().map(|one| one.bytes).sum();
                    drop(state);
                    // Freed without the lock: returning 64 MiB takes long, and the event loop takes the lock too.
                    drop(memory);
                    state = self.lock();
                    state.spare_bytes -= bytes;
                }
                NextStep::Wait if state.stopped => break,
                NextStep::Wait => {
                    self.wait(&mut state);
                    continue;
                }
            }
            // All threads are woken, because the freed memory may be enough for several waiting jobs.
            self.changed.notify_all();
        }
        state.threads -= 1;
    }

    /// Waits for a change, or for the idle timeout if there is spare memory to free.
    fn wait(&self, state: &mut MutexGuard<'_, PoolState>) {
        state.idle_threads += 1;
        state.idle_expired = if state.spare.is_empty() {
            self.changed.wait(state);
            false
        } else {
            self.changed.wait_for(state, IDLE_TIMEOUT).timed_out()
        };
        state.idle_threads -= 1;
    }

    fn perform(
        &self,
        QueuedJob { job, answer, .. }: QueuedJob,
        mut memory: BlockBuffer,
    ) -> Option<BlockBuffer> {
        let begin = Instant::now();
        let hashed = catch_unwind(AssertUnwindSafe(|| job.hash(&mut memory.blocks)));
        self.counts.observe(job.operation, begin.elapsed());
        let whole = hashed.is_ok();
        let fault = |_| Err(Error::new(Kind::Other, "argon2 panicked"));
        // Fails if the request was cancelled.
        let _ = answer.send(hashed.unwrap_or_else(fault));
        whole.then_some(memory)
    }
}

impl PoolState {
    fn next(&mut self, budget: u64) -> NextStep {
        while let Some(gone) = self.waiting.pop_front_if(|first| first.answer.is_closed()) {
            self.waiting_work -= gone.work();
        }
        let idle = std::mem::take(&mut self.idle_expired) || self.stopped;
        let Some(first) = self.waiting.front() else {
            let give = idle && !self.spare.is_empty();
            return if give { self.free_spare() } else { NextStep::Wait };
        };
        let bytes = first.job.parameters.memory_bytes();
        let room = budget - self.used_bytes;
        let fitting = (0..self.spare.len()).filter(|at| self.spare[*at].bytes >= bytes);
        let memory = match fitting.min_by_key(|at| self.spare[*at].bytes) {
            Some(at) => {
                let memory = self.spare.swap_remove(at);
                self.spare_bytes -= memory.bytes;
                memory
            }
            None if bytes + self.spare_bytes <= room => BlockBuffer { blocks: Vec::new(), bytes },
            None if bytes <= room && !self.spare.is_empty() => return self.free_spare(),
            None => return NextStep::Wait,
        };
        self.used_bytes += memory.bytes;
        self.peak_bytes = self.peak_bytes.max(self.used_bytes + self.spare_bytes);
        match self.waiting.pop_front() {
            Some(first) => {
                self.waiting_work -= first.work();
                self.running_work += first.work();
                NextStep::Hash(first, memory)
            }
            None => NextStep::Wait,
        }
    }

    /// Returns the time that `threads` need for `work`. `None` before the first measurement.
    fn time_of(&self, work: u64, threads: usize) -> Option<Duration> {
        let seconds = self.seconds_per_work? * work as f64 / threads.max(1) as f64;
        Some(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))
    }

    /// Returns the time until a job with `work` is done that waits behind `before`.
    fn time_until_done(&self, before: u64, work: u64, threads: usize) -> Option<Duration> {
        // On average half of the work in progress is already done.
        let wait = self.time_of(before + self.running_work / 2, threads)?;
        Some(wait.saturating_add(self.time_of(work, 1)?))
    }

    /// Returns whether `new` would be done after its deadline, behind all that wait.
    fn would_be_late(&self, new: &QueuedJob, threads: usize) -> bool {
        let needed = self.time_until_done(self.waiting_work, new.work(), threads);
        new.deadline.zip(needed).is_some_and(|(deadline, needed)| is_late(deadline, needed))
    }

    fn drop_cancelled(&mut self) {
        self.waiting.retain(|one| !one.answer.is_closed());
        self.waiting_work = self.waiting.iter().map(QueuedJob::work).sum();
    }

    /// Adds a measurement to the moving average of the time per unit of work.
    fn record_speed(&mut self, work: u64, took: Duration) {
        let seconds_per_work = took.as_secs_f64() / work.max(1) as f64;
        let before = self.seconds_per_work.unwrap_or(seconds_per_work);
        self.seconds_per_work = Some(before + (seconds_per_work - before) * AVERAGE_WEIGHT);
    }

    /// Refuses waiting jobs that are now expected to miss their deadline. The expectation may have
    /// changed since they arrived: the first hash has been measured, or hashes have become slower.
    fn refuse_late(&mut self, threads: usize) {
        let mut before = 0;
        let mut late = Vec::new();
        for waiting in std::mem::take(&mut self.waiting) {
            if waiting.answer.is_closed() {
                continue;
            }
            let work = waiting.work();
            let needed = self.time_until_done(before, work, threads);
            let deadline = waiting.deadline.zip(needed);
            if deadline.is_some_and(|(deadline, needed)| is_late(deadline, needed)) {
                late.push(waiting);
            } else {
                before += work;
                self.waiting.push_back(waiting);
            }
        }
        self.waiting_work = before;
        for waiting in late {
            let _ = waiting.answer.send(Err(self.busy(TOO_LATE, threads)));
        }
    }

    /// Returns the error of a refused job, with the time until the jobs before it are done.
    fn busy(&self, why: &'static str, threads: usize) -> Error {
        let wait = self.time_of(self.waiting_work + self.running_work, threads);
        Error::new(Kind::Busy, why).retry_after(wait.unwrap_or_default().min(MAX_RETRY_AFTER))
    }

    fn free_spare(&mut self) -> NextStep {
        NextStep::FreeMemory(std::mem::take(&mut self.spare))
    }

    fn put_back(&mut self, memory: Option<BlockBuffer>) {
        if let Some(memory) = memory {
            self.spare_bytes += memory.bytes;
            self.spare.push(memory);
        }
    }
}

const TOO_LATE: &str = "more passwords are waiting than can be hashed before the request times out";

fn is_late(deadline: Instant, needed: Duration) -> bool {
    Instant::now().checked_add(needed).is_none_or(|done| done > deadline)
}

impl QueuedJob {
    fn work(&self) -> u64 {
        self.job.parameters.work_bytes()
    }
}

impl HashJob {
    fn hash(&self, blocks: &mut Vec<Block>) -> Result<Vec<u8>, Error> {
        let argon2 = self.parameters.argon2()?;
        let needed = self.parameters.memory_cost_kib as usize;
        if let Some(more) = needed.checked_sub(blocks.len()) {
            let memory = blocks.try_reserve_exact(more);
            memory.map_err(|_| Error::new(Kind::Busy, "not enough memory to hash a password"))?;
            blocks.resize(needed, Block::new());
        }
        let mut hash = vec![0; self.parameters.hash_len as usize];
        let password = self.password.expose_secret();
        argon2
            .hash_password_into_with_memory(password, &self.salt, &mut hash, blocks)
            .map_err(|error| Error::new(Kind::Other, error.to_string()))?;
        Ok(hash)
    }
}

fn stopping() -> Error {
    Error::new(Kind::Busy, "the service is stopping")
}
