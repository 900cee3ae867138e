//! Computations in progress ("flights"): of all callers that want the same value at the same time,
//! one computes it and the others wait.
//!
//! No computation runs on another caller's behalf: the leader computes within its own request. If that
//! request ends early, in whatever way, the next waiter leads. The lease of a flight says in which
//! state it started: a caller that comes after an invalidation finds another state, and does not
//! join.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::cached_value::CachedValue;
use super::shared_state::Inner;
use super::store_results::Lease;

/// The flights of this process, by key.
#[derive(Default)]
pub(super) struct Flights(Mutex<HashMap<String, Arc<Flight>>>);

/// A value that is being computed.
pub(super) struct Flight {
    pub lease: Lease,
    tags: Arc<[String]>,
    /// A semaphore with one permit, whose owner leads: it computes the value.
    leadership: Arc<Semaphore>,
    result: OnceLock<FlightResult>,
}

/// The result of a flight for its waiters.
#[derive(Clone)]
pub(super) enum FlightResult {
    Value(Arc<CachedValue>),
    /// The computation failed. Only the leader gets its error.
    Failed,
    /// The flight turned out to have started before an invalidation: look up the value again.
    Outdated,
}

/// Membership in a flight. The last waiter to drop its membership removes the flight.
pub(super) struct Waiter {
    cache: Arc<Inner>,
    key: String,
    pub flight: Arc<Flight>,
}

/// The result of waiting in a flight.
pub(super) enum WaitResult {
    /// The waiter leads now: it has to compute the value.
    Lead(OwnedSemaphorePermit),
    Finished(FlightResult),
}

impl Flights {
    /// Joins the flight of `key` if it started in the same state, otherwise a new one.
    pub fn join(cache: &Arc<Inner>, key: &str, lease: &Lease, tags: &Arc<[String]>) -> Waiter {
        let mut flights = cache.flights.0.lock();
        let flight = flights.get(key).filter(|flight| {
            flight.lease.header == lease.header
                && flight.tags == *tags
                && !matches!(
                    flight.result.get(),
                    Some(FlightResult::Failed | FlightResult::Outdated)
                )
                && cache.local.is_current(flight.lease.generation, key, tags)
        });
        let flight = flight.cloned().unwrap_or_else(|| {
            let flight = Arc::new(Flight {
                lease: lease.clone(),
                tags: tags.clone(),
                leadership: Arc::new(Semaphore::new(1)),
                result: OnceLock::new(),
            });
            flights.insert(key.to_owned(), flight.clone());
            flight
        });
        Waiter { cache: cache.clone(), key: key.to_owned(), flight }
    }

    /// Returns the number of callers that want the value being computed for `key`.
    #[cfg(test)]
    pub fn waiter_count(&self, key: &str) -> usize {
        self.0.lock().get(key).map_or(0, |flight| Arc::strong_count(flight) - 1)
    }

    /// Returns the number of values being computed.
    pub fn count(&self) -> usize {
        self.0.lock().len()
    }
}

impl Waiter {
    /// Waits until this waiter leads or the flight has a result. Cancel safe.
    pub async fn wait(&self) -> WaitResult {
        let permit = self.flight.leadership.clone().acquire_owned().await;
        match (self.flight.result.get(), permit) {
            (Some(result), _) => WaitResult::Finished(result.clone()),
            (None, Ok(permit)) => WaitResult::Lead(permit),
            // Unreachable, because only `finish` closes the semaphore, and it sets the result first.
            (None, Err(_)) => WaitResult::Finished(FlightResult::Outdated),
        }
    }

    /// Ends the flight for all waiters.
    pub fn finish(&self, result: FlightResult) {
        let _ = self.flight.result.set(result);
        self.flight.leadership.close();
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        let mut flights = self.cache.flights.0.lock();
        let is_listed = flights.get(&self.key).is_some_and(|it| Arc::ptr_eq(it, &self.flight));
        // One reference is this waiter's, one the map's if the flight is still listed; so one more than
        // that means another waiter.
        let is_last = Arc::strong_count(&self.flight) <= 1 + usize::from(is_listed);
        if is_listed && is_last {
            flights.remove(&self.key);
        }
        drop(flights);
        if is_last && !matches!(self.flight.result.get(), Some(FlightResult::Value(_))) {
            self.cache.release(&self.flight.lease);
        }
    }
}
