//! The level while the service runs: raised to look at a fault, and back by itself, so that nobody
//! forgets a service that fills its disk.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use tokio::runtime::Handle;
use tokio::task::AbortHandle;
use tracing::{error, info, warn};

use super::LogLevel;
use super::layer::Rules;

/// The level in force, and how long it stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct LevelState {
    /// The level in force.
    pub level: LogLevel,
    /// The level of the settings.
    pub configured: LogLevel,
    /// When the configured level will be in force again; `None` if it is.
    pub reverts_at: Option<DateTime<Utc>>,
}

/// The level of one log, and the change of it that is in force.
pub(super) struct Switch {
    rules: &'static Rules,
    /// One change after the other, so that the level is that of the last one noted.
    turn: Mutex<()>,
    state: Mutex<State>,
    /// Wakes a thread that waits for the end of a change which another has replaced.
    replaced: Condvar,
}

struct State {
    configured: LogLevel,
    revert_after: Duration,
    /// Counts the changes, so that the end of one does not end the next.
    number: u64,
    reverts_at: Option<DateTime<Utc>>,
    task: Option<AbortHandle>,
}

/// Nobody looks for one fault for longer, and an [`Instant`] has an end.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 60 * 60);

impl Switch {
    pub const fn new(rules: &'static Rules) -> Self {
        Self {
            rules,
            turn: Mutex::new(()),
            state: Mutex::new(State {
                configured: LogLevel::Info,
                revert_after: Duration::from_secs(15 * 60),
                number: 0,
                reverts_at: None,
                task: None,
            }),
            replaced: Condvar::new(),
        }
    }

    fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The level of the settings, in force at once and without a word.
    pub fn configure(&self, level: LogLevel, revert_after: Duration) {
        let _turn = self.turn();
        self.end(|state| {
            state.configured = level;
            state.revert_after = revert_after;
        });
        self.rules.set_level(level);
    }

    pub fn revert_after(&self) -> Duration {
        self.lock().revert_after
    }

    /// A level for some time.
    pub fn set_for(&'static self, level: LogLevel, how_long: Duration) -> LevelState {
        let how_long = how_long.min(LONGEST);
        let delta = TimeDelta::from_std(how_long).unwrap_or(TimeDelta::MAX);
        let turn = self.turn();
        let (number, configured) = self.end(|state| {
            state.reverts_at = Utc::now().checked_add_signed(delta);
            (state.number, state.configured)
        });
        let time = humantime::format_duration(how_long);
        self.change(
            level,
            &format!("The log level is {level} for {time}, then {configured} again"),
        );
        drop(turn);
        self.await_end(Change { switch: self, number, ends: Instant::now() + how_long }, how_long);
        self.state()
    }

    /// `DEBUG`, or `TRACE` if that is in force already, for as long as the settings say.
    pub fn raise(&'static self) -> LevelState {
        let level = match self.rules.level() {
            LogLevel::Debug | LogLevel::Trace => LogLevel::Trace,
            _ => LogLevel::Debug,
        };
        let how_long = self.revert_after();
        self.set_for(level, how_long)
    }

    /// The configured level at once.
    pub fn revert(&self) -> LevelState {
        let turn = self.turn();
        self.back();
        drop(turn);
        self.state()
    }

    pub fn state(&self) -> LevelState {
        let state = self.lock();
        LevelState {
            level: self.rules.level(),
            configured: state.configured,
            reverts_at: state.reverts_at,
        }
    }

    /// Back to the configured level, unless the change has been replaced.
    fn revert_change(&self, number: u64) {
        let _turn = self.turn();
        if self.lock().number == number {
            self.back();
        }
    }

    fn back(&self) {
        let configured = self.end(|state| state.configured);
        self.change(configured, &format!("The log level is {configured} again"));
    }

    /// Forgets the change in force, and begins the next with `begin`.
    fn end<R>(&self, begin: impl FnOnce(&mut State) -> R) -> R {
        let mut state = self.lock();
        state.number += 1;
        state.reverts_at = None;
        let task = state.task.take();
        let begun = begin(&mut state);
        drop(state);
        self.replaced.notify_all();
        // Not under the lock, which a task that is dropped takes.
        if let Some(task) = task {
            task.abort();
        }
        begun
    }

    /// Changes the level and says so while the more talkative of the two is in force: with the
    /// severity that it shows.
    fn change(&self, level: LogLevel, message: &str) {
        let before = self.rules.level();
        let talkative = level.filter() > before.filter();
        if talkative {
            self.rules.set_level(level);
        }
        match self.rules.level_of(module_path!()) {
            LogLevel::Error => error!(%before, "{message}"),
            LogLevel::Warning => warn!(%before, "{message}"),
            _ => info!(%before, "{message}"),
        }
        if !talkative {
            self.rules.set_level(level);
        }
    }

    /// Waits in a task if there is a runtime, in a thread otherwise.
    fn await_end(&'static self, change: Change, how_long: Duration) {
        let Ok(runtime) = Handle::try_current() else { return drop(change) };
        let number = change.number;
        let task = runtime.spawn(async move {
            tokio::time::sleep(how_long).await;
            change.switch.revert_change(change.number);
        });
        let mut state = self.lock();
        if state.number == number {
            state.task = Some(task.abort_handle());
        }
    }

    /// Blocks until the change ends or is replaced.
    fn block_until_end(&self, number: u64, ends: Instant) {
        let mut state = self.lock();
        while state.number == number {
            let left = ends.saturating_duration_since(Instant::now());
            if left.is_zero() {
                drop(state);
                return self.revert_change(number);
            }
            let woken = self.replaced.wait_timeout(state, left);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// A change in force. Where it is dropped before its end, because the runtime that was to end it is
/// gone, a thread does that.
struct Change {
    switch: &'static Switch,
    number: u64,
    ends: Instant,
}

impl Drop for Change {
    fn drop(&mut self) {
        let (switch, number, ends) = (self.switch, self.number, self.ends);
        if switch.lock().number != number {
            return;
        }
        let wait = move || switch.block_until_end(number, ends);
        if std::thread::Builder::new().name("log-level".into()).spawn(wait).is_err() {
            // No thread to be had: better too early than never.
            switch.revert_change(number);
        }
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt;

    use super::super::layer::Layer;
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn switch(configured: LogLevel) -> &'static Switch {
        let rules: &'static Rules = Box::leak(Box::new(Rules::new()));
        let switch: &'static Switch = Box::leak(Box::new(Switch::new(rules)));
        switch.configure(configured, MINUTE);
        switch
    }

    fn level(switch: &Switch) -> LogLevel {
        switch.state().level
    }

    #[tokio::test(start_paused = true)]
    async fn a_level_for_some_time_ends_by_itself() {
        let switch = switch(LogLevel::Warning);
        let state = switch.set_for(LogLevel::Debug, MINUTE);
        assert_eq!((state.level, state.configured), (LogLevel::Debug, LogLevel::Warning));
        assert!(state.reverts_at.is_some());
        tokio::time::sleep(MINUTE - Duration::from_millis(10)).await;
        assert_eq!(level(switch), LogLevel::Debug);
        tokio::time::sleep(Duration::from_millis(20)).await;
        let state = switch.state();
        assert_eq!((state.level, state.reverts_at), (LogLevel::Warning, None));
    }

    #[tokio::test(start_paused = true)]
    async fn a_second_change_replaces_the_first_and_its_end() {
        let switch = switch(LogLevel::Info);
        switch.set_for(LogLevel::Debug, MINUTE);
        tokio::time::sleep(MINUTE / 2).await;
        switch.set_for(LogLevel::Error, 2 * MINUTE);
        tokio::time::sleep(MINUTE).await;
        assert_eq!(level(switch), LogLevel::Error);
        tokio::time::sleep(2 * MINUTE).await;
        assert_eq!(level(switch), LogLevel::Info);
    }

    #[tokio::test(start_paused = true)]
    async fn raising_twice_is_trace_and_reverting_is_at_once() {
        let switch = switch(LogLevel::Info);
        assert_eq!(switch.raise().level, LogLevel::Debug);
        assert_eq!(switch.raise().level, LogLevel::Trace);
        assert_eq!(switch.raise().level, LogLevel::Trace);
        let state = switch.revert();
        assert_eq!((state.level, state.reverts_at), (LogLevel::Info, None));
        switch.raise();
        tokio::time::sleep(MINUTE * 2).await;
        assert_eq!(level(switch), LogLevel::Info);
    }

    #[tokio::test(start_paused = true)]
    async fn a_time_without_end_has_one() {
        let switch = switch(LogLevel::Info);
        assert!(switch.set_for(LogLevel::Debug, Duration::MAX).reverts_at.is_some());
        tokio::time::sleep(LONGEST + MINUTE).await;
        assert_eq!(level(switch), LogLevel::Info);
    }

    #[test]
    fn whoever_changes_the_level_at_the_same_time_it_is_the_configured_one_at_last() {
        let switch = switch(LogLevel::Info);
        std::thread::scope(|threads| {
            for _ in 0..4 {
                threads.spawn(|| {
                    for _ in 0..50 {
                        switch.set_for(LogLevel::Debug, Duration::from_millis(1));
                        switch.revert();
                        switch.set_for(LogLevel::Error, Duration::from_millis(1));
                    }
                });
            }
        });
        wait_until(switch, LogLevel::Info);
        assert_eq!(switch.state().reverts_at, None);
    }

    /// Waits in real time, for what happens in another thread.
    fn wait_until(switch: &Switch, reached: LogLevel) {
        let begin = Instant::now();
        while level(switch) != reached {
            assert!(begin.elapsed() < Duration::from_secs(30), "waited in vain for {reached}");
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_level_ends_without_a_runtime_too() {
        let switch = switch(LogLevel::Info);
        switch.set_for(LogLevel::Debug, Duration::from_millis(20));
        wait_until(switch, LogLevel::Info);
    }

    #[test]
    fn a_level_ends_though_the_runtime_it_was_set_in_is_gone() {
        let switch = switch(LogLevel::Info);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        let runtime = runtime.expect("a test may make a runtime");
        runtime.block_on(async { switch.set_for(LogLevel::Debug, Duration::from_millis(200)) });
        drop(runtime);
        assert_eq!(level(switch), LogLevel::Debug);
        wait_until(switch, LogLevel::Info);
    }

    #[test]
    fn each_change_is_said_at_a_level_that_shows() {
        let cases = [
            (LogLevel::Info, LogLevel::Debug, ["INFO", "INFO"]),
            (LogLevel::Error, LogLevel::Warning, ["WARNING", "WARNING"]),
            (LogLevel::Warning, LogLevel::Error, ["WARNING", "WARNING"]),
            (LogLevel::Info, LogLevel::Info, ["INFO", "INFO"]),
            (LogLevel::Error, LogLevel::Trace, ["INFO", "INFO"]),
        ];
        for (configured, other, levels) in cases {
            let switch = switch(configured);
            let lines: &'static Mutex<Vec<String>> = Box::leak(Box::default());
            let layer = Layer::new(switch.rules, move |line: &str| {
                lines.lock().expect("no test panics with the lock").push(line.to_owned());
            });
            tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
                switch.set_for(other, MINUTE);
                switch.revert();
            });
            let lines = lines.lock().expect("no test panics with the lock");
            assert_eq!(lines.len(), 2, "{lines:?}");
            assert!(lines[0].contains(&format!("{other} for 1m, then {configured} again")));
            assert!(lines[1].contains(&format!("The log level is {configured} again")));
            for (line, level) in lines.iter().zip(levels) {
                assert!(line.contains(&format!(" {level} ")), "{line}");
            }
        }
    }
}
