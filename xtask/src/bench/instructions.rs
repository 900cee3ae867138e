//! Instructions a request, by callgrind: a number that a busy machine does not change.
//!
//! A server also executes instructions to start and to stop. So it runs twice, once with three
//! times the requests: the difference is caused by requests alone.

use std::fs;

use super::client::Client;
use super::contender::Contender;
use super::server::{BenchServer, scratch};
use crate::command::Result;

const REQUESTS: u32 = 1_000;

/// Returns the number of instructions of one request for `path` on a persistent connection.
///
/// # Errors
/// When valgrind or the server fails.
pub fn measure(contender: &Contender, path: &str) -> Result<f64> {
    let few = total(contender, path, REQUESTS)?;
    let many = total(contender, path, 3 * REQUESTS)?;
    Ok((many - few) / f64::from(2 * REQUESTS))
}

fn total(contender: &Contender, path: &str, requests: u32) -> Result<f64> {
    let file = scratch("callgrind")?.join(format!("{}.{requests}.out", contender.package));
    // One worker, so that no second one spends instructions on searching for work.
    let prefix = [
        "env",
        "TOKIO_WORKER_THREADS=1",
        "valgrind",
        "--quiet",
        "--tool=callgrind",
        &format!("--callgrind-out-file={}", file.display()),
    ];
    let server = BenchServer::start(contender, &prefix.map(str::to_owned))?;
    Client::connect(server.port)?.get_often(path, requests)?;
    server.stop()?;
    let text = fs::read_to_string(&file)
        .map_err(|error| format!("callgrind wrote no {}: {error}", file.display()))?;
    totals(&text).ok_or_else(|| format!("no totals in {}", file.display()).into())
}

// Both are accepted, because older versions write `summary: 123456` instead of `totals: 123456`.
fn totals(text: &str) -> Option<f64> {
    let value = |line: &str| {
        let value = line.strip_prefix("totals:").or_else(|| line.strip_prefix("summary:"))?;
        value.split_whitespace().next()?.parse().ok()
    };
    text.lines().rev().find_map(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_totals_at_the_end_of_a_profile_are_read() {
        let text =
            "# callgrind format\nversion: 1\nevents: Ir\n\nfn=(1)\n0 12\n\ntotals: 2461532\n";
        assert_eq!(totals(text), Some(2_461_532.0));
        assert_eq!(totals("events: Ir\nsummary: 77\n\nfn=(1)\n0 12\n"), Some(77.0));
        assert_eq!(totals("events: Ir\n"), None);
    }
}
