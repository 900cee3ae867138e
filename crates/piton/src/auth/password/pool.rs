//! The threads that hash: few, of low priority, and within a budget of memory.
//!
//! A hash takes tens of milliseconds and tens of MiB, on purpose. Here is who does it instead of the
//! event loop, in which order (the one that came first), and how much memory all of them may take at
//! one time. A thread that is done leaves its memory to the next, as asking the system for 64 MiB and
//! giving them back costs a good part of the time of a hash.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use argon2::Block;
use secrecy::{ExposeSecret, SecretSlice};
use tokio::sync::oneshot;

use super::error::{Error, Kind};
use super::figures::{Counts, Operation};
use super::phc::Parameters;
use super::priority;

/// How long memory is kept when there is nothing to do.
const IDLE: Duration = Duration::from_secs(1);

/// What the pool keeps to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub memory_bytes: u64,
    pub max_waiting: usize,
    pub threads: usize,
    pub nice: u8,
}

/// One hash to be computed.
pub(super) struct Job {
    pub operation: Operation,
    pub parameters: Parameters,
    pub salt: Vec<u8>,
    pub password: SecretSlice<u8>,
}

/// The threads. They end when it is dropped.
pub(super) struct Pool(Arc<Shared>);

struct Shared {
    limits: Limits,
    counts: Counts,
    state: Mutex<State>,
    /// Something was added, or given back.
    changed: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Waiting>,
    threads: usize,
    idle: usize,
    /// Bytes that are worked on.
    used: u64,
    spare: Vec<Memory>,
    /// Bytes of `spare`, and of what was in it and is being given back.
    kept: u64,
    peak: u64,
    /// There was nothing to do for a while.
    tired: bool,
    stopped: bool,
}

struct Waiting {
    job: Job,
    answer: oneshot::Sender<Result<Vec<u8>, Error>>,
}

/// Memory to hash in. Its content is of no meaning.
#[derive(Default)]
struct Memory {
    blocks: Vec<Block>,
    bytes: u64,
}

/// What a thread is to do next.
enum Next {
    Work(Waiting, Memory),
    GiveBack(Vec<Memory>),
    Wait,
}

/// What is in the pool now.
#[derive(Clone, Copy, Debug)]
pub(super) struct Load {
    pub waiting: usize,
    pub threads: usize,
    pub memory_bytes: u64,
    pub peak_memory_bytes: u64,
}

impl Pool {
    pub fn new(limits: Limits, counts: Counts) -> Self {
        let state = Mutex::default();
        Self(Arc::new(Shared { limits, counts, state, changed: Condvar::new() }))
    }

    /// Computes a hash. Dropped before its turn has come, it is not begun.
    ///
    /// # Errors
    /// [`Kind::Busy`] if too many wait, and those of [`Parameters::argon2`].
    pub async fn run(&self, job: Job) -> Result<Vec<u8>, Error> {
        job.parameters.argon2()?;
        let (answer, received) = oneshot::channel();
        self.add(Waiting { job, answer })?;
        received.await.unwrap_or_else(|_| Err(stopping()))
    }

    fn add(&self, new: Waiting) -> Result<(), Error> {
        let mut state = self.0.lock();
        if state.stopped {
            return Err(stopping());
        }
        if state.waiting.len() >= self.0.limits.max_waiting {
            state.waiting.retain(|one| !one.answer.is_closed());
            if state.waiting.len() >= self.0.limits.max_waiting {
                return Err(Error::new(Kind::Busy, "too many passwords wait to be hashed"));
            }
        }
        state.waiting.push_back(new);
        if state.waiting.len() > state.idle && state.threads < self.0.limits.threads {
            self.begin_thread(&mut state)?;
        }
        drop(state);
        self.0.changed.notify_one();
        Ok(())
    }

    fn begin_thread(&self, state: &mut State) -> Result<(), Error> {
        let name = format!("argon2-{}", state.threads);
        let shared = Arc::clone(&self.0);
        let begun = std::thread::Builder::new().name(name).spawn(move || shared.work());
        match begun {
            Ok(_) => state.threads += 1,
            // Those that are there will do it.
            Err(_) if state.threads > 0 => {}
            Err(error) => {
                state.waiting.pop_back();
                return Err(Error::new(Kind::Busy, format!("no thread to hash with: {error}")));
            }
        }
        Ok(())
    }

    pub fn load(&self) -> Load {
        let state = self.0.lock();
        Load {
            waiting: state.waiting.len(),
            threads: state.threads,
            memory_bytes: state.used + state.kept,
            peak_memory_bytes: state.peak,
        }
    }

    /// Refuses what waits and what comes. What is worked on is finished.
    pub fn stop(&self) {
        let mut state = self.0.lock();
        state.stopped = true;
        let refused = std::mem::take(&mut state.waiting);
        drop(state);
        drop(refused);
        self.0.changed.notify_all();
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The life of a thread.
    fn work(&self) {
        priority::lower(self.limits.nice);
        let mut state = self.lock();
        loop {
            match state.next(self.limits.memory_bytes) {
                Next::Work(waiting, memory) => {
                    let bytes = memory.bytes;
                    drop(state);
                    let memory = self.perform(waiting, memory);
                    state = self.lock();
                    state.used -= bytes;
                    state.keep(memory);
                }
                Next::GiveBack(memory) => {
                    let bytes: u64 = memory.iter().map(|one| one.bytes).sum();
                    drop(state);
                    // Not under the lock: the event loop takes it too.
                    drop(memory);
                    state = self.lock();
                    state.kept -= bytes;
                }
                Next::Wait if state.stopped => break,
                Next::Wait => {
                    state = self.wait(state);
                    continue;
                }
            }
            // There may be room for several of those that wait.
            self.changed.notify_all();
        }
        state.threads -= 1;
    }

    fn wait<'a>(&'a self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        state.idle += 1;
        let longest = if state.spare.is_empty() { Duration::MAX } else { IDLE };
        let waited = self.changed.wait_timeout(state, longest);
        let (mut state, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        state.idle -= 1;
        state.tired = timeout.timed_out();
        state
    }

    fn perform(&self, Waiting { job, answer }: Waiting, mut memory: Memory) -> Option<Memory> {
        let begin = Instant::now();
        let hashed = catch_unwind(AssertUnwindSafe(|| job.hash(&mut memory.blocks)));
        self.counts.observe(job.operation, begin.elapsed());
        let whole = hashed.is_ok();
        let fault = |_| Err(Error::new(Kind::Other, "argon2 panicked"));
        // Whoever asked may have gone.
        let _ = answer.send(hashed.unwrap_or_else(fault));
        whole.then_some(memory)
    }
}

impl State {
    fn next(&mut self, budget: u64) -> Next {
        while self.waiting.pop_front_if(|first| first.answer.is_closed()).is_some() {}
        let idle = std::mem::take(&mut self.tired) || self.stopped;
        let Some(first) = self.waiting.front() else {
            let give = idle && !self.spare.is_empty();
            return if give { self.give_back() } else { Next::Wait };
        };
        let bytes = first.job.parameters.memory_bytes();
        let room = budget - self.used;
        let fitting = (0..self.spare.len()).filter(|at| self.spare[*at].bytes >= bytes);
        let memory = match fitting.min_by_key(|at| self.spare[*at].bytes) {
            Some(at) => {
                let memory = self.spare.swap_remove(at);
                self.kept -= memory.bytes;
                memory
            }
            None if bytes + self.kept <= room => Memory { blocks: Vec::new(), bytes },
            None if bytes <= room && !self.spare.is_empty() => return self.give_back(),
            None => return Next::Wait,
        };
        self.used += memory.bytes;
        self.peak = self.peak.max(self.used + self.kept);
        match self.waiting.pop_front() {
            Some(first) => Next::Work(first, memory),
            None => Next::Wait,
        }
    }

    fn give_back(&mut self) -> Next {
        Next::GiveBack(std::mem::take(&mut self.spare))
    }

    fn keep(&mut self, memory: Option<Memory>) {
        if let Some(memory) = memory {
            self.kept += memory.bytes;
            self.spare.push(memory);
        }
    }
}

impl Job {
    fn hash(&self, blocks: &mut Vec<Block>) -> Result<Vec<u8>, Error> {
        let argon2 = self.parameters.argon2()?;
        let needed = self.parameters.memory_cost_kib as usize;
        if let Some(more) = needed.checked_sub(blocks.len()) {
            let memory = blocks.try_reserve_exact(more);
            memory.map_err(|_| Error::new(Kind::Busy, "no memory to hash with"))?;
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
