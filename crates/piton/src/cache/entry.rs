//! [`Entry`]: a key with its options, and get-or-compute.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::cache_handle::Cache;
use super::cached_value::CachedValue;
use super::key::{KeyBuilder, tag_of_key};
use super::shared_state::{EntrySpec, Inner};
use super::single_flight::{ComputeGuard, HitOrCompute};

/// A key of the cache with options: time to live and tags. See [`Cache::entry`].
#[must_use = "an entry does nothing until it is read or written"]
#[derive(Clone)]
pub struct Entry {
    /// `None` where no app runs: then nothing is cached.
    cache: Option<Cache>,
    key: String,
    ttl: Option<Duration>,
    tags: Vec<String>,
}

/// Returns an entry of the running app's cache, like `piton::app().cache().entry(key)`. Where no app
/// runs, or one without a cache (a unit test, a command), nothing is cached and every value is computed.
/// `#[piton::memoize]` is a call of this function.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let answer = piton::cache::entry("answer").get_or_insert(|| async { 42 }).await;
/// assert_eq!(answer, 42);
/// # }
/// ```
pub fn entry(key: impl Into<String>) -> Entry {
    let cache = crate::context::try_app().ok().and_then(|app| app.try_part::<Cache>().ok());
    Entry::new(cache, key.into())
}

/// Returns the entry of a key with values in it, which [`Cache::delete`] also finds by the unescaped
/// text.
#[doc(hidden)]
pub fn entry_of(key: KeyBuilder) -> Entry {
    let (key, plain) = key.into_parts();
    entry(key).tags(plain.map(|plain| tag_of_key(&plain)))
}

impl Entry {
    pub(super) fn new(cache: Option<Cache>, key: String) -> Self {
        Self { cache, key, ttl: None, tags: Vec::new() }
    }

    /// Sets the maximum time that the value is cached. **Default: `cache.ttl`.**
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = Some(ttl);
        self
    }

    /// Adds tags by which [`Cache::invalidate`] reaches the value.
    pub fn tags<T: Into<String>>(mut self, tags: impl IntoIterator<Item = T>) -> Self {
        self.tags.extend(tags.into_iter().map(Into::into));
        self
    }

    fn into_spec(self) -> (Option<Cache>, EntrySpec) {
        let mut tags = self.tags;
        tags.sort_unstable();
        tags.dedup();
        (self.cache, EntrySpec { key: self.key, ttl: self.ttl, tags: tags.into() })
    }

    /// Returns the value if it is cached, like [`Cache::get`].
    pub async fn get<T: DeserializeOwned>(self) -> Option<T> {
        match &self.cache {
            Some(cache) => cache.get(&self.key).await,
            None => None,
        }
    }

    /// Stores a value, replacing any other, like [`Cache::set`].
    pub async fn set<T: Serialize>(self, value: &T) {
        let (cache, spec) = self.into_spec();
        if let (Some(cache), Some(bytes)) = (cache, to_json(value)) {
            cache.set_value(&spec, Arc::new(CachedValue::new(bytes))).await;
        }
    }

    /// Returns the value. If it is absent, `compute` computes it, and it is stored.
    ///
    /// Of many concurrent callers for the same key one computes, within its own request, and all get
    /// the value. If that caller fails, is cancelled or panics, another takes over; its error is not
    /// shared. A caller that has seen two others fail computes without waiting any longer. A value
    /// whose computation started before an invalidation is never stored.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use piton::cache::Cache;
    /// # async fn fetch(cnpj: &str) -> Result<String, std::io::Error> { Ok(cnpj.into()) }
    /// # async fn f(cache: Cache, cnpj: &str) -> Result<(), std::io::Error> {
    /// let name: String = cache
    ///     .entry(piton::cache::key!("company:{cnpj}"))
    ///     .ttl(Duration::from_secs(60))
    ///     .tags(["companies"])
    ///     .get_or_insert_with(|| fetch(cnpj))
    ///     .await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Those of `compute`. The cache has none: while Redis is unavailable every value is computed.
    pub async fn get_or_insert_with<T, E, F, Fut>(self, compute: F) -> Result<T, E>
    where
        T: Serialize + DeserializeOwned,
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        let (Some(cache), spec) = self.into_spec() else { return compute().await };
        let guard = match value_or_compute(&cache, &spec).await {
            ValueOrCompute::Value(value) => return Ok(value),
            ValueOrCompute::Compute(guard) => guard,
        };
        match compute().await {
            Ok(value) => {
                store(guard, &value).await;
                Ok(value)
            }
            Err(error) => {
                guard.fail();
                Err(error)
            }
        }
    }

    /// Does the same as [`get_or_insert_with`](Self::get_or_insert_with), for a computation that cannot
    /// fail.
    pub async fn get_or_insert<T, F, Fut>(self, compute: F) -> T
    where
        T: Serialize + DeserializeOwned,
        F: FnOnce() -> Fut,
        Fut: Future<Output = T>,
    {
        let infallible = || async { Ok::<T, Infallible>(compute().await) };
        match self.get_or_insert_with(infallible).await {
            Ok(value) => value,
            Err(never) => match never {},
        }
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Entry")
    }
}

/// A value of the requested type, or the obligation to compute one.
enum ValueOrCompute<T> {
    Value(T),
    Compute(ComputeGuard),
}

async fn value_or_compute<T: DeserializeOwned>(
    cache: &Cache,
    spec: &EntrySpec,
) -> ValueOrCompute<T> {
    match Inner::hit_or_compute(&cache.0, spec).await {
        HitOrCompute::Compute(guard) => return ValueOrCompute::Compute(guard),
        HitOrCompute::Hit(cached) => match from_json(cached.bytes()) {
            Ok(value) => return ValueOrCompute::Value(value),
            Err(error) => cache.0.report_unreadable(&spec.key, &error),
        },
    }
    // The cached value is of another type, perhaps from before a deployment, and is deleted. If another
    // process has stored such a value again meanwhile, that one is left, so that two versions that run
    // side by side do not go on deleting each other's values within one call.
    cache.forget(vec![spec.key.clone()], Vec::new()).await;
    match Inner::hit_or_compute(&cache.0, spec).await {
        HitOrCompute::Compute(guard) => ValueOrCompute::Compute(guard),
        HitOrCompute::Hit(cached) => match from_json(cached.bytes()) {
            Ok(value) => ValueOrCompute::Value(value),
            Err(_) => ValueOrCompute::Compute(ComputeGuard::detached()),
        },
    }
}

async fn store<T: Serialize>(guard: ComputeGuard, value: &T) {
    match to_json(value) {
        Some(bytes) => guard.store(Arc::new(CachedValue::new(bytes))).await,
        None => guard.fail(),
    }
}

pub(super) fn from_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, serde_json::Error> {
    serde_json::from_slice(bytes)
}

/// Returns `None` for a value that does not serialize. It is a bug of the service, which is logged and
/// fails no request.
fn to_json<T: Serialize>(value: &T) -> Option<Vec<u8>> {
    let bytes = serde_json::to_vec(value);
    if let Err(error) = &bytes {
        let kind = std::any::type_name::<T>();
        tracing::error!(%error, "A `{kind}` cannot be cached: it does not serialize as JSON");
    }
    bytes.ok()
}
