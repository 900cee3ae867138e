//! A write, and what was remembered of the state before it.

use std::future::Future;

use super::Cache;

impl Cache {
    /// Does `work`, a write, and then forgets every value that has one of the tags: also if the work
    /// failed, as it may have been done all the same, and if the request ended before the work did.
    /// When this returns, no process serves such a value any more; see [`delete`](Self::delete) for when
    /// Redis is away.
    ///
    /// ```
    /// # use piton::prelude::*;
    /// # async fn insert(_: &Db, name: &str) -> Result<()> { Ok(()) }
    /// async fn create(cache: Cache, db: Db) -> Result<NoContent> {
    ///     cache.invalidating(["companies"], insert(&db, "Piton")).await?;
    ///     Ok(NoContent)
    /// }
    /// ```
    pub async fn invalidating<T: Into<String>, F: Future>(
        &self,
        tags: impl IntoIterator<Item = T>,
        work: F,
    ) -> F::Output {
        let tags = tags.into_iter().map(Into::into).collect();
        let mut outdated = Outdated { cache: self, tags };
        let done = work.await;
        let tags = std::mem::take(&mut outdated.tags);
        self.invalidate(tags).await;
        done
    }
}

/// What is to be forgotten, whatever becomes of the write.
struct Outdated<'a> {
    cache: &'a Cache,
    tags: Vec<String>,
}

impl Drop for Outdated<'_> {
    fn drop(&mut self) {
        let tags = std::mem::take(&mut self.tags);
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        if !tags.is_empty() {
            let cache = self.cache.clone();
            runtime.spawn(async move { cache.invalidate(tags).await });
        }
    }
}
