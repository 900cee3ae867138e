//! Metrics of the process from Linux' `/proc`, with the names that Prometheus' client libraries share.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;

use super::encode_gauge;

/// The unit of times in `/proc`: Linux gives them in hundredths of a second (`USER_HZ`, which is 100
/// on every architecture that Rust has a standard library for).
const TICKS_PER_SECOND: f64 = 100.0;

/// The size of a memory page in bytes, on x86-64 and on most ARM kernels.
const PAGE_BYTES: f64 = 4096.0;

/// The metrics of the process.
#[derive(Debug)]
pub(super) struct ProcessMetrics {
    started: SystemTime,
}

/// The fields of `/proc/self/stat` that are shown; see proc(5).
#[derive(Debug, PartialEq)]
struct Stat {
    cpu_seconds: f64,
    threads: f64,
    virtual_bytes: f64,
    resident_bytes: f64,
}

impl ProcessMetrics {
    pub fn new() -> Self {
        Self { started: SystemTime::now() }
    }
}

fn read_stat(text: &str) -> Option<Stat> {
    // Split after the last parenthesis, because the program's name may hold spaces and parentheses.
    let (_, fields) = text.rsplit_once(')')?;
    let fields: Vec<f64> =
        fields.split_whitespace().map(|field| field.parse().unwrap_or(0.0)).collect();
    let field = |number: usize| fields.get(number - 3).copied();
    Some(Stat {
        cpu_seconds: (field(14)? + field(15)?) / TICKS_PER_SECOND,
        threads: field(20)?,
        virtual_bytes: field(23)?,
        resident_bytes: field(24)? * PAGE_BYTES,
    })
}

/// Returns the soft limit of open files, from `/proc/self/limits`.
fn read_limit(text: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

fn open_files() -> Option<f64> {
    let count = std::fs::read_dir("/proc/self/fd").ok()?.count();
    // Reading the folder opens one more, which must not count.
    u32::try_from(count.saturating_sub(1)).ok().map(f64::from)
}

impl Collector for ProcessMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let since = self.started.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        let mut gauge = |name: &str, help: &str, value: Option<f64>| match value {
            Some(value) => encode_gauge(&mut encoder, name, help, value),
            None => Ok(()),
        };
        let stat = std::fs::read_to_string("/proc/self/stat").ok();
        let stat = stat.as_deref().and_then(read_stat);
        let limit = std::fs::read_to_string("/proc/self/limits").ok();
        let get = |of: fn(&Stat) -> f64| stat.as_ref().map(of);
        gauge(
            "process_start_time_seconds",
            "Start time of the process since the Unix epoch",
            Some(since),
        )?;
        gauge(
            "process_resident_memory_bytes",
            "Resident memory size",
            get(|stat| stat.resident_bytes),
        )?;
        gauge(
            "process_virtual_memory_bytes",
            "Virtual memory size",
            get(|stat| stat.virtual_bytes),
        )?;
        gauge("process_threads", "Threads", get(|stat| stat.threads))?;
        gauge("process_open_fds", "Open file descriptors", open_files())?;
        gauge(
            "process_max_fds",
            "Maximum number of open file descriptors",
            limit.as_deref().and_then(read_limit),
        )?;
        if let Some(stat) = stat {
            let help = "Total user and system CPU time";
            let kind = MetricType::Counter;
            let metric = encoder.encode_descriptor("process_cpu_seconds", help, None, kind)?;
            ConstCounter::new(stat.cpu_seconds).encode(metric)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::Metrics;
    use super::*;

    #[test]
    fn the_fields_are_found_behind_a_name_with_spaces() {
        let text =
            "77 (a (b) c) S 1 77 77 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 7 0 12345 1000000 250 0";
        let stat = Stat {
            cpu_seconds: 3.0,
            threads: 7.0,
            virtual_bytes: 1_000_000.0,
            resident_bytes: 1_024_000.0,
        };
        assert_eq!(read_stat(text), Some(stat));
        assert_eq!(read_stat("77 (a) S 1"), None);
        let limits = "Limit  Soft Limit  Hard Limit  Units\nMax open files            1024                 4096                 files\n";
        assert_eq!(read_limit(limits), Some(1024.0));
    }

    #[test]
    fn this_process_is_measured() {
        let metrics = Metrics::default();
        metrics.collect(ProcessMetrics::new());
        let text = metrics.text();
        let value = |name: &str| -> f64 {
            let line = text.lines().find(|line| line.starts_with(name)).unwrap();
            line.rsplit(' ').next().unwrap().parse().unwrap()
        };
        assert!(value("process_resident_memory_bytes ") > 1_000_000.0, "{text}");
        assert!(value("process_open_fds ") >= 3.0 && value("process_threads ") >= 1.0, "{text}");
        assert!(value("process_start_time_seconds ") > 1.7e9, "{text}");
        assert!(text.contains("# TYPE process_cpu_seconds_total counter"), "{text}");
    }
}
