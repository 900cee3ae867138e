//! The section `[tasks.outbox]`.

use std::time::Duration;

/// The outbox: tasks that were sent in a transaction of the database, and wait there until they are in Redis. For
/// `tasks.broker = "redis"`.
#[derive(Clone, Debug, piton_macros::Settings)]
pub struct OutboxSettings {
    /// Maximum number of entries, each a task or a group. While there are more, because Redis is unavailable, sending in a
    /// transaction fails, so that the disk does not fill. **Default: `1000000`.**
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
