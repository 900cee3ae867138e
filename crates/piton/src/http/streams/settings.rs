//! The section `[http.streams]`: limits of responses that go on after `http.timeout`.

use std::time::Duration;

use crate::Settings;
use crate::config::ByteSize;

/// Long-lived responses: server-sent events, WebSockets and streams of bytes.
#[derive(Clone, Debug, Settings)]
pub struct StreamSettings {
    /// Time of silence after which a stream of events gets a comment and a WebSocket a ping, so that
    /// proxies keep the connection. A WebSocket whose client sends nothing after two pings is cut off
    /// after a third such time. Set it below the idle timeout of your proxies, which is often 60 s.
    /// **Default: `15s`.**
    #[setting(min = "10ms", max = "1day")]
    pub heartbeat: Duration,
    /// Maximum time without an event or a message, not counting heartbeats; the stream is ended after
    /// it. `0s` for no limit. **Default: `1h`.**
    #[setting(max = "365days")]
    pub idle_timeout: Duration,
    /// Maximum duration of a stream, whatever it sends: clients connect again, perhaps to a less busy
    /// instance. `0s` for no limit. **Default: `1day`.**
    #[setting(max = "365days")]
    pub max_duration: Duration,
    /// Maximum number of open streams; more get 503 with `Retry-After`.
    /// **Default: half of `http.max_connections`.**
    #[setting(min = 1, max = 1_000_000)]
    pub max_open: Option<usize>,
    /// Maximum number of open streams of one client address (of an IPv6 network `/64`); more get 429
    /// with `Retry-After`. Behind a proxy set `http.trusted_proxies`, or all clients count as one.
    /// **Default: `1000`.**
    #[setting(min = 1, max = 1_000_000)]
    pub max_per_client: usize,
    /// The largest message that a WebSocket accepts; above it the socket is closed with the code 1009.
    /// **Default: `1MiB`.**
    #[setting(max = "1TiB")]
    pub max_message_size: ByteSize,
}

impl Default for StreamSettings {
    fn default() -> Self {
        Self {
            heartbeat: Duration::from_secs(15),
            idle_timeout: Duration::from_secs(60 * 60),
            max_duration: Duration::from_secs(24 * 60 * 60),
            max_open: None,
            max_per_client: 1_000,
            max_message_size: ByteSize::mib(1),
        }
    }
}
