//! Single flight: of all who want the same value at the same time, one computes it.
//!
//! Nobody computes on another's behalf: the one whose turn it is does it in its own request. If that
//! request ends early, in whatever way, the next one has the turn. The ticket says under which state
//! of the world a flight began: who comes after an invalidation finds another state, and does not
//! board.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Inner;
use super::held::Held;
use super::store::Ticket;

#[derive(Default)]
pub(super) struct Flights(Mutex<HashMap<String, Arc<Flight>>>);

/// One value that is being computed.
pub(super) struct Flight {
    pub ticket: Ticket,
    tags: Arc<[String]>,
    turn: Arc<Semaphore>,
    end: OnceLock<End>,
}

/// How a flight ends for those aboard.
#[derive(Clone)]
pub(super) enum End {
    Value(Arc<Held>),
    /// The computation failed: its error belongs to the one who ran it.
    Failed,
    /// It turned out to have begun before an invalidation: begin anew.
    Outdated,
}

/// A place in a flight. The last to leave takes the flight off the board.
pub(super) struct Seat {
    cache: Arc<Inner>,
    key: String,
    pub flight: Arc<Flight>,
}

/// What comes of waiting.
pub(super) enum Waited {
    Turn(OwnedSemaphorePermit),
    End(End),
}

impl Flights {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<Flight>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place in the flight of this key, if that began in the same state of the world; else in a
    /// new one.
    pub fn board(cache: &Arc<Inner>, key: &str, ticket: &Ticket, tags: &Arc<[String]>) -> Seat {
        let mut board = cache.flights.lock();
        let flight = board.get(key).filter(|flight| {
            flight.ticket.lease == ticket.lease
                && flight.tags == *tags
                && !matches!(flight.end.get(), Some(End::Failed | End::Outdated))
                && cache.local.hold(flight.ticket.began, key, tags)
        });
        let flight = flight.cloned().unwrap_or_else(|| {
            let flight = Arc::new(Flight {
                ticket: ticket.clone(),
                tags: tags.clone(),
                turn: Arc::new(Semaphore::new(1)),
                end: OnceLock::new(),
            });
            board.insert(key.to_owned(), flight.clone());
            flight
        });
        Seat { cache: cache.clone(), key: key.to_owned(), flight }
    }

    /// How many want the value that is being computed for a key.
    #[cfg(test)]
    pub fn aboard(&self, key: &str) -> usize {
        self.lock().get(key).map_or(0, |flight| Arc::strong_count(flight) - 1)
    }

    /// How many values are being computed.
    pub fn count(&self) -> usize {
        self.lock().len()
    }
}

impl Seat {
    /// Waits until it is one's turn, or over. Cancel safe.
    pub async fn wait(&self) -> Waited {
        let turn = self.flight.turn.clone().acquire_owned().await;
        match (self.flight.end.get(), turn) {
            (Some(end), _) => Waited::End(end.clone()),
            (None, Ok(permit)) => Waited::Turn(permit),
            // Closed is what ended flights are.
            (None, Err(_)) => Waited::End(End::Outdated),
        }
    }

    /// Ends the flight for all aboard.
    pub fn end(&self, end: End) {
        let _ = self.flight.end.set(end);
        self.flight.turn.close();
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut board = self.cache.flights.lock();
        let is_ours = board.get(&self.key).is_some_and(|flight| Arc::ptr_eq(flight, &self.flight));
        // One is this seat's, one the board's.
        let is_last = Arc::strong_count(&self.flight) <= 1 + usize::from(is_ours);
        if is_ours && is_last {
            board.remove(&self.key);
        }
        drop(board);
        if is_last && !matches!(self.flight.end.get(), Some(End::Value(_))) {
            self.cache.release(&self.flight.ticket);
        }
    }
}
