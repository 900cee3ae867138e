//! The section `[http.http2]`: the limits of connections that speak HTTP/2.

use std::time::Duration;

use crate::Settings;
use crate::config::ByteSize;

/// HTTP/2 of the public listeners, by ALPN and by prior knowledge. Without the feature `http2` the
/// listeners speak HTTP/1 only.
#[derive(Clone, Debug, Settings)]
pub struct Http2Settings {
    /// Speaks HTTP/2 with clients that ask for it. **Default: `true`.**
    pub enabled: bool,
    /// Maximum number of requests of one connection at a time; a client that begins more gets
    /// `REFUSED_STREAM`. **Default: `128`.**
    #[setting(min = 1, max = 100_000)]
    pub max_streams: u32,
    /// Bytes of request bodies that one connection may hold before handlers read them. Raise it for
    /// fast uploads over long distances: an upload moves one window in each round trip.
    /// **Default: `256KiB`.**
    #[setting(min = "64KiB", max = "1GiB")]
    pub window: ByteSize,
    /// Time between two pings that find out whether a client is still there. A client that does not
    /// reply within `20s` is disconnected. **Default: `30s`.**
    #[setting(min = "1s", max = "1day")]
    pub ping_interval: Duration,
}

impl Default for Http2Settings {
    fn default() -> Self {
        Self {
            enabled: true,
            max_streams: 128,
            window: ByteSize::kib(256),
            ping_interval: Duration::from_secs(30),
        }
    }
}
