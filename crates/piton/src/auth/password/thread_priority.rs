//! Lowers the priority of the hashing threads, so that many logins at once leave the other requests their
//! share of the processor.

/// Raises the niceness of the calling thread by `nice`. If the system refuses, the thread keeps its
/// priority.
#[cfg(target_os = "linux")]
pub(super) fn set_nice(nice: u8) {
    use rustix::process::{getpriority_process, setpriority_process};

    if nice == 0 {
        return;
    }
    // On Linux a thread has a priority of its own. POSIX would change that of the whole process.
    let thread = Some(rustix::thread::gettid());
    let lowered = getpriority_process(thread)
        .and_then(|now| setpriority_process(thread, (now + i32::from(nice)).min(19)));
    if let Err(error) = lowered {
        tracing::debug!(%error, "A thread that hashes passwords keeps its priority");
    }
}

/// Does nothing: other systems have no priority for a single thread.
#[cfg(not(target_os = "linux"))]
pub(super) fn set_nice(_nice: u8) {}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use rustix::process::getpriority_process;

    #[test]
    fn only_the_calling_thread_changes_its_niceness() {
        let own = || getpriority_process(Some(rustix::thread::gettid())).unwrap();
        let before = own();
        let lowered = std::thread::spawn(move || {
            super::set_nice(5);
            own()
        });
        assert_eq!(lowered.join().unwrap(), (before + 5).min(19));
        assert_eq!(own(), before);
    }
}
