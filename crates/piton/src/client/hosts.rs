//! Remembers which hosts fail, so that nobody waits for one that is away: after some failures in a
//! row calls to it fail at once for a while (a circuit breaker), then one is let through to see.
//!
//! A host has answered when its answer has been read to the end, or nobody cares for the rest of it;
//! one that begins an answer and never ends it has failed.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tracing::{info, warn};

use super::error::Who;

/// How many hosts are remembered. Only those are that have failed.
const MOST: usize = 1024;

/// The hosts that have failed the last time they were called.
pub(super) struct Hosts {
    /// From how many failures on; 0 is never.
    failures: u32,
    pause: Duration,
    failing: Mutex<HashMap<String, State>>,
}

struct State {
    who: Who,
    /// In a row.
    failures: u32,
    open: Option<Open>,
    touched: Instant,
}

struct Open {
    until: Instant,
    /// Until when a call is on its way to see, if one is.
    trial: Option<Instant>,
}

/// One attempt that may be made. Dropped without a word it says nothing of the host.
pub(super) struct Permit {
    hosts: Arc<Hosts>,
    host: Arc<str>,
    who: Who,
    trial: bool,
}

impl Hosts {
    pub fn new(failures: u32, pause: Duration) -> Self {
        Self { failures, pause, failing: Mutex::default() }
    }

    /// Asks for one attempt, which ends by `deadline`. Otherwise says how long nothing is sent.
    pub fn admit(
        self: &Arc<Self>,
        host: &Arc<str>,
        who: &Who,
        deadline: Instant,
    ) -> Result<Permit, Duration> {
        let now = Instant::now();
        let mut failing = self.failing();
        let state = failing.get_mut(&**host);
        let trial = match state.and_then(|state| state.open.as_mut()) {
            None => false,
            Some(open) if now < open.until => return Err(open.until - now),
            // One that is held for longer than it may take keeps nobody else from seeing.
            Some(Open { trial: Some(end), .. }) if now < *end => {
                return Err(self.pause.min(Duration::from_secs(1)));
            }
            Some(open) => {
                open.trial = Some(deadline);
                true
            }
        };
        Ok(Permit { hosts: self.clone(), host: host.clone(), who: who.clone(), trial })
    }

    fn failing(&self) -> MutexGuard<'_, HashMap<String, State>> {
        self.failing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many hosts have failed too often and not answered since, by the label of their figures.
    pub fn open_by_label(&self) -> BTreeMap<String, i64> {
        let mut open = BTreeMap::new();
        for (_, who) in self.open() {
            *open.entry(who.label().to_owned()).or_insert(0) += 1;
        }
        open
    }

    /// Who has failed too often and not answered since. Of a peer, that the pause is over says nothing:
    /// nobody may have tried. A stranger may be called once and never again.
    pub fn open(&self) -> Vec<(String, Who)> {
        let (failing, now) = (self.failing(), Instant::now());
        let counts = |state: &State| {
            let peer = matches!(state.who, Who::Peer(_));
            state.open.as_ref().is_some_and(|open| peer || now < open.until)
        };
        let open = failing.iter().filter(|(_, state)| counts(state));
        open.map(|(host, state)| (host.clone(), state.who.clone())).collect()
    }

    pub fn snapshot(&self) -> Value {
        let now = Instant::now();
        let left = |open: &Open| open.until.saturating_duration_since(now);
        let shown = |(host, state): (&String, &State)| {
            let open_for = state.open.as_ref().map(|open| humantime::format_duration(left(open)));
            let state = json!({
                "failures": state.failures,
                "open_for": open_for.map(|left| left.to_string()),
            });
            (host.clone(), state)
        };
        self.failing().iter().map(shown).collect()
    }
}

impl Permit {
    /// The host has answered.
    pub fn succeeded(mut self) {
        self.trial = false;
        let state = self.hosts.failing().remove(&*self.host);
        if let Some(State { who, open: Some(_), .. }) = state {
            info!(peer = %who.name(), "Calls to {who} are sent again");
        }
    }

    /// The host has not answered, or that it cannot. Says whether it is left alone from now on.
    pub fn failed(mut self) -> bool {
        if self.hosts.failures == 0 {
            return false;
        }
        let trial = std::mem::take(&mut self.trial);
        let now = Instant::now();
        let mut failing = self.hosts.failing();
        if failing.len() >= MOST && !failing.contains_key(&*self.host) {
            forget_one(&mut failing);
        }
        let state = failing.entry(self.host.to_string()).or_insert_with(|| State {
            who: self.who.clone(),
            failures: 0,
            open: None,
            touched: now,
        });
        state.touched = now;
        state.failures = state.failures.saturating_add(1);
        let until = now + self.hosts.pause;
        match &mut state.open {
            Some(open) if trial => *open = Open { until, trial: None },
            // It was on its way when the others failed.
            Some(_) => {}
            None if state.failures >= self.hosts.failures => {
                state.open = Some(Open { until, trial: None });
                let (failures, pause) = (state.failures, self.hosts.pause);
                drop(failing);
                let who = &self.who;
                let pause = humantime::format_duration(pause);
                warn!(
                    peer = %who.name(),
                    failures,
                    "Calls to {who} fail at once for {pause}, after {failures} failures in a row"
                );
            }
            None => return false,
        }
        true
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if !self.trial {
            return;
        }
        let mut failing = self.hosts.failing();
        if let Some(open) = failing.get_mut(&*self.host).and_then(|state| state.open.as_mut()) {
            open.trial = None;
        }
    }
}

/// Forgets whoever has not been called for the longest time; those that are open at the last.
fn forget_one(failing: &mut HashMap<String, State>) {
    let oldest = failing.iter().min_by_key(|(_, state)| (state.open.is_some(), state.touched));
    if let Some(host) = oldest.map(|(host, _)| host.clone()) {
        failing.remove(&host);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn who() -> Who {
        Who::Peer("off-piste".into())
    }

    fn admit(hosts: &Arc<Hosts>, host: &str) -> Result<Permit, Duration> {
        hosts.admit(&host.into(), &who(), Instant::now() + Duration::from_secs(60))
    }

    fn fail(hosts: &Arc<Hosts>, host: &str) -> bool {
        admit(hosts, host).unwrap_or_else(|_| panic!("{host} is let through")).failed()
    }

    #[test]
    fn a_host_is_left_alone_after_so_many_failures_in_a_row() {
        let hosts = Arc::new(Hosts::new(2, Duration::from_secs(60)));
        fail(&hosts, "a:1");
        admit(&hosts, "a:1").unwrap_or_else(|_| panic!("open")).succeeded();
        fail(&hosts, "a:1");
        assert!(admit(&hosts, "a:1").is_ok(), "the success has begun a new row");
        fail(&hosts, "a:1");
        let left = admit(&hosts, "a:1").err().expect("two in a row");
        assert!(left > Duration::from_secs(50) && left <= Duration::from_secs(60), "{left:?}");
        assert!(admit(&hosts, "b:1").is_ok(), "others are not to blame");
        assert_eq!(hosts.open_by_label(), [("off-piste".to_owned(), 1)].into());
        assert_eq!(hosts.snapshot()["a:1"]["failures"], 2);
    }

    #[test]
    fn after_the_pause_one_call_at_a_time_is_let_through() {
        let hosts = Arc::new(Hosts::new(1, Duration::ZERO));
        fail(&hosts, "a:1");
        assert_eq!(hosts.open_by_label(), [("off-piste".to_owned(), 1)].into());
        let trial = admit(&hosts, "a:1").unwrap_or_else(|_| panic!("the pause is over"));
        assert!(admit(&hosts, "a:1").is_err(), "one at a time");
        drop(trial);
        let trial = admit(&hosts, "a:1").unwrap_or_else(|_| panic!("the trial was given up"));
        assert!(trial.failed());
        assert_eq!(hosts.open().len(), 1, "nobody has answered yet");
        admit(&hosts, "a:1").unwrap_or_else(|_| panic!("the next trial")).succeeded();
        assert!(hosts.failing().is_empty() && hosts.open().is_empty());
    }

    #[test]
    fn a_trial_that_is_held_too_long_keeps_nobody_from_seeing() {
        let hosts = Arc::new(Hosts::new(1, Duration::ZERO));
        fail(&hosts, "a:1");
        let held = hosts.admit(&"a:1".into(), &who(), Instant::now());
        assert!(held.is_ok() && admit(&hosts, "a:1").is_ok());
    }

    #[test]
    fn without_a_number_of_failures_nothing_is_remembered() {
        let hosts = Arc::new(Hosts::new(0, Duration::from_secs(60)));
        for _ in 0..100 {
            fail(&hosts, "a:1");
        }
        assert!(hosts.failing().is_empty());
    }

    #[test]
    fn the_memory_has_a_bound_and_keeps_those_that_are_left_alone() {
        let hosts = Arc::new(Hosts::new(2, Duration::from_secs(60)));
        fail(&hosts, "open:1");
        fail(&hosts, "open:1");
        for number in 0..2 * MOST {
            fail(&hosts, &format!("host:{number}"));
        }
        assert_eq!(hosts.failing().len(), MOST);
        assert!(admit(&hosts, "open:1").is_err());
    }
}
