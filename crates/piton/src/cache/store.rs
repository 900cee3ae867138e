//! What both backends say: of a look, of the begin of a computation, of its end.

use std::sync::Arc;

use super::held::Held;
use super::invalidations::Moment;

/// A look for a value.
pub(super) enum Looked {
    Hit(Arc<Held>),
    Miss,
    /// There is one, and it was invalidated.
    Stale,
    /// The server cannot be asked.
    #[cfg_attr(not(feature = "redis"), expect(dead_code, reason = "memory is never away"))]
    Away,
}

impl Looked {
    pub fn value(self) -> Option<Arc<Held>> {
        match self {
            Self::Hit(held) => Some(held),
            Self::Miss | Self::Stale | Self::Away => None,
        }
    }
}

/// A look for a value by somebody who will compute it if there is none.
pub(super) enum Begun {
    Hit(Arc<Held>),
    /// There is none.
    Ticket {
        ticket: Ticket,
        /// Whether no other process computes it.
        ours: bool,
        stale: bool,
    },
    /// The server cannot be asked.
    #[cfg_attr(not(feature = "redis"), expect(dead_code, reason = "memory is never away"))]
    Away(Ticket),
}

/// The state of the world when a computation began. Its value is kept only if that still holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ticket {
    /// By the clock of this process.
    pub began: Moment,
    /// What Redis knows of it.
    pub lease: Option<Arc<str>>,
}

/// What became of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stored {
    Kept,
    /// Something it depends on was invalidated while it was computed.
    Outdated,
    /// The server cannot be asked, or refused.
    #[cfg_attr(not(feature = "redis"), expect(dead_code, reason = "memory is never away"))]
    Failed,
}
