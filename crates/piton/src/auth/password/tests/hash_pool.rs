//! The hash pool: order, memory budget, cancellation.

use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::join_all;
use secrecy::SecretSlice;

use super::*;
use crate::auth::password::argon2_parameters::Argon2Parameters;
use crate::auth::password::hash_pool::{HashJob, HashPool, PoolLimits};
use crate::auth::password::metrics::{HashCounts, HashOperation};

const KIB: u64 = 1024;

fn pool(memory_kib: u64, threads: usize, max_waiting: usize) -> HashPool {
    let limits = PoolLimits { memory_bytes: memory_kib * KIB, max_waiting, threads, nice: 10 };
    HashPool::new(limits, HashCounts::default())
}

fn job(memory_cost_kib: u32, time_cost: u32) -> HashJob {
    let cheapest = Argon2Profile::Cheapest.parameters();
    HashJob {
        operation: HashOperation::Hash,
        parameters: Argon2Parameters { memory_cost_kib, time_cost, ..cheapest },
        salt: vec![7; 8],
        password: SecretSlice::from(b"swordfish".to_vec()),
    }
}

/// Returns a job that takes about a second.
fn long() -> HashJob {
    job(8 * 1024, 100)
}

async fn wait_for(condition: impl Fn() -> bool) {
    test_support::wait_for("the pool", || std::future::ready(condition())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_memory_budget_is_never_exceeded() {
    let pool = pool(4096, 8, 1000);
    let sizes = [8, 4096, 64, 1000, 2048, 8, 3000, 512];
    let hashes = join_all((0..96).map(|index| pool.run(job(sizes[index % sizes.len()], 1)))).await;
    assert!(hashes.iter().all(Result::is_ok));
    let load = pool.load();
    assert_eq!(load.peak_memory_bytes, 4096 * KIB, "the greatest needs all of it");
    assert!(load.memory_bytes <= 4096 * KIB && load.waiting == 0 && load.threads <= 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn reused_memory_does_not_change_the_hash() {
    let pool = pool(4096, 1, 10);
    for (memory, time) in [(2048, 1), (8, 3), (100, 2), (4096, 1), (64, 2)] {
        let reused = pool.run(job(memory, time)).await.unwrap();
        let mut fresh = vec![0; 4];
        let argon2 = job(memory, time).parameters.argon2().unwrap();
        argon2.hash_password_into(b"swordfish", &[7; 8], &mut fresh).unwrap();
        assert_eq!(reused, fresh, "{memory} KiB");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_is_freed_after_the_idle_timeout() {
    let pool = pool(4096, 2, 10);
    pool.run(job(1024, 1)).await.unwrap();
    wait_for(|| pool.load().memory_bytes == 0).await;
    assert_eq!(pool.load().peak_memory_bytes, 1024 * KIB);
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_run_in_order_even_if_a_later_one_would_fit() {
    let pool = pool(8 * 1024, 4, 10);
    let mut first = Box::pin(pool.run(long()));
    assert!(is_pending(&mut first));
    wait_for(|| pool.load().waiting == 0).await;
    let mut second = Box::pin(pool.run(job(8 * 1024, 1)));
    assert!(is_pending(&mut second));
    let mut third = Box::pin(pool.run(job(8, 1)));
    assert!(is_pending(&mut third));
    tokio::select! {
        // Biased, because on a busy machine all three may be done before this is polled.
        biased;
        done = &mut first => assert!(done.is_ok()),
        done = &mut third => panic!("{done:?} before the first"),
    }
    assert!(second.await.is_ok() && third.await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_job_is_skipped_and_leaves_its_place() {
    let counts = HashCounts::default();
    let limits = PoolLimits { memory_bytes: 8 << 20, max_waiting: 2, threads: 1, nice: 0 };
    let pool = HashPool::new(limits, counts.clone());
    let mut first = Box::pin(pool.run(long()));
    assert!(is_pending(&mut first));
    wait_for(|| pool.load().waiting == 0).await;
    {
        let mut gone = [Box::pin(pool.run(job(8, 1))), Box::pin(pool.run(job(8, 1)))];
        for one in &mut gone {
            assert!(is_pending(one));
        }
        let refused = pool.run(job(8, 1)).await.unwrap_err();
        assert_eq!(refused.kind(), Kind::Busy);
    }
    assert!(pool.run(job(8, 1)).await.is_ok(), "those who went do not count");
    assert!(first.await.is_ok());
    assert_eq!(counts.total(), 2, "two were begun");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_would_miss_its_deadline_is_refused() {
    let pool = pool(8 * 1024, 1, 1000);
    let deadline = |seconds| Some(Instant::now() + Duration::from_secs(seconds));
    let begin = Instant::now();
    // The time of a hash is not measured yet, so all may wait.
    let first = pool.run_until(long(), deadline(600));
    let others = join_all((0..200).map(|_| pool.run_until(long(), deadline(5))));
    let (first, others) = tokio::join!(first, others);
    let one = begin.elapsed();
    assert!(first.is_ok());
    let late: Vec<_> = others.iter().filter_map(|hash| hash.as_ref().err()).collect();
    assert!(late.len() > 100 && late.iter().all(|error| error.kind() == Kind::Busy));
    assert!(one < Duration::from_secs(10), "{one:?}: they were told before their time was up");
    let load = pool.load();
    assert_eq!(load.waiting, 0);
    // It is measured now, so a new job is refused at once.
    let mut busy = Box::pin(pool.run(long()));
    assert!(is_pending(&mut busy));
    let error = pool.run_until(long(), deadline(0)).now_or_never().unwrap().unwrap_err();
    assert_eq!(error.kind(), Kind::Busy);
    assert!(busy.await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_jobs_are_refused_when_the_service_stops() {
    let pool = pool(8 * 1024, 1, 10);
    let mut first = Box::pin(pool.run(long()));
    assert!(is_pending(&mut first));
    wait_for(|| pool.load().waiting == 0).await;
    let mut second = Box::pin(pool.run(job(8, 1)));
    assert!(is_pending(&mut second));
    pool.stop();
    assert_eq!(second.await.unwrap_err().kind(), Kind::Busy);
    assert_eq!(pool.run(job(8, 1)).await.unwrap_err().kind(), Kind::Busy);
    assert!(first.await.is_ok(), "what was begun is finished");
    wait_for(|| pool.load().threads == 0 && pool.load().memory_bytes == 0).await;
}

#[tokio::test]
async fn the_event_loop_is_free_while_a_hash_is_computed() {
    let pool = pool(8 * 1024, 1, 10);
    let mut hash = Box::pin(pool.run(long()));
    let mut turns = 0;
    while is_pending(&mut hash) {
        tokio::time::sleep(Duration::from_millis(1)).await;
        turns += 1;
    }
    assert!(turns > 5, "{turns}");
}

/// Polls the future once. Returns whether it is pending, which starts it.
fn is_pending(future: &mut (impl Future + Unpin)) -> bool {
    future.now_or_never().is_none()
}
