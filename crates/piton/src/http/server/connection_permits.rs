//! The permits of connections (`http.max_connections`), and a few more in which only probes are answered.
//!
//! An orchestrator restarts a service whose probe gets no response, which would make an overload worse. So a
//! connection above the maximum is accepted all the same: in the reserve, where it can ask for a probe's
//! path, and gets 503 for any other unless a permit has become free.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::connection_state::ConnectionState;

/// Time for a connection in the reserve to send a head. Probes are sent at once.
pub(super) const RESERVE_HEADER_TIMEOUT: Duration = Duration::from_secs(5);

/// The permits of one listener, one for each connection (a semaphore that can be exceeded).
#[derive(Debug)]
pub(super) struct ConnectionPermits {
    max: usize,
    taken: AtomicUsize,
}

/// RAII guard of a permit.
#[derive(Debug)]
pub(super) struct ConnectionPermit(Arc<ConnectionPermits>);

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The way in which a connection was admitted.
#[derive(Debug)]
pub(super) enum Admission {
    /// A connection with a permit.
    Regular(#[expect(dead_code, reason = "held until the connection ends")] ConnectionPermit),
    /// A connection of the reserve, which may get a permit later.
    Reserve { permits: Arc<ConnectionPermits>, permit: OnceLock<ConnectionPermit> },
}

/// The admission of a connection, held until it ends, and its state.
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

    /// Returns whether a request is served: in the reserve, only a probe's, unless a permit has become free.
    pub fn admits(&self, is_probe: impl FnOnce() -> bool) -> bool {
        if !self.state.is_in_reserve() || is_probe() {
            return true;
        }
        let admits = self.admission.admits_requests();
        self.state.set_in_reserve(!admits);
        admits
    }
}

impl ConnectionPermits {
    pub fn new(max: usize) -> Arc<Self> {
        Arc::new(Self { max, taken: AtomicUsize::new(0) })
    }

    pub fn max(&self) -> usize {
        self.max
    }

    /// Takes a free permit.
    pub fn take(self: &Arc<Self>) -> Option<ConnectionPermit> {
        let next = |taken| (taken < self.max).then_some(taken + 1);
        self.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).ok()?;
        Some(ConnectionPermit(self.clone()))
    }

    /// Takes the permit of a connection that was told to end, and may end a moment later.
    pub fn take_over(self: &Arc<Self>) -> ConnectionPermit {
        self.taken.fetch_add(1, Ordering::Relaxed);
        ConnectionPermit(self.clone())
    }
}

impl Admission {
    /// Returns the admission of a connection in the reserve.
    pub fn reserve(permits: &Arc<ConnectionPermits>) -> Self {
        Self::Reserve { permits: permits.clone(), permit: OnceLock::new() }
    }

    /// Returns whether requests for any path are answered. Takes a permit that has become free.
    fn admits_requests(&self) -> bool {
        match self {
            Self::Regular(_) => true,
            Self::Reserve { permits, permit } => {
                permit.get().is_some()
                    || permits.take().is_some_and(|free| permit.set(free).is_ok())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_of_the_reserve_takes_a_permit_that_becomes_free() {
        let permits = ConnectionPermits::new(1);
        let first = permits.take().unwrap();
        assert!(permits.take().is_none());
        let second = Admission::reserve(&permits);
        assert!(!second.admits_requests());
        drop(first);
        assert!(second.admits_requests() && second.admits_requests());
        assert!(permits.take().is_none());
        drop(second);
        let over = (permits.take().unwrap(), permits.take_over());
        assert!(permits.take().is_none());
        drop(over);
        assert!(Admission::Regular(permits.take().unwrap()).admits_requests());
    }
}
