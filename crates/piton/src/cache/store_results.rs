//! The results of the operations that both backends have.

use std::sync::Arc;

use super::cached_value::CachedValue;
use super::invalidation_log::Generation;

/// The result of looking up a value.
pub(super) enum Lookup {
    Hit(Arc<CachedValue>),
    Miss,
    /// The value is stored and was invalidated.
    Stale,
    /// The server is unavailable.
    Unavailable,
}

impl Lookup {
    pub fn value(self) -> Option<Arc<CachedValue>> {
        match self {
            Self::Hit(cached) => Some(cached),
            Self::Miss | Self::Stale | Self::Unavailable => None,
        }
    }
}

/// The result of looking up a value in order to compute it if it is absent.
pub(super) enum BeginResult {
    Hit(Arc<CachedValue>),
    /// The value has to be computed.
    Miss {
        lease: Lease,
        /// False if another process is computing the value.
        is_ours: bool,
        is_stale: bool,
    },
    /// The server is unavailable: the value is computed, and not stored.
    Unavailable(Lease),
}

/// The right to store a computed value: the state in which its computation started. The value is
/// stored only if that state is still current, because an invalidation in between may be about data
/// that the computation had read already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lease {
    /// The generation of this process.
    pub generation: Generation,
    /// The header under which Redis stores the value: lease id, epoch, and the versions of the tags.
    pub header: Option<Arc<str>>,
}

/// The result of storing a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StoreOutcome {
    Stored,
    /// The key or a tag was invalidated while the value was computed.
    Outdated,
    /// The server is unavailable, or refused the value.
    Failed,
}
