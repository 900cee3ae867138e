//! Values in this process's memory, bounded in number and in size.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use moka::Expiry;
use moka::notification::RemovalCause;
use moka::sync::Cache;

use super::CacheSettings;
use super::figures::Figures;
use super::held::Held;
use super::invalidations::{Invalidations, Moment};
use super::store::{Begun, Looked, Stored, Ticket};

/// What an entry takes beside its key and its bytes, about.
const OVERHEAD: usize = 256;

pub(super) struct Store {
    entries: Cache<String, Arc<Entry>>,
    local: Arc<Invalidations>,
}

struct Entry {
    held: Arc<Held>,
    tags: Arc<[String]>,
    ttl: Duration,
    began: Moment,
    /// The last moment at which it was found to be valid: until the next invalidation, of whatever it
    /// is, nobody has to look again.
    valid_at: AtomicU64,
}

impl Entry {
    fn is_valid(&self, key: &str, local: &Invalidations) -> bool {
        let now = local.now();
        if self.valid_at.load(Ordering::Relaxed) == now {
            return true;
        }
        let valid = local.hold(self.began, key, &self.tags);
        if valid {
            self.valid_at.store(now, Ordering::Relaxed);
        }
        valid
    }
}

/// Each entry says itself how long it lives.
struct ByEntry;

impl Expiry<String, Arc<Entry>> for ByEntry {
    fn expire_after_create(&self, _: &String, entry: &Arc<Entry>, _: Instant) -> Option<Duration> {
        Some(entry.ttl)
    }

    fn expire_after_update(
        &self,
        _: &String,
        entry: &Arc<Entry>,
        _: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        Some(entry.ttl)
    }
}

impl Store {
    pub fn new(settings: &CacheSettings, local: Arc<Invalidations>, figures: Arc<Figures>) -> Self {
        let (size, count) =
            (settings.max_size(crate::memory::limit()).as_u64(), settings.max_entries);
        // moka has one limit. If none weighs less than its share, there cannot be more than `count`.
        let least = u32::try_from(size / count).unwrap_or(u32::MAX);
        let weigh = move |key: &String, entry: &Arc<Entry>| {
            let bytes = key.len() + entry.held.bytes().len() + OVERHEAD;
            u32::try_from(bytes).unwrap_or(u32::MAX).max(least)
        };
        let entries = Cache::builder()
            .max_capacity(size)
            .weigher(weigh)
            .expire_after(ByEntry)
            .eviction_listener(move |_, _, cause| {
                if cause == RemovalCause::Size {
                    figures.evicted();
                }
            })
            .build();
        Self { entries, local }
    }

    pub fn find(&self, key: &str) -> Looked {
        match self.entries.get(key) {
            None => Looked::Miss,
            Some(entry) if entry.is_valid(key, &self.local) => Looked::Hit(entry.held.clone()),
            Some(_) => Looked::Stale,
        }
    }

    pub async fn look(&self, key: &str) -> Looked {
        self.find(key)
    }

    pub async fn begin(&self, key: &str, tags: &Arc<[String]>) -> Begun {
        let began = self.local.now();
        match self.entries.get(key) {
            Some(entry) if entry.tags == *tags && entry.is_valid(key, &self.local) => {
                Begun::Hit(entry.held.clone())
            }
            found => Begun::Ticket {
                ticket: Ticket { began, lease: None },
                ours: true,
                stale: found.is_some(),
            },
        }
    }

    /// Whether it is still valid is asked when it is read, so it may be written without asking: but
    /// not over what was begun later.
    pub async fn keep(
        &self,
        key: &str,
        ticket: &Ticket,
        tags: &Arc<[String]>,
        held: Arc<Held>,
        ttl: Duration,
    ) -> Stored {
        if !self.local.hold(ticket.began, key, tags) {
            return Stored::Outdated;
        }
        let (began, valid_at) = (ticket.began, AtomicU64::new(ticket.began));
        let entry = Entry { held, tags: tags.clone(), ttl, began, valid_at };
        self.entries.insert(key.to_owned(), Arc::new(entry));
        Stored::Kept
    }

    pub async fn set(
        &self,
        key: &str,
        tags: &Arc<[String]>,
        held: Arc<Held>,
        ttl: Duration,
    ) -> Stored {
        // What is being computed under this key is older than what is set now.
        self.local.keys([key.to_owned()]);
        let ticket = Ticket { began: self.local.now(), lease: None };
        self.keep(key, &ticket, tags, held, ttl).await
    }

    /// The invalidations themselves have been noted.
    pub async fn forget(&self, keys: &[String], _: &[String]) -> bool {
        keys.iter().for_each(|key| self.entries.invalidate(key));
        true
    }

    pub async fn clear(&self) -> bool {
        self.entries.invalidate_all();
        true
    }

    pub fn release(&self, _: &Ticket) {}

    /// How many entries there are, and what they weigh in bytes.
    pub fn size(&self) -> (u64, u64) {
        self.entries.run_pending_tasks();
        (self.entries.entry_count(), self.entries.weighted_size())
    }
}
