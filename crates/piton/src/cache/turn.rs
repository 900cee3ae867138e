//! Whose turn it is to compute a value, and what becomes of the value then.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::OwnedSemaphorePermit;

use super::entry::Said;
use super::flight::{End, Flights, Seat, Waited};
use super::held::Held;
use super::store::{Begun, Ticket};
use super::{Inner, Store, each};

/// How many failures of others somebody waits through.
const PATIENCE: u32 = 2;

/// How long to wait before the first look whether another process is done, and at most between looks.
const PAUSES: [Duration; 2] = [Duration::from_millis(2), Duration::from_millis(50)];

/// The value, or the work to make it.
pub(super) enum Turn {
    Have(Arc<Held>),
    Work(Work),
}

/// The work to make a value. Dropping it hands the work to the next who waits.
pub(super) struct Work {
    job: Option<Job>,
}

struct Job {
    cache: Arc<Inner>,
    key: String,
    ttl: Option<Duration>,
    tags: Arc<[String]>,
    ticket: Ticket,
    /// Those who wait for the value. Nobody does for one who has stopped waiting for others.
    others: Option<(Seat, OwnedSemaphorePermit)>,
}

impl Inner {
    /// The value, perhaps after waiting for somebody who computes it, or the work to do so. Cancel
    /// safe.
    pub async fn turn(self: &Arc<Self>, said: &Said) -> Turn {
        let mut failures = 0;
        let mut is_first = true;
        loop {
            let begun = each!(&self.store, store => store.begin(&said.key, &said.tags).await);
            // Who comes back after another's failure does not look a second time.
            if is_first {
                self.figures.begun(&begun);
                is_first = false;
            }
            let (ticket, ours) = match begun {
                Begun::Hit(held) => return Turn::Have(held),
                Begun::Ticket { ticket, ours, .. } => (ticket, ours),
                Begun::Away(ticket) => (ticket, true),
            };
            if failures >= PATIENCE {
                return self.work(said, ticket, None);
            }
            let seat = Flights::board(self, &said.key, &ticket, &said.tags);
            match seat.wait().await {
                Waited::End(End::Value(held)) => {
                    self.figures.shared();
                    return Turn::Have(held);
                }
                Waited::End(End::Failed) => failures += 1,
                Waited::End(End::Outdated) => {}
                Waited::Turn(permit) => {
                    if !ours {
                        match self.wait_for_others(said, &seat).await {
                            Some(End::Value(held)) => return Turn::Have(held),
                            Some(_) => continue,
                            None => {}
                        }
                    }
                    let ticket = seat.flight.ticket.clone();
                    return self.work(said, ticket, Some((seat, permit)));
                }
            }
        }
    }

    /// Waits for another process, and ends the flight if that is over. `None` is for "compute".
    async fn wait_for_others(&self, said: &Said, seat: &Seat) -> Option<End> {
        let begin = Instant::now();
        let [mut pause, longest] = PAUSES;
        while begin.elapsed() < self.wait {
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(longest);
            let end = match each!(&self.store, store => store.begin(&said.key, &said.tags).await) {
                Begun::Hit(held) => {
                    self.figures.shared();
                    End::Value(held)
                }
                Begun::Ticket { ticket, .. } if ticket.lease != seat.flight.ticket.lease => {
                    End::Outdated
                }
                Begun::Ticket { ours: false, .. } => continue,
                Begun::Ticket { .. } | Begun::Away(_) => return None,
            };
            seat.end(end.clone());
            return Some(end);
        }
        None
    }

    fn work(
        self: &Arc<Self>,
        said: &Said,
        ticket: Ticket,
        others: Option<(Seat, OwnedSemaphorePermit)>,
    ) -> Turn {
        let (cache, key, tags) = (self.clone(), said.key.clone(), said.tags.clone());
        Turn::Work(Work { job: Some(Job { cache, key, ttl: said.ttl, tags, ticket, others }) })
    }

    /// Keeps a computed value if it is not too large and nothing was invalidated meanwhile.
    async fn keep(&self, job: &Job, held: Arc<Held>) {
        if !self.fits(&job.key, &held) {
            return self.release(&job.ticket);
        }
        let ttl = job.ttl.unwrap_or(self.ttl);
        let (key, tags, ticket) = (&job.key, &job.tags, &job.ticket);
        let stored = each!(&self.store, store => store.keep(key, ticket, tags, held, ttl).await);
        self.figures.stored(stored);
    }

    /// Whether a value is small enough to be kept.
    pub fn fits(&self, key: &str, held: &Held) -> bool {
        let fits = held.bytes().len() <= self.max_value_size;
        if !fits {
            self.figures.too_large();
            let size = held.bytes().len();
            tracing::debug!(key, size, "A value is larger than cache.max_value_size: not kept");
        }
        fits
    }

    /// Nobody of this process computes the value any more: another process may.
    pub fn release(&self, ticket: &Ticket) {
        each!(&self.store, store => store.release(ticket));
    }
}

impl Work {
    /// A value that is not kept, and that nobody waits for.
    pub fn for_nothing() -> Self {
        Self { job: None }
    }

    /// Gives the value to those who wait, and keeps it. Those who wait have it if this is cancelled.
    pub async fn keep(mut self, held: Arc<Held>) {
        let Some(job) = self.job.take() else { return };
        if let Some((seat, _)) = &job.others {
            seat.end(End::Value(held.clone()));
        }
        job.cache.keep(&job, held).await;
        // Only now, so that who comes meanwhile finds the flight, and after it the value.
        drop(job.others);
    }

    /// There is no value that others could have: they see to it themselves.
    pub fn fail(mut self) {
        if let Some((seat, _)) = self.job.take().and_then(|job| job.others) {
            seat.end(End::Failed);
        }
    }
}
