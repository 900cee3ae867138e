//! The times and the signal that end a stream which its handler would continue.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep};

use super::registry::{EndReason, OpenStream, StreamAdmission, StreamTimes};

/// The timers and the signal that end a stream, and the timer of its heartbeat.
pub(super) struct StreamDeadlines {
    open: Option<OpenStream>,
    stopped: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    heartbeat: Option<RestartableTimer>,
    idle: Option<RestartableTimer>,
    end: Option<Pin<Box<Sleep>>>,
}

/// A timer that begins anew at each event.
struct RestartableTimer {
    period: Duration,
    sleep: Pin<Box<Sleep>>,
}

impl RestartableTimer {
    fn new(period: Duration) -> Self {
        Self { period, sleep: Box::pin(sleep(period)) }
    }

    fn restart(&mut self) {
        self.sleep.as_mut().reset(Instant::now() + self.period);
    }
}

/// Polls a timer. One that is not set never ends.
fn poll_timer(timer: &mut Option<RestartableTimer>, cx: &mut Context<'_>) -> Poll<()> {
    timer.as_mut().map_or(Poll::Pending, |timer| timer.sleep.as_mut().poll(cx))
}

impl StreamDeadlines {
    /// Starts the times of an admitted stream.
    pub fn start(admission: StreamAdmission) -> Self {
        let StreamTimes { heartbeat, idle_timeout, max_duration } = admission.times;
        let stopped = admission.stopping.map(|stop| {
            let stopped: Pin<Box<dyn Future<Output = ()> + Send>> =
                Box::pin(async move { stop.stopped().await });
            stopped
        });
        Self {
            open: admission.open,
            stopped,
            heartbeat: heartbeat.map(RestartableTimer::new),
            idle: idle_timeout.map(RestartableTimer::new),
            end: max_duration.map(|time| Box::pin(sleep(time))),
        }
    }

    /// Records an event: heartbeat and idle time begin anew.
    pub fn record_activity(&mut self) {
        self.heartbeat.iter_mut().chain(&mut self.idle).for_each(RestartableTimer::restart);
    }

    /// Sets the reason that is counted when the stream is dropped.
    pub fn set_reason(&mut self, reason: EndReason) {
        if let Some(open) = &mut self.open {
            open.set_reason(reason);
        }
    }

    /// Returns the reason to end the stream, once there is one.
    pub fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<EndReason> {
        let is_stopped =
            self.stopped.as_mut().is_some_and(|stopped| stopped.as_mut().poll(cx).is_ready());
        if is_stopped {
            self.stopped = None;
            return Poll::Ready(EndReason::Stopped);
        }
        if self.end.as_mut().is_some_and(|end| end.as_mut().poll(cx).is_ready()) {
            return Poll::Ready(EndReason::MaxDuration);
        }
        poll_timer(&mut self.idle, cx).map(|()| EndReason::Idle)
    }

    /// Returns each time that a heartbeat is due.
    pub fn poll_heartbeat(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let due = poll_timer(&mut self.heartbeat, cx);
        if let (Poll::Ready(()), Some(heartbeat)) = (due, &mut self.heartbeat) {
            heartbeat.restart();
        }
        due
    }
}
