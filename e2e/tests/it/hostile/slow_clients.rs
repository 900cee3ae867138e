//! Clients that send or read a byte now and then, or nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::target::Target;

/// Number of clients of each kind.
const CLIENTS: usize = 100;

/// Time between two bytes of a slow client.
const BYTE_INTERVAL: Duration = Duration::from_millis(250);

/// Time after the phase within which the service must have cut a client off that never reads: its
/// `write_timeout` of 2 s, the granularity of the kernel's timer, and a busy machine.
const CUT_TIMEOUT: Duration = Duration::from_secs(15);

#[derive(Default)]
struct Counts {
    cut_writers: AtomicUsize,
    cut_readers: AtomicUsize,
    steady: AtomicUsize,
}

/// Attacks until then. Returns what happened, and a fault if clients that never read were not cut.
pub async fn attack(target: &Arc<Target>, until: Instant) -> Result<String, String> {
    let counts = Arc::new(Counts::default());
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        clients.spawn(send_slowly(target.clone(), counts.clone(), number, until));
        clients.spawn(never_read(target.clone(), counts.clone(), until));
    }
    clients.spawn(read_steadily(target.clone(), counts.clone(), until));
    let mut faults = Vec::new();
    while let Some(fault) = clients.join_next().await {
        faults.extend(fault.unwrap().err());
    }
    let summary = format!(
        "{} slow writers and {} clients that never read were cut, {} slow readers read on",
        counts.cut_writers.load(Ordering::Relaxed),
        counts.cut_readers.load(Ordering::Relaxed),
        counts.steady.load(Ordering::Relaxed),
    );
    if faults.is_empty() {
        Ok(summary)
    } else {
        Err(format!("{summary}; {}: {}", faults.len(), faults[0]))
    }
}

/// Sends the head or the body of a request byte by byte, again after each cut.
async fn send_slowly(
    target: Arc<Target>,
    counts: Arc<Counts>,
    number: usize,
    until: Instant,
) -> Result<(), String> {
    let start: &[u8] = if number.is_multiple_of(2) {
        b"GET / HTTP/1.1\r\nhost: localhost\r\nx-slow: "
    } else {
        b"POST /echo HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100000\r\n\r\n"
    };
    while Instant::now() < until {
        let Ok(mut stream) = target.connect(b"http/1.1").await else { continue };
        if stream.write_all(start).await.is_err() {
            continue;
        }
        let mut tick = tokio::time::interval(BYTE_INTERVAL);
        let mut response = [0; 1];
        loop {
            tick.tick().await;
            let is_over = Instant::now() >= until;
            let sent = stream.write_all(b"x").await;
            let answered =
                tokio::time::timeout(Duration::from_millis(1), stream.read(&mut response)).await;
            if sent.is_err() || answered.is_ok() {
                counts.cut_writers.fetch_add(1, Ordering::Relaxed);
                break;
            }
            if is_over {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Requests a large response and reads nothing of it. The service must cut the connection.
async fn never_read(
    target: Arc<Target>,
    counts: Arc<Counts>,
    until: Instant,
) -> Result<(), String> {
    let mut stream = target.connect(b"http/1.1").await.map_err(|error| error.to_string())?;
    let request = b"GET /large HTTP/1.1\r\nhost: localhost\r\n\r\n";
    stream.write_all(request).await.map_err(|error| error.to_string())?;
    // A write fails once the service has reset the connection. An empty line is sent, because servers
    // ignore it before a request (RFC 9112 section 2.2), so that it does not look like progress.
    let mut tick = tokio::time::interval(BYTE_INTERVAL);
    loop {
        tick.tick().await;
        if stream.write_all(b"\n").await.is_err() || stream.flush().await.is_err() {
            counts.cut_readers.fetch_add(1, Ordering::Relaxed);
            return Ok(());
        }
        if Instant::now() >= until + CUT_TIMEOUT {
            return Err("a client that never reads is still connected".to_owned());
        }
    }
}

/// Reads a large response slowly but steadily: it must not be cut.
async fn read_steadily(
    target: Arc<Target>,
    counts: Arc<Counts>,
    until: Instant,
) -> Result<(), String> {
    let mut stream = target.connect_with_small_window().await.map_err(|error| error.to_string())?;
    let request = b"GET /large HTTP/1.1\r\nhost: localhost\r\n\r\n";
    stream.write_all(request).await.map_err(|error| error.to_string())?;
    let mut part = vec![0; 20_000];
    let mut read = 0;
    let mut tick = tokio::time::interval(Duration::from_millis(500));
    while Instant::now() < until {
        tick.tick().await;
        match stream.read_exact(&mut part).await {
            Ok(bytes) => read += bytes,
            Err(error) => {
                return Err(format!("a steady reader was cut after {read} bytes: {error}"));
            }
        }
    }
    counts.steady.fetch_add(1, Ordering::Relaxed);
    Ok(())
}
