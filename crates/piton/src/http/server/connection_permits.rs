//! The places of connections (`http.max_connections`), and a few more in which only probes are answered.
//!
//! An orchestrator restarts a service whose probe gets no response, which would make an overload worse. So a
//! connection above the maximum is accepted all the same: in the reserve, where it can ask for a probe's
//! path, and gets 503 for any other unless a place has become free.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::connection_state::ConnectionState;

/// Maximum number of connections in the reserve. The oldest is closed for a new one.
pub(super) const MAX_RESERVE: usize = 32;

/// Time for a connection in the reserve to send a head. Probes are sent at once.
pub(super) const RESERVE_HEADER_TIMEOUT: Duration = Duration::from_secs(5);

/// The places of one listener's connections.
#[derive(Debug)]
pub(super) struct ConnectionPlaces {
    max: usize,
    taken: AtomicUsize,
}

/// RAII guard of a place.
#[derive(Debug)]
pub(super) struct Place(Arc<ConnectionPlaces>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The way in which a connection was admitted.
#[derive(Debug)]
pub(super) enum Admission {
    /// A connection with a place.
    Regular(#[expect(dead_code, reason = "held until the connection ends")] Place),
    /// A connection of the reserve, which may get a place later.
    Reserve { places: Arc<ConnectionPlaces>, place: OnceLock<Place> },
}

/// The place of a connection, held until it ends, and its state.
#[derive(Clone, Debug)]
pub(super) struct ConnectionSlot {
    pub state: Arc<ConnectionState>,
    admission: Arc<Admission>,
}

impl ConnectionSlot {
    pub fn new(admission: Admission) -> Self {
        let state = ConnectionState::default();
        state.set_in_reserve(matches!(admission, Admission::Reserve { .. }));
        Self { state: Arc::new(state), admission: Arc::new(admission) }
    }

    /// Returns whether a request is served: in the reserve, only a probe's, unless a place has become free.
    pub fn admits(&self, is_probe: impl FnOnce() -> bool) -> bool {
        if !self.state.is_in_reserve() || is_probe() {
            return true;
        }
        let admits = self.admission.admits_requests();
        self.state.set_in_reserve(!admits);
        admits
    }
}

impl ConnectionPlaces {
    pub fn new(max: usize) -> Arc<Self> {
        Arc::new(Self { max, taken: AtomicUsize::new(0) })
    }

    pub fn max(&self) -> usize {
        self.max
    }

    /// Takes a free place.
    pub fn take(self: &Arc<Self>) -> Option<Place> {
        let next = |taken| (taken < self.max).then_some(taken + 1);
        self.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).ok()?;
        Some(Place(self.clone()))
    }

    /// Takes the place of a connection that was told to end, and may end a moment later.
    pub fn take_over(self: &Arc<Self>) -> Place {
        self.taken.fetch_add(1, Ordering::Relaxed);
        Place(self.clone())
    }
}

impl Admission {
    /// Returns the admission of a connection in the reserve.
    pub fn reserve(places: &Arc<ConnectionPlaces>) -> Self {
        Self::Reserve { places: places.clone(), place: OnceLock::new() }
    }

    /// Returns whether requests for any path are answered. Takes a place that has become free.
    fn admits_requests(&self) -> bool {
        match self {
            Self::Regular(_) => true,
            Self::Reserve { places, place } => {
                place.get().is_some() || places.take().is_some_and(|free| place.set(free).is_ok())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_of_the_reserve_takes_a_place_that_becomes_free() {
        let places = ConnectionPlaces::new(1);
        let first = places.take().unwrap();
        assert!(places.take().is_none());
        let second = Admission::reserve(&places);
        assert!(!second.admits_requests());
        drop(first);
        assert!(second.admits_requests() && second.admits_requests());
        assert!(places.take().is_none());
        drop(second);
        let over = (places.take().unwrap(), places.take_over());
        assert!(places.take().is_none());
        drop(over);
        assert!(Admission::Regular(places.take().unwrap()).admits_requests());
    }
}
