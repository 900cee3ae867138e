//! Sends tasks, and prints how fast.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use piton::prelude::*;
use piton::tasks::Call;
use piton::tokio::time;

use crate::meter::now_us;
use crate::own_process::print_written_bytes;
use crate::{add, timed};

/// Concurrent callers of batches, where there are several.
pub const BATCH_CALLERS: u64 = 4;
/// Concurrent callers of steady sending, so that a slow commit delays few others.
const STEADY_CALLERS: u64 = 50;

pub async fn send_batches(tasks: &Tasks, count: u64, size: u64, callers: u64) -> Result<()> {
    let started = Instant::now();
    let batches = count / size / callers;
    run_callers(callers, |_| {
        let tasks = tasks.clone();
        async move {
            for batch in 0..batches {
                tasks.send_all((0..size).map(|n| call(batch, n))).await?;
            }
            Ok(())
        }
    })
    .await?;
    print_rate(batches * size * callers, started);
    print_written_bytes();
    Ok(())
}

pub async fn send_singly(tasks: &Tasks, count: u64, callers: u64) -> Result<()> {
    let started = Instant::now();
    run_callers(callers, |_| {
        let tasks = tasks.clone();
        async move {
            for n in 0..count / callers {
                tasks.send(call(n, n)).await?;
            }
            Ok(())
        }
    })
    .await?;
    print_rate(count / callers * callers, started);
    Ok(())
}

/// Returns a call, whose result nobody wants if `BENCH_IGNORE` is set.
fn call(x: u64, y: u64) -> Call<u64> {
    static IGNORES: LazyLock<bool> = LazyLock::new(|| std::env::var_os("BENCH_IGNORE").is_some());
    let call = add::apply(x, y);
    if *IGNORES { call.ignore_result() } else { call }
}

pub async fn send_timed(tasks: &Tasks, count: u64, pause_ms: u64) -> Result<()> {
    for _ in 0..count {
        tasks.send(timed::apply(now_us())).await?;
        time::sleep(Duration::from_millis(pause_ms)).await;
    }
    Ok(())
}

/// Sends `rate` timed tasks a second for so many `seconds`, evenly distributed.
pub async fn send_steadily(tasks: &Tasks, rate: u64, seconds: u64) -> Result<()> {
    let interval = Duration::from_secs_f64(STEADY_CALLERS as f64 / rate as f64);
    run_callers(STEADY_CALLERS, |caller| {
        let tasks = tasks.clone();
        let start = time::Instant::now() + interval.mul_f64(caller as f64 / STEADY_CALLERS as f64);
        async move {
            let mut ticks = time::interval_at(start, interval);
            for _ in 0..rate * seconds / STEADY_CALLERS {
                ticks.tick().await;
                tasks.send(timed::apply(now_us())).await?;
            }
            Ok(())
        }
    })
    .await
}

/// Runs concurrent callers, each with its number, until all have ended.
async fn run_callers<F>(callers: u64, call: impl Fn(u64) -> F) -> Result<()>
where
    F: Future<Output = Result<()>> + Send + 'static,
{
    let all: Vec<_> = (0..callers).map(|caller| piton::spawn(call(caller))).collect();
    for one in all {
        one.await.map_err(Error::internal)??;
    }
    Ok(())
}

fn print_rate(sent: u64, started: Instant) {
    println!("sent_per_second {:.0}", sent as f64 / started.elapsed().as_secs_f64());
}
