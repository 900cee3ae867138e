//! Changes the level while the service runs. An override reverts by itself, so that a forgotten one does not
//! fill the disk.

use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use parking_lot::{Condvar, Mutex, MutexGuard};
use serde::Serialize;
use tokio::runtime::Handle;
use tokio::task::AbortHandle;
use tracing::{error, info, warn};

use super::filter::LogRules;
use super::level::LogLevel;

/// The level in force, and the time until which it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct LevelState {
    /// The level in force.
    pub level: LogLevel,
    /// The level of the settings.
    pub configured: LogLevel,
    /// Time at which the configured level will be in force again; `None` if it is in force.
    pub reverts_at: Option<DateTime<Utc>>,
}

/// The level of one log, and its current override.
pub(super) struct LevelControl {
    rules: &'static LogRules,
    /// Serializes changes, so that the level is that of the last one recorded in `state`.
    change_lock: Mutex<()>,
    state: Mutex<OverrideState>,
    /// Wakes a thread that waits to revert an override which another has replaced.
    replaced: Condvar,
}

struct OverrideState {
    configured: LogLevel,
    revert_after: Duration,
    /// Counts the overrides, so that the end of one does not end the next.
    generation: u64,
    reverts_at: Option<DateTime<Utc>>,
    task: Option<AbortHandle>,
}

/// Maximum duration of an override. Longer ones could overflow an [`Instant`].
const MAX_OVERRIDE: Duration = Duration::from_secs(366 * 24 * 60 * 60);

impl LevelControl {
    pub const fn new(rules: &'static LogRules) -> Self {
        Self {
            rules,
            change_lock: Mutex::new(()),
            state: Mutex::new(OverrideState {
                configured: LogLevel::Info,
                revert_after: Duration::from_secs(15 * 60),
                generation: 0,
                reverts_at: None,
                task: None,
            }),
            replaced: Condvar::new(),
        }
    }

    fn change_lock(&self) -> MutexGuard<'_, ()> {
        self.change_lock.lock()
    }

    fn lock(&self) -> MutexGuard<'_, OverrideState> {
        self.state.lock()
    }

    /// Sets the level of the settings at once, without logging it.
    pub fn configure(&self, level: LogLevel, revert_after: Duration) {
        let _change_lock = self.change_lock();
        self.end(|state| {
            state.configured = level;
            state.revert_after = revert_after;
        });
        self.rules.set_level(level);
    }

    pub fn revert_after(&self) -> Duration {
        self.lock().revert_after
    }

    /// Sets a level for some time.
    pub fn set_for(&'static self, level: LogLevel, how_long: Duration) -> LevelState {
        let how_long = how_long.min(MAX_OVERRIDE);
        let delta = TimeDelta::from_std(how_long).unwrap_or(TimeDelta::MAX);
        let change_lock = self.change_lock();
        let (generation, configured) = self.end(|state| {
            state.reverts_at = Utc::now().checked_add_signed(delta);
            (state.generation, state.configured)
        });
        let time = humantime::format_duration(how_long);
        self.change(
            level,
            &format!("The log level is {level} for {time}, then {configured} again"),
        );
        drop(change_lock);
        self.schedule_revert(
            LevelOverride { control: self, generation, ends: Instant::now() + how_long },
            how_long,
        );
        self.state()
    }

    /// Sets `DEBUG`, or `TRACE` if `DEBUG` is in force, for the time in the settings.
    pub fn raise(&'static self) -> LevelState {
        let level = match self.rules.level() {
            LogLevel::Debug | LogLevel::Trace => LogLevel::Trace,
            _ => LogLevel::Debug,
        };
        let how_long = self.revert_after();
        self.set_for(level, how_long)
    }

    /// Reverts to the configured level at once.
    pub fn revert(&self) -> LevelState {
        let change_lock = self.change_lock();
        self.apply_configured();
        drop(change_lock);
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

    /// Reverts to the configured level, unless another override has replaced this one.
    fn revert_override(&self, generation: u64) {
        let _change_lock = self.change_lock();
        if self.lock().generation == generation {
            self.apply_configured();
        }
    }

    fn apply_configured(&self) {
        let configured = self.end(|state| state.configured);
        self.change(configured, &format!("The log level is {configured} again"));
    }

    /// Ends the override in force, and prepares the next one with `begin`.
    fn end<R>(&self, begin: impl FnOnce(&mut OverrideState) -> R) -> R {
        let mut state = self.lock();
        state.generation += 1;
        state.reverts_at = None;
        let task = state.task.take();
        let started = begin(&mut state);
        drop(state);
        self.replaced.notify_all();
        // Aborted without the lock, because dropping the task's override takes it.
        if let Some(task) = task {
            task.abort();
        }
        started
    }

    /// Changes the level and logs the change while the more verbose of both levels is in force, with a
    /// severity that this level shows.
    fn change(&self, level: LogLevel, message: &str) {
        let before = self.rules.level();
        let is_more_verbose = level.filter() > before.filter();
        if is_more_verbose {
            self.rules.set_level(level);
        }
        match self.rules.level_of(module_path!()) {
            LogLevel::Error => error!(%before, "{message}"),
            LogLevel::Warning => warn!(%before, "{message}"),
            _ => info!(%before, "{message}"),
        }
        if !is_more_verbose {
            self.rules.set_level(level);
        }
    }

    /// Reverts the override in a task if there is a runtime, otherwise in a thread.
    fn schedule_revert(&'static self, change: LevelOverride, how_long: Duration) {
        let Ok(runtime) = Handle::try_current() else { return drop(change) };
        let generation = change.generation;
        let task = runtime.spawn(async move {
            tokio::time::sleep(how_long).await;
            change.control.revert_override(change.generation);
        });
        let mut state = self.lock();
        if state.generation == generation {
            state.task = Some(task.abort_handle());
        }
    }

    /// Blocks until the override ends or is replaced.
    fn block_until_reverted(&self, generation: u64, ends: Instant) {
        let mut state = self.lock();
        while state.generation == generation {
            let left = ends.saturating_duration_since(Instant::now());
            if left.is_zero() {
                drop(state);
                return self.revert_override(generation);
            }
            self.replaced.wait_for(&mut state, left);
        }
    }
}

/// An override in force. If it is dropped before its end, because its runtime was shut down, a thread
/// reverts it.
struct LevelOverride {
    control: &'static LevelControl,
    generation: u64,
    ends: Instant,
}

impl Drop for LevelOverride {
    fn drop(&mut self) {
        let (control, generation, ends) = (self.control, self.generation, self.ends);
        if control.lock().generation != generation {
            return;
        }
        let wait = move || control.block_until_reverted(generation, ends);
        if std::thread::Builder::new().name("log-level".into()).spawn(wait).is_err() {
            // Without a thread the override ends now, because otherwise it would never end.
            control.revert_override(generation);
        }
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt;

    use super::super::layer::LineLayer;
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn control(configured: LogLevel) -> &'static LevelControl {
        let rules: &'static LogRules = Box::leak(Box::new(LogRules::new()));
        let control: &'static LevelControl = Box::leak(Box::new(LevelControl::new(rules)));
        control.configure(configured, MINUTE);
        control
    }

    fn level(control: &LevelControl) -> LogLevel {
        control.state().level
    }

    #[tokio::test(start_paused = true)]
    async fn an_override_ends_by_itself() {
        let control = control(LogLevel::Warning);
        let state = control.set_for(LogLevel::Debug, MINUTE);
        assert_eq!((state.level, state.configured), (LogLevel::Debug, LogLevel::Warning));
        assert!(state.reverts_at.is_some());
        tokio::time::sleep(MINUTE - Duration::from_millis(10)).await;
        assert_eq!(level(control), LogLevel::Debug);
        tokio::time::sleep(Duration::from_millis(20)).await;
        let state = control.state();
        assert_eq!((state.level, state.reverts_at), (LogLevel::Warning, None));
    }

    #[tokio::test(start_paused = true)]
    async fn a_second_override_replaces_the_first_and_its_end() {
        let control = control(LogLevel::Info);
        control.set_for(LogLevel::Debug, MINUTE);
        tokio::time::sleep(MINUTE / 2).await;
        control.set_for(LogLevel::Error, 2 * MINUTE);
        tokio::time::sleep(MINUTE).await;
        assert_eq!(level(control), LogLevel::Error);
        tokio::time::sleep(2 * MINUTE).await;
        assert_eq!(level(control), LogLevel::Info);
    }

    #[tokio::test(start_paused = true)]
    async fn raising_twice_is_trace_and_reverting_is_at_once() {
        let control = control(LogLevel::Info);
        assert_eq!(control.raise().level, LogLevel::Debug);
        assert_eq!(control.raise().level, LogLevel::Trace);
        assert_eq!(control.raise().level, LogLevel::Trace);
        let state = control.revert();
        assert_eq!((state.level, state.reverts_at), (LogLevel::Info, None));
        control.raise();
        tokio::time::sleep(MINUTE * 2).await;
        assert_eq!(level(control), LogLevel::Info);
    }

    #[tokio::test(start_paused = true)]
    async fn an_override_has_a_maximum_duration() {
        let control = control(LogLevel::Info);
        assert!(control.set_for(LogLevel::Debug, Duration::MAX).reverts_at.is_some());
        tokio::time::sleep(MAX_OVERRIDE + MINUTE).await;
        assert_eq!(level(control), LogLevel::Info);
    }

    #[test]
    fn concurrent_overrides_end_at_the_configured_level() {
        let control = control(LogLevel::Info);
        std::thread::scope(|threads| {
            for _ in 0..4 {
                threads.spawn(|| {
                    for _ in 0..50 {
                        control.set_for(LogLevel::Debug, Duration::from_millis(1));
                        control.revert();
                        control.set_for(LogLevel::Error, Duration::from_millis(1));
                    }
                });
            }
        });
        wait_until(control, LogLevel::Info);
        assert_eq!(control.state().reverts_at, None);
    }

    /// Waits in real time, for what happens in another thread.
    fn wait_until(control: &LevelControl, reached: LogLevel) {
        let begin = Instant::now();
        while level(control) != reached {
            assert!(begin.elapsed() < Duration::from_secs(30), "waited in vain for {reached}");
            std::thread::yield_now();
        }
    }

    #[test]
    fn an_override_ends_without_a_runtime() {
        let control = control(LogLevel::Info);
        control.set_for(LogLevel::Debug, Duration::from_millis(20));
        wait_until(control, LogLevel::Info);
    }

    #[test]
    fn an_override_ends_after_its_runtime_was_shut_down() {
        let control = control(LogLevel::Info);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        let runtime = runtime.expect("a test may make a runtime");
        runtime.block_on(async { control.set_for(LogLevel::Debug, Duration::from_millis(200)) });
        drop(runtime);
        assert_eq!(level(control), LogLevel::Debug);
        wait_until(control, LogLevel::Info);
    }

    #[test]
    fn each_change_is_logged_at_a_level_in_force() {
        let cases = [
            (LogLevel::Info, LogLevel::Debug, ["INFO", "INFO"]),
            (LogLevel::Error, LogLevel::Warning, ["WARNING", "WARNING"]),
            (LogLevel::Warning, LogLevel::Error, ["WARNING", "WARNING"]),
            (LogLevel::Info, LogLevel::Info, ["INFO", "INFO"]),
            (LogLevel::Error, LogLevel::Trace, ["INFO", "INFO"]),
        ];
        for (configured, other, levels) in cases {
            let control = control(configured);
            let lines: &'static Mutex<Vec<String>> = Box::leak(Box::default());
            let layer = LineLayer::new(control.rules, move |line: &str| {
                lines.lock().push(line.to_owned());
            });
            tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
                control.set_for(other, MINUTE);
                control.revert();
            });
            let lines = lines.lock();
            assert_eq!(lines.len(), 2, "{lines:?}");
            assert!(lines[0].contains(&format!("{other} for 1m, then {configured} again")));
            assert!(lines[1].contains(&format!("The log level is {configured} again")));
            for (line, level) in lines.iter().zip(levels) {
                assert!(line.contains(&format!(" {level} ")), "{line}");
            }
        }
    }
}
