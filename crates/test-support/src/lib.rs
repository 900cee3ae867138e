//! Support for the tests of every package: the built programs, real servers, and a client that
//! counts failures instead of hiding them.
//!
//! All servers listen on free ports of the loopback, run in temporary folders, and are stopped by
//! their process ids when they go out of scope.

pub mod ashirt_backend;
pub mod certificates;
pub mod cgroup;
pub mod cli;
pub mod generated_clients;
pub mod gnar;
pub mod http_client;
pub mod moto;
pub mod nginx;
pub mod node;
pub mod pgbouncer;
pub mod postgres;
pub mod programs;
pub mod python;
pub mod redis;
pub mod schemathesis;
pub mod service;
pub mod stalled_clients;
pub mod tcp_proxy;
pub mod varnish;
pub mod walkthrough;

use std::future::Future;
use std::net::TcpListener;
use std::time::{Duration, Instant};

/// Returns a CNPJ with right check digits for each number.
#[must_use]
pub fn cnpj(number: u32) -> String {
    let mut digits: Vec<u32> =
        format!("{number:012}").bytes().map(|digit| u32::from(digit - b'0')).collect();
    for _ in 0..2 {
        let sum: u32 =
            digits.iter().rev().zip((2..=9).cycle()).map(|(digit, weight)| digit * weight).sum();
        digits.push(if sum % 11 < 2 { 0 } else { 11 - sum % 11 });
    }
    digits.iter().map(ToString::to_string).collect()
}

/// Returns a port that was free a moment ago.
///
/// # Panics
/// If there is none.
#[must_use]
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("a bound listener has an address").port()
}

/// Waits until `condition` holds.
///
/// # Panics
/// After 30 seconds; the message names the condition.
pub async fn wait_for<F: Future<Output = bool>>(what: &str, condition: impl FnMut() -> F) {
    wait_for_within(what, Duration::from_secs(30), condition).await;
}

/// Waits until `condition` holds, for at most `limit`.
///
/// # Panics
/// After `limit`; the message names the condition.
pub async fn wait_for_within<F: Future<Output = bool>>(
    what: &str,
    limit: Duration,
    mut condition: impl FnMut() -> F,
) {
    let begin = Instant::now();
    while !condition().await {
        assert!(begin.elapsed() < limit, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
