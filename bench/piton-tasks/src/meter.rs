//! Counts what the worker runs, and ends the process with a report when nothing is left.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use piton::Stop;
use piton::part::{self, Dependencies, Launch, Part};
use piton::prelude::*;

use crate::own_process::{cpu_time, print_written_bytes};
use crate::sending::send_timed;

/// Maximum length of the first and the last stretch of a run that are compared.
const MAX_STRETCH_US: u64 = 60_000_000;

static FIRST: Mutex<Option<(Instant, Duration)>> = Mutex::new(None);
static RUN: AtomicU64 = AtomicU64::new(0);
static LATENCIES: Mutex<Vec<Latency>> = Mutex::new(Vec::new());

/// Times of a timed task, in microseconds.
#[derive(Clone, Copy)]
struct Latency {
    sent: u64,
    waited: u64,
}

/// Returns the time in microseconds, comparable between processes.
pub fn now_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

/// Counts a task that runs. The first one starts the clock.
pub fn count() {
    if RUN.fetch_add(1, Ordering::Relaxed) == 0 {
        let now = || (Instant::now(), cpu_time());
        FIRST.lock().expect("no thread panics").get_or_insert_with(now);
    }
}

/// Stores the time since `sent`.
pub fn record_latency(sent: u64) {
    let waited = now_us().saturating_sub(sent);
    LATENCIES.lock().expect("no thread panics").push(Latency { sent, waited });
}

/// Waits until no task is left, prints the rates and ends the program.
#[derive(Clone)]
pub struct Meter {
    db: Db,
    tasks: Tasks,
}

impl Part for Meter {
    const NAME: &'static str = "meter";
    type Settings = ();

    fn dependencies(dependencies: &mut Dependencies) {
        dependencies.add::<Tasks>();
        dependencies.add::<Db>();
    }

    async fn start((): (), launch: &Launch) -> Result<Self, part::Error> {
        Ok(Self { db: launch.part(), tasks: launch.part() })
    }

    async fn run(&self, stop: Stop) {
        let Some(goal) = variable("BENCH_CONSUME").and_then(|goal| goal.parse().ok()) else {
            return stop.stopped().await;
        };
        piton::tokio::select! {
            () = self.send_and_measure(goal) => std::process::exit(0),
            () = stop.stopped() => {}
        }
    }
}

piton::part!(Meter);

impl Meter {
    async fn send_and_measure(&self, goal: u64) {
        if let Some((count, pause_ms)) = variable("BENCH_SEND").as_deref().and_then(two_numbers) {
            // Waits for the worker, so that its start is not measured.
            piton::tokio::time::sleep(Duration::from_millis(500)).await;
            send_timed(&self.tasks, count, pause_ms).await.expect("the database takes tasks");
        }
        let deadline = variable("BENCH_DEADLINE_S").and_then(|seconds| seconds.parse().ok());
        let deadline = Duration::from_secs(deadline.unwrap_or(u64::from(u32::MAX)));
        let _ = piton::tokio::time::timeout(deadline, self.finish(goal)).await;
        report();
        println!("unfinished_tasks {}", self.unfinished().await);
    }

    async fn finish(&self, goal: u64) {
        while ran() < goal || !self.is_empty().await {
            piton::tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    async fn is_empty(&self) -> bool {
        // On Redis what is left is not in the database. The last tasks have run then, and are being acknowledged.
        if is_on_redis() {
            return true;
        }
        let left = self.db.one::<i64>("SELECT 1 FROM piton_tasks LIMIT 1", ()).await;
        matches!(left, Ok(None))
    }

    async fn unfinished(&self) -> i64 {
        if is_on_redis() {
            return 0;
        }
        self.db.scalar("SELECT count(*) FROM piton_tasks", ()).await.unwrap_or(-1)
    }
}

fn is_on_redis() -> bool {
    variable("CELERY_BROKER_URL").is_some()
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn two_numbers(text: &str) -> Option<(u64, u64)> {
    let (first, second) = text.split_once(' ')?;
    Some((first.parse().ok()?, second.parse().ok()?))
}

fn ran() -> u64 {
    RUN.load(Ordering::Relaxed) + LATENCIES.lock().expect("no thread panics").len() as u64
}

fn report() {
    let done = RUN.load(Ordering::Relaxed) as f64;
    if let Some((first, cpu)) = *FIRST.lock().expect("no thread panics") {
        println!("consumed_per_second {:.0}", done / first.elapsed().as_secs_f64());
        println!("cpu_us_per_task {:.3}", (cpu_time() - cpu).as_secs_f64() * 1e6 / done);
    }
    print_written_bytes();
    let latencies = LATENCIES.lock().expect("no thread panics");
    let times = latencies.iter().map(|latency| latency.sent);
    let (Some(start), Some(end)) = (times.clone().min(), times.max()) else { return };
    let stretch = MAX_STRETCH_US.min((end - start) / 4);
    print_latencies("latency", &latencies, |_| true);
    print_latencies("first", &latencies, |sent| sent <= start + stretch);
    print_latencies("last", &latencies, |sent| sent >= end - stretch);
}

fn print_latencies(name: &str, all: &[Latency], is_wanted: impl Fn(u64) -> bool) {
    let wanted = all.iter().filter(|latency| is_wanted(latency.sent));
    let mut waited: Vec<u64> = wanted.map(|latency| latency.waited).collect();
    waited.sort_unstable();
    for (percentile, share) in [("p50", 0.5), ("p99", 0.99)] {
        let at = ((waited.len() - 1) as f64 * share) as usize;
        println!("{name}_{percentile}_ms {:.3}", waited[at] as f64 / 1000.0);
    }
}
