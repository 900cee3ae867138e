//! Tasks of a Piton service, measured.
//!
//! | command | prints |
//! |---|---|
//! | `send-batches COUNT SIZE` | tasks/s sent in batches |
//! | `send-singly COUNT CALLERS` | tasks/s sent one by one by concurrent callers |
//! | `send-timed COUNT PAUSE_MS` | nothing: sends tasks that measure their latency, with a pause between two |
//! | `consume` (as `worker`, until no task is left) | tasks/s run and stored, and the latencies of timed tasks |

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use piton::Stop;
use piton::clap::{Arg, value_parser};
use piton::part::{self, Dependencies, Launch, Part};
use piton::prelude::*;

static FIRST: Mutex<Option<Instant>> = Mutex::new(None);
static RUN: AtomicU64 = AtomicU64::new(0);
static LATENCIES_US: Mutex<Vec<u64>> = Mutex::new(Vec::new());

fn now_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

#[task(name = "bench.add")]
async fn add(x: u64, y: u64) -> task::Result<u64> {
    if RUN.fetch_add(1, Ordering::Relaxed) == 0 {
        FIRST.lock().expect("no thread panics").get_or_insert_with(Instant::now);
    }
    Ok(x + y)
}

#[task(name = "bench.timed")]
async fn timed(sent_us: u64) -> task::Result<()> {
    let latency = now_us().saturating_sub(sent_us);
    LATENCIES_US.lock().expect("no thread panics").push(latency);
    Ok(())
}

/// Waits until no task is left, prints the rates and ends the program.
#[derive(Clone)]
struct Meter(Db, bool);

impl Part for Meter {
    const NAME: &'static str = "meter";
    type Settings = ();

    fn dependencies(dependencies: &mut Dependencies) {
        dependencies.add::<Tasks>();
        dependencies.add::<Db>();
    }

    async fn start((): (), launch: &Launch) -> Result<Self, part::Error> {
        Ok(Self(launch.part(), std::env::var_os("BENCH_CONSUME").is_some()))
    }

    async fn run(&self, stop: Stop) {
        if !self.1 {
            return stop.stopped().await;
        }
        let goal: u64 =
            std::env::var("BENCH_CONSUME").ok().and_then(|n| n.parse().ok()).unwrap_or(0);
        loop {
            piton::tokio::select! {
                () = piton::tokio::time::sleep(Duration::from_millis(5)) => {}
                () = stop.stopped() => return,
            }
            let done = RUN.load(Ordering::Relaxed);
            let timed = LATENCIES_US.lock().expect("no thread panics").len() as u64;
            if done + timed < goal {
                continue;
            }
            let left = self.0.one::<i64>("SELECT 1 FROM piton_tasks LIMIT 1", ()).await;
            if matches!(left, Ok(None)) {
                report(done);
                std::process::exit(0);
            }
        }
    }
}

piton::part!(Meter);

fn report(done: u64) {
    if let Some(first) = *FIRST.lock().expect("no thread panics") {
        println!("consumed_per_second {:.0}", done as f64 / first.elapsed().as_secs_f64());
    }
    let mut latencies = LATENCIES_US.lock().expect("no thread panics").clone();
    latencies.sort_unstable();
    let at =
        |share: f64| latencies[((latencies.len() - 1) as f64 * share) as usize] as f64 / 1000.0;
    if !latencies.is_empty() {
        println!(
            "latency_p50_ms {:.3}\nlatency_p99_ms {:.3}\nlatency_max_ms {:.3}",
            at(0.5),
            at(0.99),
            at(1.0)
        );
    }
}

fn number(name: &'static str) -> Arg {
    Arg::new(name).required(true).value_parser(value_parser!(u64))
}

async fn send_batches(tasks: &Tasks, count: u64, size: u64) -> Result<()> {
    let started = Instant::now();
    for batch in 0..count / size {
        tasks.send_all((0..size).map(|n| add::apply(batch, n))).await?;
    }
    println!(
        "sent_per_second {:.0}",
        (count / size * size) as f64 / started.elapsed().as_secs_f64()
    );
    Ok(())
}

async fn send_singly(tasks: &Tasks, count: u64, callers: u64) -> Result<()> {
    let started = Instant::now();
    let mut all = Vec::new();
    for _ in 0..callers {
        let tasks = tasks.clone();
        all.push(piton::spawn(async move {
            for n in 0..count / callers {
                tasks.send(add::apply(n, n)).await?;
            }
            Ok::<(), Error>(())
        }));
    }
    for one in all {
        one.await.map_err(Error::internal)??;
    }
    println!(
        "sent_per_second {:.0}",
        (count / callers * callers) as f64 / started.elapsed().as_secs_f64()
    );
    Ok(())
}

async fn send_timed(tasks: &Tasks, count: u64, pause_ms: u64) -> Result<()> {
    for _ in 0..count {
        tasks.send(timed::apply(now_us())).await?;
        piton::tokio::time::sleep(Duration::from_millis(pause_ms)).await;
    }
    Ok(())
}

fn command(name: &'static str, about: &'static str, more: &'static str) -> Command {
    Command::new(name, about).arg(number("count")).arg(number(more)).needs::<Tasks>().run(
        move |app, arguments| async move {
            let of = |name| *arguments.get_one::<u64>(name).expect("it is required");
            let tasks: Tasks = app.part();
            match name {
                "send-batches" => send_batches(&tasks, of("count"), of("size")).await,
                "send-singly" => send_singly(&tasks, of("count"), of("callers")).await,
                _ => send_timed(&tasks, of("count"), of("pause_ms")).await,
            }
        },
    )
}

fn main() -> piton::Exit {
    App::new("piton_tasks")
        .set("admin.address", "off")
        .set("log.level", "warning")
        .enable::<Meter>()
        .command(command("send-batches", "Send tasks in batches", "size"))
        .command(command("send-singly", "Send tasks one by one", "callers"))
        .command(command("send-timed", "Send tasks that measure their latency", "pause_ms"))
        .run()
}
