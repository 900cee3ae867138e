//! The promise under load: a value from before an invalidation is not served after it.
//!
//! A number stands in for a database. Writers increase it and then invalidate; readers query the cache,
//! which reads the number. A reader knows the last invalidated number when its query starts, and must never
//! see a smaller one.

use std::sync::atomic::AtomicU64;

use test_support::redis::Redis;

use super::*;

#[derive(Default)]
struct World {
    database: AtomicU64,
    /// The last number whose invalidation has finished.
    invalidated: AtomicU64,
    reads: AtomicU64,
    computed: AtomicU64,
    stop: std::sync::atomic::AtomicBool,
}

impl World {
    fn is_over(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }

    async fn read(&self, cache: &Cache) {
        while !self.is_over() {
            let at_least = self.invalidated.load(Ordering::SeqCst);
            let compute = || async {
                let found = self.database.load(Ordering::SeqCst);
                self.computed.fetch_add(1, Ordering::SeqCst);
                // Slow at times, so that other computations overtake it.
                tokio::time::sleep(Duration::from_micros(fastrand::u64(0..3000))).await;
                found
            };
            let entry = cache.entry("number").tags(["numbers"]);
            let seen = entry.get_or_insert(compute).await;
            assert!(seen >= at_least, "saw {seen} after {at_least} had been invalidated");
            self.reads.fetch_add(1, Ordering::SeqCst);
            // Yields, because a hit in memory never does, and all of this is one task.
            tokio::task::yield_now().await;
        }
    }

    /// Runs the only writer, because transactions are serialized.
    async fn write(&self, caches: &[&Cache]) {
        for round in 0.. {
            if self.is_over() {
                return;
            }
            let number = self.database.fetch_add(1, Ordering::SeqCst) + 1;
            let cache = caches[round % caches.len()];
            match fastrand::u8(0..4) {
                0 => cache.delete("number").await,
                1 => cache.clear().await,
                _ => cache.invalidate(["numbers"]).await,
            }
            self.invalidated.store(number, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_micros(fastrand::u64(0..8000))).await;
        }
    }
}

async fn hold(processes: &[Process], writers: &[&Cache], hardship: impl Future<Output = ()>) {
    let world = World::default();
    let readers = processes.iter().flat_map(|process| {
        let world = &world;
        (0..8).map(move |_| world.read(process))
    });
    let work =
        futures_util::future::join(futures_util::future::join_all(readers), world.write(writers));
    let end = async {
        hardship.await;
        world.stop.store(true, Ordering::SeqCst);
    };
    tokio::join!(work, end);
    let (reads, computed) =
        (world.reads.load(Ordering::SeqCst), world.computed.load(Ordering::SeqCst));
    assert!(reads > computed && computed > 10, "{reads} reads, {computed} computed");
}

const LONG: Duration = Duration::from_secs(2);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_memory_no_reader_sees_an_invalidated_value() {
    let one = [Process::start(settings()).await];
    hold(&one, &[&one[0]], tokio::time::sleep(LONG)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn across_two_processes_no_reader_sees_an_invalidated_value() {
    let server = Redis::start();
    let both = [Process::on(&server).await, Process::on(&server).await];
    hold(&both, &[&both[0], &both[1]], tokio::time::sleep(LONG)).await;
}

/// Reads in the writing process, because while the server is unavailable no other knows of invalidations.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_server_is_killed_and_restored_no_reader_sees_an_invalidated_value() {
    let mut server = Redis::start();
    let one = [Process::on(&server).await];
    let hardship = async {
        for _ in 0..4 {
            tokio::time::sleep(LONG / 8).await;
            server.save();
            tokio::time::sleep(LONG / 8).await;
            server.kill();
            tokio::time::sleep(LONG / 16).await;
            server.start_again();
        }
        one[0].wait_until_up().await;
        tokio::time::sleep(LONG / 4).await;
    };
    let cache = one[0].cache.clone();
    hold(&one, &[&cache], hardship).await;
}
