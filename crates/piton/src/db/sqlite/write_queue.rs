//! Lets SQLite's writers in one at a time, in the order of their arrival.
//!
//! The service's writers wait for each other, then for a connection, and only then for the permission to write. With
//! the permission first, a writer for which no connection is free would stop piton's own background work, which has
//! connections of its own: workers lost their leases while handlers used all others.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::db::error::{Error, Kind};

/// The queue of writers.
pub(super) struct WriteQueue {
    /// Lets the service's writers in, of which one at a time may take a connection.
    service: Arc<Semaphore>,
    /// Lets all writers in.
    file: Arc<Semaphore>,
    timeout: Duration,
}

/// The turn of one of the service's writers. The next one is let in when it is dropped.
pub(super) struct WriterTurn {
    _permit: OwnedSemaphorePermit,
}

/// The permission to write. The next writer is let in when it is dropped.
pub(super) struct WritePermit {
    _permit: OwnedSemaphorePermit,
    _turn: Option<WriterTurn>,
}

impl WriteQueue {
    pub fn new(timeout: Duration) -> Self {
        let one = || Arc::new(Semaphore::new(1));
        Self { service: one(), file: one(), timeout }
    }

    /// Waits until all earlier writers of the service are done.
    ///
    /// # Errors
    /// [`Kind::Unavailable`] after the timeout.
    pub async fn acquire_turn(&self) -> Result<WriterTurn, Error> {
        Ok(WriterTurn { _permit: self.wait_for(&self.service).await? })
    }

    /// Waits until all earlier writers are done. Those of the service have their turn before.
    ///
    /// # Errors
    /// [`Kind::Unavailable`] after the timeout.
    pub async fn acquire(&self, turn: Option<WriterTurn>) -> Result<WritePermit, Error> {
        Ok(WritePermit { _permit: self.wait_for(&self.file).await?, _turn: turn })
    }

    async fn wait_for(&self, semaphore: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, Error> {
        let acquired = Arc::clone(semaphore).acquire_owned();
        match tokio::time::timeout(self.timeout, acquired).await {
            Ok(permit) => Ok(permit.expect("the semaphore is never closed")),
            Err(_) => Err(Error::new(
                Kind::Unavailable,
                format!(
                    "other writes kept the database busy for {} ms (inside of a transaction use `tx`, not `db`)",
                    self.timeout.as_millis()
                ),
            )),
        }
    }
}
