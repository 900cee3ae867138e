//! Control groups with a memory limit, as a container has one.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// A control group. Removed when dropped, once its processes have ended.
#[derive(Debug)]
pub struct Cgroup(PathBuf);

impl Cgroup {
    /// Creates a group whose processes may use `bytes` of memory in all, and no swap. `None` if
    /// this process may not create one: that requires root, and a writable hierarchy of control
    /// groups.
    #[must_use]
    pub fn with_memory(bytes: u64) -> Option<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("piton-test-{}-{number}", std::process::id());
        let folders = [
            ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.memsw.limit_in_bytes"),
            ("/sys/fs/cgroup", "memory.max", "memory.swap.max"),
        ];
        folders.into_iter().find_map(|(parent, limit, swap)| {
            if !Path::new(parent).join("cgroup.procs").exists() {
                return None;
            }
            let folder = Path::new(parent).join(&name);
            fs::create_dir(&folder).ok()?;
            let group = Self(folder);
            fs::write(group.0.join(limit), bytes.to_string()).ok()?;
            // Not every kernel counts swap, so this file may be missing.
            let swap_bytes = if limit == "memory.max" { 0 } else { bytes };
            let _ = fs::write(group.0.join(swap), swap_bytes.to_string());
            Some(group)
        })
    }

    /// Returns the file to which the ids of the group's processes are written.
    #[must_use]
    pub fn procs(&self) -> PathBuf {
        self.0.join("cgroup.procs")
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        // Retried, because a process that was killed a moment ago may still be in the group, which
        // cannot be removed then.
        #[expect(clippy::disallowed_methods, reason = "nothing can be awaited while it is dropped")]
        for _ in 0..200 {
            if fs::remove_dir(&self.0).is_ok() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    }
}
