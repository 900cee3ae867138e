//! The settings of the listener and of what stands around every request.

use std::net::IpAddr;
use std::time::Duration;

use crate::config::ByteSize;
use crate::{Settings, config};

/// The public listener and the limits of every request.
#[derive(Clone, Debug, Settings)]
#[setting(check = Self::check)]
pub struct HttpSettings {
    /// The address to listen on: `127.0.0.1` for this machine alone, `0.0.0.0` for all interfaces.
    /// **Default: `127.0.0.1` in development, `0.0.0.0` in production.**
    #[setting(alias = "MS_HOST")]
    pub host: Option<IpAddr>,
    /// The port to listen on; `0` takes a free one. **Default: `5000`.**
    #[setting(alias = "PORT", alias = "MS_PORT")]
    pub port: u16,
    /// How long a request may take from its first byte to its answer before the client gets 503
    /// (408 if it was the client who did not send the rest of its body). **Default: `30s`.**
    pub timeout: Duration,
    /// How long a client may take to send the head of a request, and how long a connection may
    /// stay open without one; it is closed then, or at most half as long after.
    /// **Default: `30s`.**
    pub header_timeout: Duration,
    /// The largest body that a request may have; above it the client gets 413. **Default: `2MiB`.**
    pub body_limit: ByteSize,
    /// How many connections may be open at once; more wait in the system's queue.
    /// **Default: `10000`.**
    pub max_connections: usize,
    /// How long to go on accepting requests after the signal to stop, while `/readyz` says 503, so
    /// that load balancers learn of it. As long as yours take to notice.
    /// **Default: `0s` in development, `5s` in production.**
    pub drain_wait: Option<Duration>,
    /// How long requests that are under way may take after that before they are cut off.
    /// **Default: `20s`.**
    pub drain_timeout: Duration,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            host: None,
            port: 5000,
            timeout: Duration::from_secs(30),
            header_timeout: Duration::from_secs(30),
            body_limit: ByteSize::mib(2),
            max_connections: 10_000,
            drain_wait: None,
            drain_timeout: Duration::from_secs(20),
        }
    }
}

impl HttpSettings {
    /// The section's name.
    pub(crate) const SECTION: config::Section = config::Section::of::<Self>("http");

    /// Values of the right type that no service could work with.
    fn check(&self, reader: &mut config::Reader<'_>) {
        const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);
        for (name, limit) in [("timeout", self.timeout), ("header_timeout", self.header_timeout)] {
            if limit < Duration::from_millis(1) || limit > LONGEST {
                let why = "a limit of time lies between `1ms` and `365days`";
                reader.refuse(name, why, format!("{name} = \"30s\""));
            }
        }
        if !(1..=1_000_000).contains(&self.max_connections) {
            let why = "between 1 and 1000000 connections may be open";
            reader.refuse("max_connections", why, "max_connections = 10000");
        }
    }

    pub(crate) fn host(&self, production: bool) -> IpAddr {
        let everywhere = if production { [0, 0, 0, 0] } else { [127, 0, 0, 1] };
        self.host.unwrap_or_else(|| everywhere.into())
    }

    pub(crate) fn drain_wait(&self, production: bool) -> Duration {
        self.drain_wait.unwrap_or(Duration::from_secs(if production { 5 } else { 0 }))
    }
}
