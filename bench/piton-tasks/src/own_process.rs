//! Reads what the kernel counts for this process (proc(5)).

use std::fs;
use std::time::Duration;

/// Length of a tick in which the kernel counts processor time: `USER_HZ` is 100 on Linux.
const TICK: Duration = Duration::from_millis(10);

/// Returns the processor time of this process, in user and system mode.
pub fn cpu_time() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // Split at the last `)`, because the name in `pid (name) state ...` may contain spaces.
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
    let ticks = fields.split_whitespace().skip(11).take(2);
    TICK * ticks.filter_map(|field| field.parse::<u32>().ok()).sum::<u32>()
}

/// Prints how many bytes this process has written. On SQLite that is the log and, at checkpoints, the file.
pub fn print_written_bytes() {
    let io = fs::read_to_string("/proc/self/io").unwrap_or_default();
    if let Some(bytes) = io.lines().find_map(|line| line.strip_prefix("wchar: ")) {
        println!("written_bytes {bytes}");
    }
}
