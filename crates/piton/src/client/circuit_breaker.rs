//! Circuit breakers: after some failures in a row, calls to a host fail at once for a while, then one
//! call is let through as a trial.
//!
//! Written by hand, because a host counts as working only when its response was read to the end (or the
//! caller needs no more of it): one that sends a head and never finishes the body has failed. A generic
//! breaker around the future of a call would judge by the head alone.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde_json::{Value, json};
use tracing::{info, warn};

use super::error::Target;

/// Maximum number of hosts that are remembered. Only hosts that have failed are.
const MAX_HOSTS: usize = 1024;

/// `Retry-After` of calls that are refused while another call is the trial.
const TRIAL_RETRY_AFTER: Duration = Duration::from_secs(1);

/// The circuit breakers of the hosts that failed when they were last called, by `host:port`.
pub(super) struct CircuitBreakers {
    /// Number of failures in a row that opens a breaker; 0 is never.
    max_failures: u32,
    pause: Duration,
    failing: Mutex<HashMap<String, BreakerState>>,
}

struct BreakerState {
    target: Target,
    failures_in_a_row: u32,
    open: Option<OpenBreaker>,
    last_failure: Instant,
}

struct OpenBreaker {
    until: Instant,
    /// The deadline of the trial, if one is under way (half-open).
    half_open_until: Option<Instant>,
}

/// Permission for one attempt. Dropped without a report, it says nothing about the host.
pub(super) struct CallPermit {
    breakers: Arc<CircuitBreakers>,
    host: Arc<str>,
    target: Target,
    is_trial: bool,
}

impl CircuitBreakers {
    pub fn new(max_failures: u32, pause: Duration) -> Self {
        Self { max_failures, pause, failing: Mutex::default() }
    }

    /// Returns a permit for one attempt, which ends by `deadline`.
    ///
    /// # Errors
    /// The breaker is open. Returns the time until the next trial.
    pub fn admit(
        self: &Arc<Self>,
        host: &Arc<str>,
        target: &Target,
        deadline: Instant,
    ) -> Result<CallPermit, Duration> {
        let now = Instant::now();
        let mut failing = self.failing.lock();
        let state = failing.get_mut(&**host);
        let is_trial = match state.and_then(|state| state.open.as_mut()) {
            None => false,
            Some(open) if now < open.until => return Err(open.until - now),
            // Half-open: allows a new trial once the deadline of the previous one has passed, because
            // its permit may be kept by a response that is never read.
            Some(OpenBreaker { half_open_until: Some(end), .. }) if now < *end => {
                return Err(self.pause.min(TRIAL_RETRY_AFTER));
            }
            Some(open) => {
                open.half_open_until = Some(deadline);
                true
            }
        };
        let (breakers, host, target) = (self.clone(), host.clone(), target.clone());
        Ok(CallPermit { breakers, host, target, is_trial })
    }

    /// Returns the number of open breakers, by the label of their metrics.
    pub fn open_by_label(&self) -> BTreeMap<String, i64> {
        let mut open = BTreeMap::new();
        for (_, target) in self.open() {
            *open.entry(target.label().to_owned()).or_insert(0) += 1;
        }
        open
    }

    /// Returns the hosts whose breaker is open. For a peer that is until it responds: it may have had no
    /// call since the pause. For an external host it is until the pause is over, because a host that is
    /// never called again would otherwise count as unavailable indefinitely.
    pub fn open(&self) -> Vec<(String, Target)> {
        let (failing, now) = (self.failing.lock(), Instant::now());
        let counts = |state: &BreakerState| {
            let is_peer = matches!(state.target, Target::Peer(_));
            state.open.as_ref().is_some_and(|open| is_peer || now < open.until)
        };
        let open = failing.iter().filter(|(_, state)| counts(state));
        open.map(|(host, state)| (host.clone(), state.target.clone())).collect()
    }

    pub fn snapshot(&self) -> Value {
        let now = Instant::now();
        let left = |open: &OpenBreaker| open.until.saturating_duration_since(now);
        let shown = |(host, state): (&String, &BreakerState)| {
            let open_for = state.open.as_ref().map(|open| humantime::format_duration(left(open)));
            let state = json!({
                "failures": state.failures_in_a_row,
                "open_for": open_for.map(|left| left.to_string()),
            });
            (host.clone(), state)
        };
        self.failing.lock().iter().map(shown).collect()
    }
}

impl CallPermit {
    /// Reports that the host responded: its breaker closes.
    pub fn succeeded(mut self) {
        self.is_trial = false;
        let state = self.breakers.failing.lock().remove(&*self.host);
        if let Some(BreakerState { target, open: Some(_), .. }) = state {
            info!(peer = %target.name(), "Calls to {target} are sent again");
        }
    }

    /// Reports that the host did not respond, or is unavailable. Returns whether its breaker is open now.
    pub fn failed(mut self) -> bool {
        if self.breakers.max_failures == 0 {
            return false;
        }
        let is_trial = std::mem::take(&mut self.is_trial);
        let now = Instant::now();
        let mut failing = self.breakers.failing.lock();
        if failing.len() >= MAX_HOSTS && !failing.contains_key(&*self.host) {
            forget_oldest(&mut failing);
        }
        let state = failing.entry(self.host.to_string()).or_insert_with(|| BreakerState {
            target: self.target.clone(),
            failures_in_a_row: 0,
            open: None,
            last_failure: now,
        });
        state.last_failure = now;
        state.failures_in_a_row = state.failures_in_a_row.saturating_add(1);
        let until = now + self.breakers.pause;
        match &mut state.open {
            Some(open) if is_trial => *open = OpenBreaker { until, half_open_until: None },
            // The pause is not extended, because this call was under way when the breaker opened.
            Some(_) => {}
            None if state.failures_in_a_row >= self.breakers.max_failures => {
                state.open = Some(OpenBreaker { until, half_open_until: None });
                let failures = state.failures_in_a_row;
                drop(failing);
                self.log_opened(failures);
            }
            None => return false,
        }
        true
    }

    fn log_opened(&self, failures: u32) {
        let target = &self.target;
        let pause = humantime::format_duration(self.breakers.pause);
        warn!(
            peer = %target.name(),
            failures,
            "Calls to {target} fail at once for {pause}, after {failures} failures in a row"
        );
    }
}

/// Ends a trial that was cancelled, so that the next call is one.
impl Drop for CallPermit {
    fn drop(&mut self) {
        if !self.is_trial {
            return;
        }
        let mut failing = self.breakers.failing.lock();
        if let Some(open) = failing.get_mut(&*self.host).and_then(|state| state.open.as_mut()) {
            open.half_open_until = None;
        }
    }
}

/// Forgets the host whose last failure is the oldest. Open breakers go last, because forgetting one closes
/// it.
fn forget_oldest(failing: &mut HashMap<String, BreakerState>) {
    let oldest = failing.iter().min_by_key(|(_, state)| (state.open.is_some(), state.last_failure));
    if let Some(host) = oldest.map(|(host, _)| host.clone()) {
        failing.remove(&host);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target() -> Target {
        Target::Peer("off-piste".into())
    }

    fn admit(breakers: &Arc<CircuitBreakers>, host: &str) -> Result<CallPermit, Duration> {
        breakers.admit(&host.into(), &target(), Instant::now() + Duration::from_secs(60))
    }

    fn fail(breakers: &Arc<CircuitBreakers>, host: &str) -> bool {
        admit(breakers, host).unwrap_or_else(|_| panic!("{host} is let through")).failed()
    }

    #[test]
    fn a_breaker_opens_after_the_configured_failures_in_a_row() {
        let breakers = Arc::new(CircuitBreakers::new(2, Duration::from_secs(60)));
        fail(&breakers, "a:1");
        admit(&breakers, "a:1").unwrap_or_else(|_| panic!("open")).succeeded();
        fail(&breakers, "a:1");
        assert!(admit(&breakers, "a:1").is_ok(), "the success has started a new row");
        fail(&breakers, "a:1");
        let left = admit(&breakers, "a:1").err().expect("two in a row");
        assert!(left > Duration::from_secs(50) && left <= Duration::from_secs(60), "{left:?}");
        assert!(admit(&breakers, "b:1").is_ok(), "another host has its own breaker");
        assert_eq!(breakers.open_by_label(), [("off-piste".to_owned(), 1)].into());
        assert_eq!(breakers.snapshot()["a:1"]["failures"], 2);
    }

    #[test]
    fn after_the_pause_one_trial_at_a_time_is_let_through() {
        let breakers = Arc::new(CircuitBreakers::new(1, Duration::ZERO));
        fail(&breakers, "a:1");
        assert_eq!(breakers.open_by_label(), [("off-piste".to_owned(), 1)].into());
        let trial = admit(&breakers, "a:1").unwrap_or_else(|_| panic!("the pause is over"));
        assert!(admit(&breakers, "a:1").is_err(), "one at a time");
        drop(trial);
        let trial = admit(&breakers, "a:1").unwrap_or_else(|_| panic!("the trial was cancelled"));
        assert!(trial.failed());
        assert_eq!(breakers.open().len(), 1, "no trial has succeeded yet");
        admit(&breakers, "a:1").unwrap_or_else(|_| panic!("the next trial")).succeeded();
        assert!(breakers.failing.lock().is_empty() && breakers.open().is_empty());
    }

    #[test]
    fn a_trial_past_its_deadline_allows_another() {
        let breakers = Arc::new(CircuitBreakers::new(1, Duration::ZERO));
        fail(&breakers, "a:1");
        let first = breakers.admit(&"a:1".into(), &target(), Instant::now());
        assert!(first.is_ok() && admit(&breakers, "a:1").is_ok());
    }

    #[test]
    fn with_zero_failures_no_breaker_ever_opens() {
        let breakers = Arc::new(CircuitBreakers::new(0, Duration::from_secs(60)));
        for _ in 0..100 {
            fail(&breakers, "a:1");
        }
        assert!(breakers.failing.lock().is_empty());
    }

    #[test]
    fn the_number_of_hosts_is_bounded_and_open_breakers_are_kept() {
        let breakers = Arc::new(CircuitBreakers::new(2, Duration::from_secs(60)));
        fail(&breakers, "open:1");
        fail(&breakers, "open:1");
        for number in 0..2 * MAX_HOSTS {
            fail(&breakers, &format!("host:{number}"));
        }
        assert_eq!(breakers.failing.lock().len(), MAX_HOSTS);
        assert!(admit(&breakers, "open:1").is_err());
    }
}
