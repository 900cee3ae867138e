//! Lets the threads that hash step back, so that a rush of logins leaves the other requests their
//! share of the processor.

/// Makes the calling thread give way to others, by `nice` more than it did. Where the system does not
/// let it, the thread works as it is.
#[cfg(target_os = "linux")]
pub(super) fn set_nice(nice: u8) {
    use rustix::process::{getpriority_process, setpriority_process};

    if nice == 0 {
        return;
    }
    // On Linux each thread has a priority of its own, by its own id.
    let thread = Some(rustix::thread::gettid());
    let lowered = getpriority_process(thread)
        .and_then(|now| setpriority_process(thread, (now + i32::from(nice)).min(19)));
    if let Err(error) = lowered {
        tracing::debug!(%error, "A thread that hashes passwords keeps its priority");
    }
}

/// Elsewhere the thread works as it is.
#[cfg(not(target_os = "linux"))]
pub(super) fn set_nice(_nice: u8) {}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use rustix::process::getpriority_process;

    #[test]
    fn a_thread_steps_back_alone() {
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
