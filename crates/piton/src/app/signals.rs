//! The signals of the process, and what each does to a service.
//!
//! | signal | effect |
//! |---|---|
//! | SIGTERM, SIGINT, SIGQUIT | drains and stops; a second one stops at once |
//! | SIGHUP | reloads files; drains if the terminal was closed |
//! | SIGUSR1, SIGUSR2 | raises and reverts the log level |

use std::io::{self, IsTerminal};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::info;

use crate::logging;
use crate::reload_signal::ReloadTrigger;
use crate::stop_signal::{Stop, Trigger};

/// The signals that end a process: the first drains, the second stops at once.
pub(super) struct EndSignals {
    pub stop: Stop,
    pub at_once: Stop,
    first: Trigger,
}

/// The signals that can only be followed once the app is launched. They are caught from the creation of
/// this value on, so that they end no process that is starting.
pub(super) struct ReloadSignals {
    hangup: Signal,
    in_terminal: bool,
}

/// Catches SIGTERM, SIGINT and SIGQUIT.
///
/// # Errors
/// The system refuses a signal handler.
pub(super) fn end_signals() -> io::Result<EndSignals> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut quit = signal(SignalKind::quit())?;
    let (first, stop) = Stop::new();
    let (second, at_once) = Stop::new();
    let trigger = first.clone();
    tokio::spawn(async move {
        for trigger in [&trigger, &second] {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                _ = quit.recv() => {}
            }
            trigger.stop();
        }
        // Never ends, because a dropped trigger would stop the service.
        std::future::pending::<()>().await;
    });
    Ok(EndSignals { stop, at_once, first })
}

impl ReloadSignals {
    /// Catches SIGHUP. One that arrives before [`follow`](Self::follow) is not lost.
    ///
    /// # Errors
    /// The system refuses a signal handler.
    pub fn catch() -> io::Result<Self> {
        Ok(Self { hangup: signal(SignalKind::hangup())?, in_terminal: has_terminal() })
    }

    /// Gives the reload signal at each SIGHUP, also while the service drains.
    pub fn follow(mut self, reload: ReloadTrigger, end: &EndSignals) {
        let stop = end.first.clone();
        tokio::spawn(async move {
            while self.hangup.recv().await.is_some() {
                // The system sends SIGHUP when a terminal is closed, too. A service that went on would
                // keep its port from the next one, and nobody would see it.
                if self.in_terminal && !has_terminal() {
                    stop.stop();
                } else {
                    info!("Reloading, because of SIGHUP");
                    reload.reload();
                }
            }
        });
    }
}

/// Returns whether one of the standard streams is a terminal that is open.
fn has_terminal() -> bool {
    io::stdin().is_terminal() || io::stdout().is_terminal() || io::stderr().is_terminal()
}

/// Raises the log level for a time on SIGUSR1, and reverts it on SIGUSR2.
///
/// # Errors
/// The system refuses a signal handler.
pub(super) fn follow_level_signals() -> io::Result<()> {
    let mut raise = signal(SignalKind::user_defined1())?;
    let mut revert = signal(SignalKind::user_defined2())?;
    tokio::spawn(async move {
        loop {
            tokio::select! {
                Some(()) = raise.recv() => logging::raise_level(),
                Some(()) = revert.recv() => logging::revert_level(),
                else => break,
            };
        }
    });
    Ok(())
}
