//! Single flight: concurrent callers of a key share one computation, within this process and, with
//! Redis, across processes.
//!
//! Written by hand, because a generic single flight (such as moka's `get_with`) does not know when a
//! computation started: it would hand a value from before an invalidation to callers that came after it. Here a caller joins a flight only if that started in its own
//! generation. See `docs/decisions/0013-*.md`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::OwnedSemaphorePermit;

use super::cached_value::CachedValue;
use super::running_computations::{FlightResult, Flights, WaitResult, Waiter};
use super::shared_state::{EntrySpec, Inner};
use super::store_results::{BeginResult, Lease};
use crate::support::backoff::Backoff;

/// Number of failed flights after which a caller computes by itself. If the computation fails for
/// everybody, callers would otherwise wait for one another, one after the other.
const MAX_FAILED_FLIGHTS: u32 = 2;

/// Delays between polls whether another process has stored the value. Without jitter: the first delay
/// is about as long as a round trip.
const POLL_BACKOFF: Backoff =
    Backoff::new(Duration::from_millis(2), Duration::from_millis(50), 1.0..1.0);

/// The value, or the obligation to compute it.
pub(super) enum HitOrCompute {
    Hit(Arc<CachedValue>),
    Compute(ComputeGuard),
}

/// The obligation to compute a value. Dropping it lets the next waiter compute.
pub(super) struct ComputeGuard {
    computation: Option<Computation>,
}

struct Computation {
    cache: Arc<Inner>,
    key: String,
    ttl: Option<Duration>,
    tags: Arc<[String]>,
    lease: Lease,
    /// The flight that waits for the value. `None` for a caller that has given up waiting for others,
    /// and computes by itself.
    flight: Option<(Waiter, OwnedSemaphorePermit)>,
}

impl Inner {
    /// Returns the value, possibly after waiting for a caller that computes it, or a guard to compute
    /// it under. Cancel safe.
    pub async fn hit_or_compute(self: &Arc<Self>, spec: &EntrySpec) -> HitOrCompute {
        let mut failures = 0;
        let mut is_counted = false;
        loop {
            let begun = self.store.get_or_lease(&spec.key, &spec.tags).await;
            // Counts one lookup per call instead of one per retry.
            if !is_counted {
                self.metrics.count_begin(&begun);
                is_counted = true;
            }
            let (lease, is_ours) = match begun {
                BeginResult::Hit(cached) => return HitOrCompute::Hit(cached),
                BeginResult::Miss { lease, is_ours, .. } => (lease, is_ours),
                BeginResult::Unavailable(lease) => (lease, true),
            };
            if failures >= MAX_FAILED_FLIGHTS {
                return self.compute(spec, lease, None);
            }
            match self.join_flight(spec, &lease, is_ours).await {
                JoinResult::Ready(outcome) => return outcome,
                JoinResult::Failed => failures += 1,
                JoinResult::Outdated => {}
            }
        }
    }

    /// Joins the flight of the value, or starts one, and waits for its result.
    async fn join_flight(
        self: &Arc<Self>,
        spec: &EntrySpec,
        lease: &Lease,
        is_ours: bool,
    ) -> JoinResult {
        let waiter = Flights::join(self, &spec.key, lease, &spec.tags);
        let permit = match waiter.wait().await {
            WaitResult::Finished(FlightResult::Value(cached)) => {
                self.metrics.count_shared();
                return JoinResult::Ready(HitOrCompute::Hit(cached));
            }
            WaitResult::Finished(FlightResult::Failed) => return JoinResult::Failed,
            WaitResult::Finished(FlightResult::Outdated) => return JoinResult::Outdated,
            WaitResult::Lead(permit) => permit,
        };
        if !is_ours {
            match self.wait_for_other_process(spec, &waiter).await {
                Some(FlightResult::Value(cached)) => {
                    return JoinResult::Ready(HitOrCompute::Hit(cached));
                }
                Some(_) => return JoinResult::Outdated,
                None => {}
            }
        }
        let lease = waiter.flight.lease.clone();
        JoinResult::Ready(self.compute(spec, lease, Some((waiter, permit))))
    }

    /// Waits for another process that computes the value, and finishes the flight with its result.
    /// Returns `None` if the value has to be computed here after all.
    async fn wait_for_other_process(
        &self,
        spec: &EntrySpec,
        waiter: &Waiter,
    ) -> Option<FlightResult> {
        let started = Instant::now();
        let mut backoff = POLL_BACKOFF;
        while started.elapsed() < self.wait {
            tokio::time::sleep(backoff.next_delay()).await;
            let result = match self.store.get_or_lease(&spec.key, &spec.tags).await {
                BeginResult::Hit(cached) => {
                    self.metrics.count_shared();
                    FlightResult::Value(cached)
                }
                BeginResult::Miss { lease, .. } if lease.header != waiter.flight.lease.header => {
                    FlightResult::Outdated
                }
                BeginResult::Miss { is_ours: false, .. } => continue,
                BeginResult::Miss { .. } | BeginResult::Unavailable(_) => return None,
            };
            waiter.finish(result.clone());
            return Some(result);
        }
        None
    }

    fn compute(
        self: &Arc<Self>,
        spec: &EntrySpec,
        lease: Lease,
        flight: Option<(Waiter, OwnedSemaphorePermit)>,
    ) -> HitOrCompute {
        let (cache, key, tags) = (self.clone(), spec.key.clone(), spec.tags.clone());
        let computation = Computation { cache, key, ttl: spec.ttl, tags, lease, flight };
        HitOrCompute::Compute(ComputeGuard { computation: Some(computation) })
    }
}

/// The result of joining a flight.
enum JoinResult {
    Ready(HitOrCompute),
    Failed,
    Outdated,
}

impl ComputeGuard {
    /// Returns a guard for a value that is not stored, and that no caller waits for.
    pub fn detached() -> Self {
        Self { computation: None }
    }

    /// Hands the value to the waiters, then stores it. If this is cancelled, the waiters have it all
    /// the same.
    pub async fn store(mut self, cached: Arc<CachedValue>) {
        let Some(computation) = self.computation.take() else { return };
        if let Some((waiter, _)) = &computation.flight {
            waiter.finish(FlightResult::Value(cached.clone()));
        }
        computation.store(cached).await;
        // The flight ends only now, so that a caller that comes meanwhile finds the flight, and after
        // it the stored value.
        drop(computation.flight);
    }

    /// Ends the flight without a value: each waiter looks up the value again.
    pub fn fail(mut self) {
        if let Some((waiter, _)) = self.computation.take().and_then(|it| it.flight) {
            waiter.finish(FlightResult::Failed);
        }
    }
}

impl Computation {
    /// Stores the value if it is not too large, and nothing was invalidated since the lease was taken.
    async fn store(&self, cached: Arc<CachedValue>) {
        let cache = &self.cache;
        if !cache.within_size_limit(&self.key, &cached) {
            return cache.release(&self.lease);
        }
        let ttl = self.ttl.unwrap_or(cache.ttl);
        let outcome =
            cache.store.store_computed(&self.key, &self.lease, &self.tags, cached, ttl).await;
        cache.metrics.count_store(outcome);
    }
}
