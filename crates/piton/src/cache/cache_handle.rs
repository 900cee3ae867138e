//! The public handle [`Cache`]: get, set, delete, invalidate, clear.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::cached_value::CachedValue;
use super::entry::{Entry, from_json};
use super::key::tag_of_key;
use super::settings::CacheSettings;
use super::shared_state::{EntrySpec, Inner};
use super::store_results::Lookup;
use crate::part::Problem;

/// The cache. Cheap to clone; every clone is the same cache.
///
/// Values are anything that serde writes as JSON and reads back. Keys and tags are text of your own,
/// such as `company:{cnpj}`; [`key!`](super::key!) builds a key with values in it.
#[derive(Clone)]
pub struct Cache(pub(super) Arc<Inner>);

impl Cache {
    /// Returns the entry of a key, for further options: [`Entry::ttl`], [`Entry::tags`], then
    /// [`Entry::get_or_insert_with`] or [`Entry::set`].
    pub fn entry(&self, key: impl Into<String>) -> Entry {
        Entry::new(Some(self.clone()), key.into())
    }

    /// Returns the value of a key if it is cached, valid, and a `T`. A value of another type, such as
    /// one from before a deployment, counts as absent.
    pub async fn get<T: DeserializeOwned>(&self, key: &str) -> Option<T> {
        let lookup = self.0.store.get(key).await;
        self.0.metrics.count_lookup(&lookup);
        let Lookup::Hit(cached) = lookup else { return None };
        match from_json(cached.bytes()) {
            Ok(value) => Some(value),
            Err(error) => {
                self.0.report_unreadable(key, &error);
                None
            }
        }
    }

    /// Stores a value without tags for `cache.ttl`, replacing any other. [`Entry::set`] takes tags and
    /// another time to live.
    ///
    /// The value counts as of now. To store a value that was just computed from a database use
    /// [`Entry::get_or_insert_with`], which knows when the computation started.
    pub async fn set<T: Serialize>(&self, key: &str, value: &T) {
        self.entry(key).set(value).await;
    }

    /// Deletes the value of a key, and discards computations of it that are in progress. Also
    /// invalidates responses of `#[cached]` routes and values of `#[memoize]` functions with this
    /// `key`, whether the key was built with [`key!`](super::key!) or with `format!`. As `format!`
    /// escapes nothing, its key may match several values: all of them are deleted.
    ///
    /// When this returns, no process serves the value any more. While Redis is unavailable the other
    /// processes are not notified; they are as soon as this process is connected again.
    pub async fn delete(&self, key: &str) {
        self.forget(vec![key.to_owned()], vec![tag_of_key(key)]).await;
    }

    /// Invalidates every value that has one of the tags, and every computation in progress with one.
    /// Call it after the write has been committed.
    ///
    /// When this returns, no process serves such a value any more; see [`delete`](Self::delete) for
    /// when Redis is unavailable.
    pub async fn invalidate<T: Into<String>>(&self, tags: impl IntoIterator<Item = T>) {
        self.forget(Vec::new(), tags.into_iter().map(Into::into).collect()).await;
    }

    /// Invalidates every value, in every process of this service.
    pub async fn clear(&self) {
        self.0.local.record_all();
        let delivered = self.0.store.clear().await;
        self.0.metrics.count_invalidation(delivered);
    }

    pub(super) async fn forget(&self, keys: Vec<String>, tags: Vec<String>) {
        if keys.is_empty() && tags.is_empty() {
            return;
        }
        // First of all, so that from now on no caller of this process joins an older computation.
        if !keys.is_empty() {
            self.0.local.record_keys(keys.iter().cloned());
        }
        if !tags.is_empty() {
            self.0.local.record_tags(tags.iter().cloned());
        }
        let delivered = self.0.store.forget(&keys, &tags).await;
        self.0.metrics.count_invalidation(delivered);
    }

    pub(super) async fn set_value(&self, spec: &EntrySpec, cached: Arc<CachedValue>) {
        if !self.0.within_size_limit(&spec.key, &cached) {
            // Deletes the previous value, because readers must not get an older one after `set`.
            return self.forget(vec![spec.key.clone()], Vec::new()).await;
        }
        let ttl = spec.ttl.unwrap_or(self.0.ttl);
        let outcome = self.0.store.set(&spec.key, &spec.tags, cached, ttl).await;
        self.0.metrics.count_store(outcome);
    }

    /// Creates the cache of one process, for an app called `app`.
    pub(super) fn new(settings: &CacheSettings, app: &str) -> Result<Self, Box<Problem>> {
        Ok(Self(Arc::new(Inner::new(settings, app)?)))
    }
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Cache").field(&self.0.snapshot()).finish()
    }
}
