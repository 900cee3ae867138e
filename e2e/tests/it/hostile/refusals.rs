//! Sends malformed requests, and judges the responses.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;

use super::malformed::{self, MalformedRequest};
use super::target::Target;

/// Statuses that refuse a malformed request.
const REFUSALS: [u16; 8] = [400, 408, 413, 414, 417, 431, 501, 505];

/// Maximum time for the service to refuse a request and close the connection: longer than its own times.
const REFUSE_TIMEOUT: Duration = Duration::from_secs(15);

/// Number of requests that are under way together.
const CONCURRENCY: usize = 16;

/// Sends all malformed requests again and again, each once at least. Returns how many were refused,
/// and a message for each that was not.
pub async fn send_malformed(target: &Target, until: Instant) -> (usize, Vec<String>) {
    let requests = malformed::requests();
    let (mut refused, mut faults) = (0, Vec::new());
    loop {
        for group in requests.chunks(CONCURRENCY) {
            let outcomes = group.iter().map(|request| refuse(target, request));
            for outcome in futures_util::future::join_all(outcomes).await {
                match outcome {
                    Ok(()) => refused += 1,
                    Err(fault) => faults.push(fault),
                }
            }
        }
        if Instant::now() >= until || !faults.is_empty() {
            return (refused, faults);
        }
    }
}

async fn refuse(target: &Target, request: &MalformedRequest) -> Result<(), String> {
    let mut stream = target.connect(b"http/1.1").await.map_err(|error| error.to_string())?;
    // Errors are ignored, because a service may refuse and close before it has read everything.
    let _ = stream.write_all(&request.bytes).await;
    if request.is_cut {
        let _ = stream.shutdown().await;
    }
    let mut response = Vec::new();
    let read = tokio::time::timeout(REFUSE_TIMEOUT, stream.read_to_end(&mut response)).await;
    let text = String::from_utf8_lossy(&response);
    if read.is_err() {
        return Err(format!("{}: not closed after: {text}", request.name));
    }
    let expected = usize::from(request.name.starts_with("second "));
    let statuses: Vec<u16> = statuses(&text).collect();
    let is_refused = match statuses.get(expected) {
        None => statuses.len() == expected,
        Some(status) => REFUSALS.contains(status) && statuses.len() == expected + 1,
    };
    if is_refused { Ok(()) } else { Err(format!("{}: {statuses:?}", request.name)) }
}

fn statuses(text: &str) -> impl Iterator<Item = u16> {
    text.split("HTTP/1.").skip(1).filter_map(|response| response.get(2..5)?.parse().ok())
}
