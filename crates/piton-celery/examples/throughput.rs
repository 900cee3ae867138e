//! Measures how many messages a second one core reads and writes: `cargo run --release --example throughput`.

use std::hint::black_box;
use std::time::{Duration, Instant};

use piton_celery::{Envelope, Error, Properties, TaskBody, TaskHeaders, TaskResult};
use serde_json::json;

const DURATION: Duration = Duration::from_secs(2);

/// Maximum size of a body.
const MAX_BYTES: usize = 1 << 20;

fn main() -> Result<(), Error> {
    let id = "c3f192d5-a3de-48c0-bed2-b423da35ed03";
    let body = TaskBody::new(vec![json!(2), json!(3)], serde_json::Map::new());
    let write = |body: &TaskBody| {
        let headers = TaskHeaders::new("proj.add", id);
        Envelope::task(headers, Properties::new("celery", id), body)?.to_vec()
    };
    let message = write(&body)?;
    let large = TaskBody::new(
        vec![json!(vec![json!({"name": "value of some length", "at": 1.5}); 250])],
        serde_json::Map::new(),
    );
    let large_message = write(&large)?;
    let result = TaskResult::success(id, 5).done(chrono::Utc::now()).to_vec()?;
    let read = |message: &[u8]| {
        let mut envelope = Envelope::from_slice(message)?;
        let body = envelope.decode_body(MAX_BYTES)?;
        Ok::<_, Error>((envelope, body))
    };

    report("read a message", message.len(), || read(&message).map(drop))?;
    report("write a message", message.len(), || write(&body).map(drop))?;
    report("read a large message", large_message.len(), || read(&large_message).map(drop))?;
    report("write a large message", large_message.len(), || write(&large).map(drop))?;
    report("read a result", result.len(), || TaskResult::from_slice(&result).map(drop))?;
    report("write a result", result.len(), || {
        TaskResult::success(id, 5).done(chrono::Utc::now()).to_vec().map(drop)
    })
}

fn report(
    name: &str,
    bytes: usize,
    mut work: impl FnMut() -> Result<(), Error>,
) -> Result<(), Error> {
    let begin = Instant::now();
    let mut count = 0_u32;
    while begin.elapsed() < DURATION {
        for _ in 0..100 {
            black_box(work())?;
        }
        count += 100;
    }
    let per_second = f64::from(count) / begin.elapsed().as_secs_f64();
    println!("{name:<24} {bytes:>6} bytes {per_second:>10.0}/s");
    Ok(())
}
