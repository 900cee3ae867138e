//! One key with what is said of it: how long its value is kept, and which tags invalidate it.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::held::Held;
use super::key::{KeyBuilder, tag_of_key};
use super::turn::{Turn, Work};
use super::{Cache, Inner};

/// A key of the cache, in the making. See [`Cache::entry`].
#[must_use = "an entry does nothing until it is read or written"]
#[derive(Clone)]
pub struct Entry {
    /// `None` where no app runs: then nothing is remembered.
    cache: Option<Cache>,
    key: String,
    ttl: Option<Duration>,
    tags: Vec<String>,
}

/// What is said of a value that is to be kept.
pub(super) struct Said {
    pub key: String,
    pub ttl: Option<Duration>,
    pub tags: Arc<[String]>,
}

/// An entry of the running app's cache, as `piton::app().cache().entry(key)`: but where no app runs,
/// or one without a cache (a unit test, a verb), nothing is remembered and every value is computed.
/// `#[piton::memoize]` is a call of it.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let answer = piton::cache::entry("answer").get_or_insert(|| async { 42 }).await;
/// assert_eq!(answer, 42);
/// # }
/// ```
pub fn entry(key: impl Into<String>) -> Entry {
    let cache = crate::context::try_app().and_then(|app| app.try_part::<Cache>().ok());
    Entry::new(cache, key.into())
}

/// The entry of a key with values in it, which [`Cache::delete`] also finds by the unescaped text.
#[doc(hidden)]
pub fn entry_of(key: KeyBuilder) -> Entry {
    let (key, plain) = key.into_parts();
    entry(key).tags(plain.map(|plain| tag_of_key(&plain)))
}

impl Entry {
    pub(super) fn new(cache: Option<Cache>, key: String) -> Self {
        Self { cache, key, ttl: None, tags: Vec::new() }
    }

    /// How long the value is kept at most. **Default: `cache.ttl`.**
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = Some(ttl);
        self
    }

    /// The tags by which [`Cache::invalidate`] reaches the value, added to those said before.
    pub fn tags<T: Into<String>>(mut self, tags: impl IntoIterator<Item = T>) -> Self {
        self.tags.extend(tags.into_iter().map(Into::into));
        self
    }

    fn said(self) -> (Option<Cache>, Said) {
        let mut tags = self.tags;
        tags.sort_unstable();
        tags.dedup();
        (self.cache, Said { key: self.key, ttl: self.ttl, tags: tags.into() })
    }

    /// The value, if it is there: as [`Cache::get`].
    pub async fn get<T: DeserializeOwned>(self) -> Option<T> {
        match &self.cache {
            Some(cache) => cache.get(&self.key).await,
            None => None,
        }
    }

    /// Keeps a value, whatever was kept before: as [`Cache::set`].
    pub async fn set<T: Serialize>(self, value: &T) {
        let (cache, said) = self.said();
        if let (Some(cache), Some(bytes)) = (cache, to_json(value)) {
            cache.set_held(&said, Arc::new(Held::new(bytes))).await;
        }
    }

    /// The value; where there is none, `compute` makes it and it is kept.
    ///
    /// Of many who ask for the same key at the same time one computes, in its own request, and all
    /// have the value. If the one fails, is cancelled or panics, another takes over; its error is its
    /// own. Who has seen two others fail computes without waiting any longer. A value whose computation
    /// began before an invalidation is never kept.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use piton::cache::Cache;
    /// # async fn look_up(cnpj: &str) -> Result<String, std::io::Error> { Ok(cnpj.into()) }
    /// # async fn f(cache: Cache, cnpj: &str) -> Result<(), std::io::Error> {
    /// let name: String = cache
    ///     .entry(piton::cache::key!("company:{cnpj}"))
    ///     .ttl(Duration::from_secs(60))
    ///     .tags(["companies"])
    ///     .get_or_insert_with(|| look_up(cnpj))
    ///     .await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Those of `compute`. The cache has none: while Redis is away every value is computed.
    pub async fn get_or_insert_with<T, E, F, Fut>(self, compute: F) -> Result<T, E>
    where
        T: Serialize + DeserializeOwned,
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        let (Some(cache), said) = self.said() else { return compute().await };
        let work = match find(&cache.0, &said).await {
            Found::Value(value) => return Ok(value),
            Found::Work(work) => work,
        };
        match compute().await {
            Ok(value) => {
                keep(work, &value).await;
                Ok(value)
            }
            Err(error) => {
                work.fail();
                Err(error)
            }
        }
    }

    /// As [`get_or_insert_with`](Self::get_or_insert_with), for what cannot fail.
    pub async fn get_or_insert<T, F, Fut>(self, compute: F) -> T
    where
        T: Serialize + DeserializeOwned,
        F: FnOnce() -> Fut,
        Fut: Future<Output = T>,
    {
        let sure = || async { Ok::<T, Infallible>(compute().await) };
        match self.get_or_insert_with(sure).await {
            Ok(value) => value,
            Err(never) => match never {},
        }
    }
}

/// A value of the type asked for, or the work to make one.
enum Found<T> {
    Value(T),
    Work(Work),
}

async fn find<T: DeserializeOwned>(cache: &Arc<Inner>, said: &Said) -> Found<T> {
    match Inner::turn(cache, said).await {
        Turn::Work(work) => return Found::Work(work),
        Turn::Have(held) => match from_json(held.bytes()) {
            Ok(value) => return Found::Value(value),
            Err(error) => cache.unreadable(&said.key, &error),
        },
    }
    // What is there is of another type, perhaps from before a deployment. It goes, and if it is back
    // at once, whoever puts it there may keep it.
    Cache(cache.clone()).forget(vec![said.key.clone()], Vec::new()).await;
    match Inner::turn(cache, said).await {
        Turn::Work(work) => Found::Work(work),
        Turn::Have(held) => match from_json(held.bytes()) {
            Ok(value) => Found::Value(value),
            Err(_) => Found::Work(Work::for_nothing()),
        },
    }
}

async fn keep<T: Serialize>(work: Work, value: &T) {
    match to_json(value) {
        Some(bytes) => work.keep(Arc::new(Held::new(bytes))).await,
        None => work.fail(),
    }
}

pub(super) fn from_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, serde_json::Error> {
    serde_json::from_slice(bytes)
}

/// A value that is no JSON cannot be kept: a bug that the log knows, and no request fails by it.
fn to_json<T: Serialize>(value: &T) -> Option<Vec<u8>> {
    let bytes = serde_json::to_vec(value);
    if let Err(error) = &bytes {
        let kind = std::any::type_name::<T>();
        tracing::error!(%error, "A `{kind}` cannot be kept in the cache: it is no JSON");
    }
    bytes.ok()
}
