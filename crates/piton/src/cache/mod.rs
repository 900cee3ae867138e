//! Remembers answers for a while so that they need not be computed twice: in this process's memory
//! when nothing is configured, in Redis by one setting.
//!
//! A cache here is never the only copy: losing it costs time, not data. That is why a failing Redis
//! makes [`Cache::get`] miss instead of failing the request. And it does not lie: a value whose
//! computation began before an invalidation is never served after it, whichever process invalidated
//! (how, is in `docs/decisions/0013-*.md`).
//!
//! ```
//! # use std::time::Duration;
//! use piton::prelude::*;
//!
//! /// The companies of a state, computed at most once a minute.
//! #[get("/states/{uf}")]
//! #[cached(ttl = "60s", tags = ["companies"])]
//! async fn state(Path(uf): Path<String>) -> Json<Vec<String>> {
//!     Json(vec![uf])
//! }
//!
//! /// After the write nobody reads what was before it.
//! #[post("/companies")]
//! async fn create(cache: Cache) -> NoContent {
//!     cache.invalidate(["companies"]).await;
//!     NoContent
//! }
//! # fn main() {}
//! ```
//!
//! Whole answers are remembered by `#[cached]` ([`Cached`]), what a function returns by
//! `#[piton::memoize]`, anything by [`Cache::entry`].

mod address;
mod cached;
mod entry;
mod figures;
mod flight;
mod held;
mod invalidations;
mod key;
mod memory;
#[cfg(feature = "redis")]
mod redis;
mod settings;
mod store;
#[cfg(test)]
mod tests;
mod turn;
mod writing;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::handle::Handle;
use crate::metrics::Metrics;
use crate::part::{self, BoxError, Health, Launch, Part, Problem};
use crate::stop::Stop;
use crate::support::log_throttle::LogThrottle;

use entry::Said;
use figures::Figures;
use flight::Flights;
use held::Held;
use invalidations::Invalidations;
use store::Looked;

pub use address::RedisUrl;
pub use cached::Cached;
pub use entry::{Entry, entry, entry_of};
pub use key::{KeyBuilder, function_of};
pub use settings::{CacheSettings, CacheTls, redis_required};

/// Builds a key as `format!` builds a text, with values escaped so that distinct values give
/// distinct keys. The result equals that of `key = ".."` in `#[cached]` and `#[memoize]`. See
/// [`KeyBuilder`].
///
/// ```
/// use piton::cache::key;
///
/// let (state, city) = ("SP", "Mogi-Guaçu");
/// assert_eq!(key!("city:{state}-{city}"), "city:SP-Mogi%2DGuaçu");
/// assert_eq!(key!("city:{}-{}", "SP-Mogi", "Guaçu"), "city:SP%2DMogi-Guaçu");
/// ```
pub use piton_macros::cache_key as key;

/// The cache. Cheap to clone; every clone is the same cache.
///
/// Values are anything that serde writes as JSON and reads back. Keys and tags are text of your own,
/// such as `company:{cnpj}`; a key with values in it is built by [`key!`].
#[derive(Clone)]
pub struct Cache(Arc<Inner>);

struct Inner {
    store: Store,
    flights: Flights,
    /// What this process has invalidated.
    local: Arc<Invalidations>,
    figures: Arc<Figures>,
    ttl: Duration,
    wait: Duration,
    max_value_size: usize,
    unreadable: LogThrottle,
}

enum Store {
    Memory(memory::Store),
    #[cfg(feature = "redis")]
    Redis(Arc<redis::Store>),
}

/// Does the same with either store: they have the same methods.
macro_rules! each {
    ($of:expr, $it:ident => $do:expr) => {
        match $of {
            Store::Memory($it) => $do,
            #[cfg(feature = "redis")]
            Store::Redis($it) => $do,
        }
    };
}
use each;

impl Cache {
    /// A key, to say more of it: [`Entry::ttl`], [`Entry::tags`], then
    /// [`Entry::get_or_insert_with`] or [`Entry::set`].
    pub fn entry(&self, key: impl Into<String>) -> Entry {
        Entry::new(Some(self.clone()), key.into())
    }

    /// The value of a key, if it is there, valid, and a `T`. A value of another type, such as one
    /// from before a deployment, counts as not there.
    pub async fn get<T: DeserializeOwned>(&self, key: &str) -> Option<T> {
        let looked = each!(&self.0.store, store => store.look(key).await);
        self.0.figures.looked(&looked);
        let Looked::Hit(held) = looked else { return None };
        match entry::from_json(held.bytes()) {
            Ok(value) => Some(value),
            Err(error) => {
                self.0.unreadable(key, &error);
                None
            }
        }
    }

    /// Keeps a value, whatever was kept before, without tags and for as long as `cache.ttl` says; see
    /// [`Entry::set`] for others.
    ///
    /// The value counts as of now. To keep what was just computed from a database use
    /// [`Entry::get_or_insert_with`]: it knows when the computation began.
    pub async fn set<T: Serialize>(&self, key: &str, value: &T) {
        self.entry(key).set(value).await;
    }

    /// Deletes the value of a key, and discards computations of it that are in progress. Also
    /// invalidates responses of `#[cached]` routes and values of `#[memoize]` functions with this
    /// `key`, whether the key was built with [`key!`] or with `format!`. As `format!` escapes
    /// nothing, its key may match several values: all of them are deleted.
    ///
    /// When this returns, no process serves the value any more. While Redis is away the other
    /// processes do not hear of it; they do as soon as this one is back.
    pub async fn delete(&self, key: &str) {
        self.forget(vec![key.to_owned()], vec![key::tag_of_key(key)]).await;
    }

    /// Forgets every value that has one of the tags, and whatever is being computed with one. Call
    /// it after the write has been committed.
    ///
    /// When this returns, no process serves such a value any more; see [`delete`](Self::delete) for
    /// when Redis is away.
    pub async fn invalidate<T: Into<String>>(&self, tags: impl IntoIterator<Item = T>) {
        self.forget(Vec::new(), tags.into_iter().map(Into::into).collect()).await;
    }

    /// Forgets everything, in every process of this service.
    pub async fn clear(&self) {
        self.0.local.everything();
        let delivered = each!(&self.0.store, store => store.clear().await);
        self.0.figures.invalidated(delivered);
    }

    async fn forget(&self, keys: Vec<String>, tags: Vec<String>) {
        if keys.is_empty() && tags.is_empty() {
            return;
        }
        // First of all: who comes to this process from now on does not join an older computation.
        if !keys.is_empty() {
            self.0.local.keys(keys.iter().cloned());
        }
        if !tags.is_empty() {
            self.0.local.tags(tags.iter().cloned());
        }
        let delivered = each!(&self.0.store, store => store.forget(&keys, &tags).await);
        self.0.figures.invalidated(delivered);
    }

    async fn set_held(&self, said: &Said, held: Arc<Held>) {
        if !self.0.fits(&said.key, &held) {
            // What was there before is not what was to be set.
            return self.forget(vec![said.key.clone()], Vec::new()).await;
        }
        let ttl = said.ttl.unwrap_or(self.0.ttl);
        let set = each!(&self.0.store, store => store.set(&said.key, &said.tags, held, ttl).await);
        self.0.figures.stored(set);
    }

    fn figures(&self) -> &Figures {
        &self.0.figures
    }

    /// What there is now: name, help and value.
    fn gauges(&self) -> Vec<(&'static str, &'static str, u64)> {
        let flights = self.0.flights.count() as u64;
        let mut gauges = vec![("cache_computing", "Values that are being computed", flights)];
        match &self.0.store {
            Store::Memory(store) => {
                let (entries, bytes) = store.size();
                gauges.push(("cache_entries", "Values in memory", entries));
                gauges.push(("cache_bytes", "What the values in memory take", bytes));
            }
            #[cfg(feature = "redis")]
            Store::Redis(store) => {
                let up = u64::from(store.is_up());
                gauges.push(("cache_redis_up", "Whether Redis can be asked", up));
            }
        }
        gauges
    }

    /// A cache with these settings for an app of that name: one process's worth.
    fn new(settings: &CacheSettings, app: &str) -> Result<Self, Box<Problem>> {
        let (local, figures) = (Arc::<Invalidations>::default(), Arc::<Figures>::default());
        Ok(Self(Arc::new(Inner {
            store: Store::new(settings, app, local.clone(), figures.clone())?,
            flights: Flights::default(),
            local,
            figures,
            ttl: settings.ttl,
            wait: settings.wait,
            max_value_size: settings.max_value_size.as_usize(),
            unreadable: LogThrottle::default(),
        })))
    }
}

impl Store {
    #[cfg_attr(not(feature = "redis"), expect(unused_variables, reason = "memory has no names"))]
    fn new(
        settings: &CacheSettings,
        app: &str,
        local: Arc<Invalidations>,
        figures: Arc<Figures>,
    ) -> Result<Self, Box<Problem>> {
        #[cfg(feature = "redis")]
        if settings.is_redis() {
            return Ok(Self::Redis(redis::Store::new(settings, app, local, figures)?));
        }
        // In a build without Redis the settings' check has refused a server already.
        Ok(Self::Memory(memory::Store::new(settings, local, figures)))
    }
}

impl Inner {
    /// A value that is in this process's memory, and valid: found without waiting for anybody.
    fn in_memory(&self, key: &str) -> Option<Arc<Held>> {
        match &self.store {
            Store::Memory(store) => match store.find(key) {
                looked @ Looked::Hit(_) => {
                    self.figures.looked(&looked);
                    looked.value()
                }
                _ => None,
            },
            #[cfg(feature = "redis")]
            Store::Redis(_) => None,
        }
    }

    /// A value that was kept is not of the type asked for: it counts as not there.
    fn unreadable(&self, key: &str, error: &serde_json::Error) {
        self.figures.unreadable();
        if self.unreadable.pass().is_some() {
            let what = error.classify();
            tracing::warn!(key, ?what, "A kept value is of another type than the one asked for");
        }
    }
}

impl Part for Cache {
    const NAME: &'static str = "cache";

    type Settings = CacheSettings;

    async fn start(settings: CacheSettings, launch: &Launch) -> Result<Self, part::Error> {
        // Two environments that share a server share nothing else.
        let environment = launch.environment().as_str().to_ascii_lowercase();
        let name = format!("{}-{environment}", launch.name());
        Ok(Self::new(&settings, &name).map_err(|problem| *problem)?)
    }

    /// Never fails: without its server the cache remembers nothing, and the service works.
    async fn connect(&self) -> Result<(), BoxError> {
        match &self.0.store {
            Store::Memory(_) => {}
            #[cfg(feature = "redis")]
            Store::Redis(store) => store.connect_once().await,
        }
        Ok(())
    }

    #[cfg_attr(not(feature = "redis"), expect(unused_variables, reason = "memory has no work"))]
    async fn run(&self, stop: Stop) {
        match &self.0.store {
            Store::Memory(_) => {}
            #[cfg(feature = "redis")]
            Store::Redis(store) => store.keep_connected(stop).await,
        }
    }

    async fn health(&self) -> Health {
        match &self.0.store {
            Store::Memory(_) => Health::Up,
            #[cfg(feature = "redis")]
            Store::Redis(store) => store.health().await,
        }
    }

    fn snapshot(&self) -> serde_json::Value {
        let (hits, lookups) = self.0.figures.ratio();
        let mut shown = json!({ "hits": hits, "lookups": lookups });
        match &self.0.store {
            Store::Memory(store) => {
                let (entries, bytes) = store.size();
                shown["store"] = "memory".into();
                shown["entries"] = entries.into();
                shown["bytes"] = bytes.into();
            }
            #[cfg(feature = "redis")]
            Store::Redis(store) => {
                shown["store"] = "redis".into();
                shown["server"] = store.address().into();
                shown["namespace"] = store.namespace().into();
                shown["up"] = store.is_up().into();
            }
        }
        shown
    }

    fn metrics(&self, metrics: &Metrics) {
        metrics.collect(figures::Collected(self.clone()));
    }
}

crate::part!(Cache);

impl Handle {
    /// The cache, as a handler's argument `cache: Cache` would give it.
    ///
    /// ```
    /// # async fn f() {
    /// let visits: Option<u64> = piton::app().cache().get("visits").await;
    /// # }
    /// ```
    ///
    /// # Panics
    /// If nothing asked for [`Cache`]; see [`Handle::part`].
    #[must_use]
    #[track_caller]
    pub fn cache(&self) -> Cache {
        self.part::<Cache>()
    }
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Cache").field(&self.snapshot()).finish()
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Entry")
    }
}
