//! Determines the memory that the process may use, and holds the budget that requests share.
//!
//! Limits that ignore the size of the memory end with the kernel killing the process, without a
//! line in the log. So every default of such a limit asks for [`limit`] first.

mod budget;
mod cgroup;

use std::fmt;
use std::path::Path;
use std::sync::OnceLock;

use crate::config::ByteSize;

pub(crate) use budget::{BudgetMetrics, MemoryBudget, MemoryCharge, SMALL};

/// The maximum memory that the process may use, and the source of that limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MemoryLimit {
    pub bytes: u64,
    /// Set if a container (a cgroup) sets it, instead of the machine's size.
    of_container: bool,
}

impl MemoryLimit {
    /// Creates the limit that a cgroup sets.
    pub const fn of_container(bytes: u64) -> Self {
        Self { bytes, of_container: true }
    }

    const fn of_machine(bytes: u64) -> Self {
        Self { bytes, of_container: false }
    }
}

impl fmt::Display for MemoryLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let size = rounded(self.bytes);
        if self.of_container {
            write!(f, "the container may use {size} in all (the memory limit of its cgroup)")
        } else {
            write!(f, "the machine has {size} in all")
        }
    }
}

/// Returns the maximum memory that this process may use: its container's limit, or the machine's
/// memory. `None` where the system does not report it. Read once, because containers are resized by
/// starting new ones.
pub(crate) fn limit() -> Option<&'static MemoryLimit> {
    static LIMIT: OnceLock<Option<MemoryLimit>> = OnceLock::new();
    LIMIT.get_or_init(|| limit_under(Path::new("/"))).as_ref()
}

/// Returns the [`limit`] of the system whose files lie under `root`.
fn limit_under(root: &Path) -> Option<MemoryLimit> {
    let container = cgroup::limit(root).map(MemoryLimit::of_container);
    let machine = machine(root).map(MemoryLimit::of_machine);
    container.into_iter().chain(machine).min_by_key(|limit| limit.bytes)
}

/// Returns the machine's memory in bytes.
fn machine(root: &Path) -> Option<u64> {
    let text = std::fs::read_to_string(root.join("proc/meminfo")).ok()?;
    let kib = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    kib.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok().map(|kib| kib << 10)
}

/// Rounds `bytes` to whole units for people: `64MiB`, not `67108863B`.
pub(crate) fn rounded(bytes: u64) -> ByteSize {
    match bytes {
        0..0x10_0000 => ByteSize::bytes(bytes),
        _ => ByteSize::mib(bytes >> 20),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smaller_of_container_and_machine_counts() {
        let root = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = root.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        assert_eq!(limit_under(root.path()), None);
        write("proc/meminfo", "MemTotal:        1048576 kB\nMemFree: 1 kB\n");
        assert_eq!(limit_under(root.path()), Some(MemoryLimit::of_machine(1 << 30)));
        write("proc/self/cgroup", "0::/app\n");
        write("proc/self/mountinfo", "1 0 0:1 / /cg rw - cgroup2 cgroup2 rw\n");
        write("cg/app/memory.max", "67108864\n");
        let limit = limit_under(root.path()).unwrap();
        assert_eq!(limit, MemoryLimit::of_container(64 << 20));
        assert!(limit.to_string().contains("64MiB"), "{limit}");
        write("cg/app/memory.max", "4294967296\n");
        assert_eq!(limit_under(root.path()), Some(MemoryLimit::of_machine(1 << 30)));
    }

    #[test]
    fn this_machine_says_how_much_it_has() {
        assert!(limit().is_some_and(|limit| limit.bytes > 16 << 20));
    }
}
