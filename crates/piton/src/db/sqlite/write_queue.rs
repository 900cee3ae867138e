//! Lets SQLite's writers in one at a time, in the order of their arrival.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::db::error::{Error, Kind};
use crate::db::statement_kind::StatementKind;

/// The queue of writers.
pub(super) struct WriteQueue {
    semaphore: Arc<Semaphore>,
    timeout: Duration,
}

/// The permission to write. The next writer is let in when it is dropped.
pub(super) struct WritePermit {
    _permit: OwnedSemaphorePermit,
}

impl WriteQueue {
    pub fn new(timeout: Duration) -> Self {
        Self { semaphore: Arc::new(Semaphore::new(1)), timeout }
    }

    /// Waits until all earlier writers are done.
    ///
    /// # Errors
    /// [`Kind::Unavailable`] after the timeout.
    pub async fn acquire(&self) -> Result<WritePermit, Error> {
        let acquired = Arc::clone(&self.semaphore).acquire_owned();
        match tokio::time::timeout(self.timeout, acquired).await {
            Ok(permit) => {
                Ok(WritePermit { _permit: permit.expect("the semaphore is never closed") })
            }
            Err(_) => Err(Error::new(
                Kind::Unavailable,
                format!(
                    "other writes kept the database busy for {} ms (inside of a transaction use `tx`, not `db`)",
                    self.timeout.as_millis()
                ),
            )),
        }
    }

    /// Waits as [`acquire`](Self::acquire) does, unless the statement only reads.
    ///
    /// # Errors
    /// Those of [`acquire`](Self::acquire).
    pub async fn acquire_for(&self, kind: StatementKind) -> Result<Option<WritePermit>, Error> {
        if kind == StatementKind::Read { Ok(None) } else { self.acquire().await.map(Some) }
    }
}
