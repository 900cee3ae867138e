//! Reads memory and processor time of a process and all its descendants (proc(5)).

use std::collections::HashMap;
use std::fs;
use std::time::Duration;

use super::memory;
use crate::command::Result;

/// Length of a tick in which the kernel counts processor time: `USER_HZ` is 100 on Linux.
const TICK: Duration = Duration::from_millis(10);

/// Returns the processor time of `pid` and its descendants, including those that have ended.
///
/// # Errors
/// When the process has ended.
pub fn cpu_time(pid: u32) -> Result<Duration> {
    let ticks = tree(pid)?.iter().map(|process| process.ticks).sum::<u32>();
    Ok(TICK * ticks)
}

/// Returns the memory of `pid` and its descendants in megabytes: the resident memory of a single
/// process, otherwise the sum of proportional shares (PSS), so that pages which forked processes
/// share count once.
///
/// # Errors
/// When the process has ended.
pub fn memory(pid: u32) -> Result<f64> {
    let tree = tree(pid)?;
    let [single] = tree.as_slice() else {
        return tree.iter().map(|process| read_memory(process.pid, "smaps_rollup", "Pss:")).sum();
    };
    read_memory(single.pid, "status", "VmRSS:")
}

fn read_memory(pid: u32, file: &str, field: &str) -> Result<f64> {
    let text = fs::read_to_string(format!("/proc/{pid}/{file}"))?;
    memory::megabytes(&text, field)
        .ok_or_else(|| format!("no {field} in /proc/{pid}/{file}").into())
}

#[derive(Clone, Debug, PartialEq)]
struct Process {
    pid: u32,
    parent: u32,
    /// Processor time, in [`TICK`]s, with that of children which have ended.
    ticks: u32,
}

fn tree(root: u32) -> Result<Vec<Process>> {
    let mut children: HashMap<u32, Vec<Process>> = HashMap::new();
    let mut tree = Vec::new();
    for process in all()? {
        if process.pid == root {
            tree.push(process);
        } else {
            children.entry(process.parent).or_default().push(process);
        }
    }
    let mut at = 0;
    while let Some(process) = tree.get(at) {
        let more = children.remove(&process.pid).unwrap_or_default();
        tree.extend(more);
        at += 1;
    }
    if tree.is_empty() { Err(format!("process {root} has ended").into()) } else { Ok(tree) }
}

fn all() -> Result<Vec<Process>> {
    let folders = fs::read_dir("/proc")?.flatten();
    // Processes that end meanwhile are left out.
    let stats = folders.filter_map(|folder| fs::read_to_string(folder.path().join("stat")).ok());
    Ok(stats.filter_map(|stat| parse(&stat)).collect())
}

// Split at the last `)`, because the name in `pid (name) state ppid ...` may contain spaces. Fields
// 14 to 17 are the times in user and system mode, then those of children that were waited for.
fn parse(stat: &str) -> Option<Process> {
    let (pid, _) = stat.split_once(' ')?;
    let (_, fields) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let ticks = fields.get(11..15)?.iter().map(|field| field.parse::<u32>());
    Some(Process {
        pid: pid.parse().ok()?,
        parent: fields.get(1)?.parse().ok()?,
        ticks: ticks.sum::<Result<u32, _>>().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_read_behind_a_name_with_spaces() {
        let stat = "77 (a (b) c) S 9 77 77 0 -1 4194304 100 0 0 0 250 50 20 3 20 0 2 0 12345";
        assert_eq!(parse(stat), Some(Process { pid: 77, parent: 9, ticks: 323 }));
        assert_eq!(parse("77 (a) S 1"), None);
    }

    #[test]
    fn the_memory_of_this_process_is_known() {
        assert!(memory(std::process::id()).unwrap() > 1.0);
    }

    #[test]
    fn a_process_that_has_ended_is_an_error() {
        assert!(cpu_time(u32::MAX).is_err());
    }
}
