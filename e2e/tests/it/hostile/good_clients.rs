//! Clients that do nothing wrong while others attack. Each knows which response is its own, so that one
//! that belongs to another request is noticed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinSet;

use super::target::{ByteStream, Target};

const CLIENTS: u64 = 4;

/// Time between two requests of a client.
const REQUEST_INTERVAL: Duration = Duration::from_millis(20);

/// Maximum time for a response.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Debug, Default)]
pub struct Counts {
    pub right: AtomicU64,
    /// 503, and connections that were closed for another to be served.
    pub refused: AtomicU64,
    pub wrong: parking_lot::Mutex<Vec<String>>,
    done: AtomicBool,
}

/// Clients that send requests until they are stopped.
pub struct GoodClients {
    pub counts: Arc<Counts>,
    clients: JoinSet<()>,
}

impl GoodClients {
    pub fn start(target: &Arc<Target>) -> Self {
        let counts = Arc::new(Counts::default());
        let mut clients = JoinSet::new();
        for number in 0..CLIENTS {
            clients.spawn(run(target.clone(), counts.clone(), number << 32));
        }
        Self { counts, clients }
    }

    pub async fn stop(mut self) -> Arc<Counts> {
        self.counts.done.store(true, Ordering::Relaxed);
        while self.clients.join_next().await.is_some() {}
        self.counts
    }
}

async fn run(target: Arc<Target>, counts: Arc<Counts>, mut number: u64) {
    let mut connection = None;
    let mut tick = tokio::time::interval(REQUEST_INTERVAL);
    while !counts.done.load(Ordering::Relaxed) {
        tick.tick().await;
        number += 1;
        let mut stream = match connection.take() {
            Some(stream) => stream,
            None => match target.connect(b"http/1.1").await {
                Ok(stream) => stream,
                Err(_) => {
                    counts.refused.fetch_add(1, Ordering::Relaxed);
                    continue;
                }
            },
        };
        let exchange = exchange(&mut stream, number);
        match tokio::time::timeout(RESPONSE_TIMEOUT, exchange).await {
            Ok(Ok(response)) => {
                let closes = response.contains("\r\nconnection: close");
                judge(&counts, number, &response);
                connection = (!closes).then_some(stream);
            }
            Ok(Err(_)) => {
                counts.refused.fetch_add(1, Ordering::Relaxed);
            }
            Err(_) => counts.wrong.lock().push(format!("{number}: no response")),
        }
    }
}

fn judge(counts: &Counts, number: u64, response: &str) {
    if response.starts_with("HTTP/1.1 200") && response.ends_with(&format!("\r\n\r\n{number}")) {
        counts.right.fetch_add(1, Ordering::Relaxed);
    } else if response.starts_with("HTTP/1.1 503") {
        counts.refused.fetch_add(1, Ordering::Relaxed);
    } else {
        counts.wrong.lock().push(format!("{number}: {response}"));
    }
}

/// Sends every other request with a body, and reads the response.
async fn exchange(stream: &mut Box<dyn ByteStream>, number: u64) -> std::io::Result<String> {
    let request = if number.is_multiple_of(2) {
        format!("GET /number/{number} HTTP/1.1\r\nhost: localhost\r\n\r\n")
    } else {
        let text = number.to_string();
        let length = text.len();
        format!("POST /echo HTTP/1.1\r\nhost: localhost\r\ncontent-length: {length}\r\n\r\n{text}")
    };
    stream.write_all(request.as_bytes()).await?;
    let mut response = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&response);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if length.and_then(|length| length.parse().ok()) == Some(body.len()) {
                return Ok(text.into_owned());
            }
        }
        drop(text);
        if stream.read_buf(&mut response).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
}
