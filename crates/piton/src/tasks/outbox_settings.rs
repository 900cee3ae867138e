//! The section `[tasks.outbox]`.

use std::time::Duration;

/// The outbox: tasks that were sent in a transaction of the database, and wait there until they are in Redis. For
/// `tasks.broker = "redis"`.
#[derive(Clone, Debug, piton_macros::Settings)]
pub struct OutboxSettings {
    /// Maximum number of entries, each a task or a group. Above it, sending in a transaction fails with 503, so that the disk does
    /// not fill. Raise it for longer outages of Redis. **Default: `1000000`.**
    #[setting(min = 1, max = 1_000_000_000)]
    pub max_entries: u32,

    /// The age of the oldest entry beyond which the service's health is `degraded`. `0s` turns the check off.
    /// **Default: `1m`.**
    #[setting(max = "365days")]
    pub max_age: Duration,
}

impl Default for OutboxSettings {
    fn default() -> Self {
        Self { max_entries: 1_000_000, max_age: Duration::from_secs(60) }
    }
}

impl OutboxSettings {
    /// Returns the text that says that the outbox is full.
    pub(super) fn full(&self) -> String {
        let max = self.max_entries;
        format!(
            "the outbox is full: more than {max} entries wait (tasks.outbox.max_entries), or too many were refused (`tasks outbox`)"
        )
    }
}
