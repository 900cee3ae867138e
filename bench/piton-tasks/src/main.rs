//! Tasks of a Piton service, measured.
//!
//! | command | prints |
//! |---|---|
//! | `send-batches COUNT SIZE` | tasks/s sent in batches |
//! | `send-parallel-batches COUNT SIZE` | tasks/s sent in batches by four callers |
//! | `send-singly COUNT CALLERS` | tasks/s sent one by one by concurrent callers |
//! | `send-timed COUNT PAUSE_MS` | nothing: sends tasks that measure their latency, with a pause between two |
//! | `send-steadily RATE SECONDS` | nothing: sends as many such tasks per second |
//! | `worker`, with `BENCH_CONSUME=COUNT` | tasks/s run and stored, or the latencies of timed tasks |
//!
//! With `BENCH_SEND="COUNT PAUSE_MS"` the worker's process sends timed tasks as well. With `BENCH_DEADLINE_S=SECONDS` it
//! ends after that time in any case.

mod meter;
mod own_process;
mod sending;

use piton::clap::{Arg, value_parser};
use piton::prelude::*;

use meter::Meter;

#[task(name = "bench.add")]
async fn add(x: u64, y: u64) -> task::Result<u64> {
    meter::count();
    Ok(x + y)
}

#[task(name = "bench.timed")]
async fn timed(sent_us: u64) -> task::Result<()> {
    meter::record_latency(sent_us);
    Ok(())
}

fn number(name: &'static str) -> Arg {
    Arg::new(name).required(true).value_parser(value_parser!(u64))
}

fn command(name: &'static str, about: &'static str, arguments: [&'static str; 2]) -> Command {
    let [first, second] = arguments;
    Command::new(name, about).arg(number(first)).arg(number(second)).needs::<Tasks>().run(
        move |app, arguments| async move {
            let of = |name| *arguments.get_one::<u64>(name).expect("it is required");
            let tasks: Tasks = app.part();
            let (first, second) = (of(first), of(second));
            match name {
                "send-batches" => sending::send_batches(&tasks, first, second, 1).await,
                "send-parallel-batches" => {
                    sending::send_batches(&tasks, first, second, sending::BATCH_CALLERS).await
                }
                "send-singly" => sending::send_singly(&tasks, first, second).await,
                "send-timed" => sending::send_timed(&tasks, first, second).await,
                _ => sending::send_steadily(&tasks, first, second).await,
            }
        },
    )
}

fn main() -> piton::Exit {
    let timed = "Send tasks that measure their latency";
    App::new("piton_tasks")
        .set("admin.address", "off")
        .set("log.level", "warning")
        .enable::<Meter>()
        .command(command("send-batches", "Send tasks in batches", ["count", "size"]))
        .command(command(
            "send-parallel-batches",
            "Send tasks in batches by four callers",
            ["count", "size"],
        ))
        .command(command("send-singly", "Send tasks one by one", ["count", "callers"]))
        .command(command("send-timed", timed, ["count", "pause_ms"]))
        .command(command("send-steadily", timed, ["rate", "seconds"]))
        .run()
}
