//! [`Cache::invalidating`]: a write together with the invalidation of what depends on it.

use std::future::{self, Future};
use std::panic;

use super::cache_handle::Cache;
use crate::context;

impl Cache {
    /// Runs `write`, then invalidates every value that has one of the tags, even if the write failed,
    /// because it may have been committed all the same. Both run to their end if the request ends
    /// before (a client that disconnects, a timeout): a write that is cut off while the database
    /// commits it would otherwise be done without an invalidation.
    ///
    /// When this returns, no process serves such a value any more; see [`delete`](Self::delete) for when
    /// Redis is unavailable.
    ///
    /// ```
    /// # use piton::prelude::*;
    /// # async fn insert(_: &Db, name: &str) -> Result<()> { Ok(()) }
    /// async fn create(cache: Cache, db: Db) -> Result<NoContent> {
    ///     cache.invalidating(["companies"], async move { insert(&db, "Piton").await }).await?;
    ///     Ok(NoContent)
    /// }
    /// ```
    ///
    /// # Panics
    /// If `write` does.
    pub async fn invalidating<T: Into<String>, F>(
        &self,
        tags: impl IntoIterator<Item = T>,
        write: F,
    ) -> F::Output
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let (cache, tags): (_, Vec<String>) =
            (self.clone(), tags.into_iter().map(Into::into).collect());
        let write = context::spawn(write);
        // A second task, so that a panic of the write does not skip the invalidation.
        let done = context::spawn(async move {
            let done = write.await;
            cache.invalidate(tags).await;
            done
        });
        match done.await.and_then(|done| done) {
            Ok(done) => done,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => panic::resume_unwind(panic),
                // The runtime is shutting down, and will drop this future too.
                Err(_) => future::pending().await,
            },
        }
    }
}
