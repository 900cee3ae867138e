//! Measures the time from the start of a program to its first response.

use super::contender::Contender;
use super::server::BenchServer;
use super::{Effort, median};
use crate::command::Result;

/// Returns the medians of both contenders, in milliseconds.
///
/// # Errors
/// When a server does not start.
pub fn measure(contenders: &[Contender; 2], effort: Effort) -> Result<[f64; 2]> {
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..effort.pick(5, 15) {
        for (contender, times) in contenders.iter().zip(&mut times) {
            times.push(BenchServer::time(contender)?.as_secs_f64() * 1_000.0);
        }
    }
    Ok(times.map(|times| median(&times)))
}
