//! The contract of the cache through its public API, the same tests for both backends; and tests of Redis
//! with servers that are killed, paused and restored.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinHandle;

use super::*;
use crate::metrics::Metrics;
use crate::part::{Health, Part};
use crate::stop_signal::Stop;

/// Defines for each function a test in memory and one on Redis.
macro_rules! on_both_stores {
    ($(async fn $name:ident($cache:ident) $body:block)*) => {$(
        mod $name {
            use super::*;

            async fn check($cache: Process) $body

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn in_memory() {
                check(Process::start(settings()).await).await;
            }

            #[cfg(feature = "redis")]
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_redis() {
                let server = test_support::redis::Redis::start();
                check(Process::on(&server).await).await;
            }
        }
    )*};
}

mod contract;
mod flights;
#[cfg(feature = "redis")]
mod hardship;
#[cfg(feature = "redis")]
mod processes;
#[cfg(feature = "redis")]
mod stress;

fn settings() -> CacheSettings {
    CacheSettings {
        max_value_size: crate::config::ByteSize::kib(64),
        // Longer than the default, because on a machine busy with other tests Redis would seem unavailable.
        timeout: Duration::from_secs(2),
        ..CacheSettings::default()
    }
}

/// A cache with its background work, like that of one process.
struct Process {
    cache: Cache,
    work: JoinHandle<()>,
}

impl Process {
    async fn start(settings: CacheSettings) -> Self {
        let cache = Cache::new(&settings, "shop").ok().unwrap();
        cache.connect().await.unwrap();
        let running = cache.clone();
        let work = tokio::spawn(async move { running.run(Stop::never()).await });
        Self { cache, work }
    }

    #[cfg(feature = "redis")]
    async fn on(server: &test_support::redis::Redis) -> Self {
        let process = Self::start(on(server)).await;
        process.wait_until_up().await;
        process
    }

    /// Waits until Redis is connected.
    #[cfg(feature = "redis")]
    async fn wait_until_up(&self) {
        test_support::wait_for("the connection", async || self.health().await == Health::Up).await;
    }

    /// Returns the value of a counter.
    fn counted(&self, line: &str) -> u64 {
        let metrics = Metrics::default();
        self.cache.metrics(&metrics);
        let text = metrics.text();
        let found = text.lines().find_map(|found| found.strip_prefix(line)?.strip_prefix(' '));
        found.unwrap_or_else(|| panic!("no {line} in {text}")).parse().unwrap()
    }
}

#[cfg(feature = "redis")]
fn on(server: &test_support::redis::Redis) -> CacheSettings {
    let host = "127.0.0.1".parse().ok();
    CacheSettings { host, port: Some(server.port()), ..settings() }
}

impl std::ops::Deref for Process {
    type Target = Cache;

    fn deref(&self) -> &Cache {
        &self.cache
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.work.abort();
    }
}

/// A computation that notifies when it has started, and continues when allowed to.
#[derive(Clone)]
struct Slow {
    started: Arc<Notify>,
    go_on: Arc<Semaphore>,
    runs: Arc<AtomicU32>,
}

impl Default for Slow {
    fn default() -> Self {
        let go_on = Arc::new(Semaphore::new(0));
        Self { started: Arc::default(), go_on, runs: Arc::default() }
    }
}

impl Slow {
    async fn compute(&self, value: u32) -> Result<u32, String> {
        self.runs.fetch_add(1, Ordering::SeqCst);
        self.started.notify_one();
        self.go_on.acquire().await.unwrap().forget();
        Ok(value)
    }

    /// Starts a caller of `key` that computes `value` if it has to.
    fn start_caller(
        &self,
        cache: &Cache,
        key: &str,
        value: u32,
    ) -> JoinHandle<Result<u32, String>> {
        let (slow, entry) = (self.clone(), cache.entry(key).tags(["slow"]));
        tokio::spawn(async move { entry.get_or_insert_with(|| slow.compute(value)).await })
    }

    /// Lets `count` computations end.
    fn finish(&self, count: usize) {
        self.go_on.add_permits(count);
    }

    fn runs(&self) -> u32 {
        self.runs.load(Ordering::SeqCst)
    }
}

/// Returns the value of `key`, computed as `value` if it has to be.
async fn current_value(cache: &Cache, key: &str, value: u32) -> u32 {
    cache.entry(key).tags(["slow"]).get_or_insert(|| async { value }).await
}
