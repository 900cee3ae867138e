//! Measures the memory of an idle server.

use std::fs;

use super::client::Client;
use super::contender::Contender;
use super::server::BenchServer;
use crate::command::Result;

const REQUESTS: u32 = 1_000;

/// Resident memory, in megabytes (1,000,000 bytes).
pub struct Memory {
    pub ready: f64,
    pub after_requests: f64,
}

/// Measures the server once it is ready, and after 1,000 requests.
///
/// # Errors
/// When the server cannot be started, or does not respond.
pub fn measure(contender: &Contender) -> Result<Memory> {
    let server = BenchServer::start(contender, &[])?;
    let ready = resident(&server)?;
    Client::connect(server.port)?.get_often("/", REQUESTS)?;
    Ok(Memory { ready, after_requests: resident(&server)? })
}

/// Returns the resident memory of the server in megabytes.
///
/// # Errors
/// When it has ended.
pub fn resident(server: &BenchServer) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{}/status", server.pid()))?;
    megabytes(&status, "VmRSS:").ok_or_else(|| "no VmRSS in the process's status".into())
}

/// Returns a field of a file in `/proc`, which counts in units of 1,024 bytes.
pub fn megabytes(text: &str, field: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(field))?;
    let kibibytes: f64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kibibytes * 1024.0 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resident_memory_is_read_from_the_status_of_a_process() {
        let megabytes = megabytes("Name:\thello\nVmRSS:\t    5000 kB\n", "VmRSS:").unwrap();
        assert!((megabytes - 5.12).abs() < 1e-9, "{megabytes}");
    }
}
