//! A write, and what was remembered of the state before it.

use std::future::{self, Future};
use std::panic;

use super::Cache;
use crate::context;

impl Cache {
    /// Does `work`, a write, and then forgets every value that has one of the tags: also if the work
    /// failed, as it may have been done all the same. The two go on to their end if the request ends
    /// before they do (a client that left, a timeout): a write that is cut off while the database
    /// commits it would otherwise be done, and nobody would hear of it.
    ///
    /// When this returns, no process serves such a value any more; see [`delete`](Self::delete) for when
    /// Redis is away.
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
    /// If `work` does.
    pub async fn invalidating<T: Into<String>, F>(
        &self,
        tags: impl IntoIterator<Item = T>,
        work: F,
    ) -> F::Output
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let (cache, tags): (_, Vec<String>) =
            (self.clone(), tags.into_iter().map(Into::into).collect());
        let write = context::spawn(work);
        let done = context::spawn(async move {
            let done = write.await;
            cache.invalidate(tags).await;
            done
        });
        match done.await.and_then(|done| done) {
            Ok(done) => done,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => panic::resume_unwind(panic),
                // The runtime is going, and whoever waits here with it.
                Err(_) => future::pending().await,
            },
        }
    }
}
