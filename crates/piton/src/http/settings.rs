//! The section `[http]`: the listener, and limits, headers and errors of every request.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use http::{HeaderName, HeaderValue};
use serde_json::{Value, json};

use crate::compat::error_style::{ErrorDetail, ErrorStyle};
use crate::config::{ByteSize, Setting};
use crate::http::http2_settings::Http2Settings;
use crate::http::server::content_coding::encoded_requests::EncodedRequests;
use crate::http::server::cors::CorsSettings;
use crate::http::server::listeners::listen_address::ListenAddress;
use crate::http::streams::settings::StreamSettings;
use crate::http::tls_settings::TlsSettings;
use crate::http::upload_settings::UploadSettings;
use crate::memory::{self, MemoryLimit, SMALL, rounded};
use crate::request::trusted_proxies::{ClientIpHeader, Network, TrustedProxies};
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
    /// The addresses to listen on instead of `host` and `port`: `127.0.0.1:5000`, `[::1]:5000`,
    /// `unix:/run/app.sock?mode=660&owner=www-data`, or `fd:NAME` for a socket of the service manager.
    /// **Default: the sockets of `LISTEN_FDS`, if there are any, or else `host` and `port`.**
    pub listen: Vec<ListenAddress>,
    /// Reads the client's address from the PROXY protocol (versions 1 and 2), which each connection has
    /// to begin with then. Only `trusted_proxies` may connect. **Default: `false`.**
    pub proxy_protocol: bool,
    /// A second port, of plain HTTP, that answers every request with a redirect (308) to `https://`.
    /// Needs `tls.certificate`. **Default: none.**
    pub redirect_port: Option<u16>,
    /// TLS of the public listeners.
    #[setting(section)]
    pub tls: TlsSettings,
    /// HTTP/2 of the public listeners.
    #[setting(section)]
    pub http2: Http2Settings,
    /// Maximum time from the end of a request's head to its response; after it the client gets 503, or
    /// 408 if it has not sent its whole body. **Default: `30s`.**
    #[setting(min = "1ms", max = "365days")]
    pub timeout: Duration,
    /// Maximum time for a client to send the head of a request, and for a connection to be idle. The
    /// connection is closed after it, or at most half as long later.
    /// **Default: `30s`.**
    #[setting(min = "1ms", max = "365days")]
    pub header_timeout: Duration,
    /// Maximum time for which a response waits for its client; the connection is cut off after it. A
    /// client that receives at least 32 KiB in that time is served however slow it is. **Default: `30s`.**
    #[setting(min = "1ms", max = "365days")]
    pub write_timeout: Duration,
    /// Maximum size of a request's head: its first line and headers; above it the client gets 431. Raise
    /// it where clients send large cookies or tokens. **Default: `32KiB`.**
    #[setting(min = "8KiB", max = "16MiB")]
    pub header_limit: ByteSize,
    /// Responds to a client that has closed its sending side after its request. `false` cancels the
    /// request instead, as when a client disconnects: the two look the same until something is written.
    /// **Default: `true`.**
    pub half_close: bool,
    /// The largest body that a request may have; above it the client gets 413. **Default: `2MiB`.**
    #[setting(max = "1TiB")]
    pub body_limit: ByteSize,
    /// The memory that all requests may hold together: bodies as they arrive, rows of the database as
    /// they are read, and responses above 64 KiB until they are sent. A request that does not fit gets 503
    /// with `Retry-After`; the last eighth is for requests that hold no more than 64 KiB. Raise it
    /// where many large bodies are expected at once.
    /// **Default: a quarter of the container's or machine's memory, at most `256MiB`; more where
    /// `body_limit` is larger.**
    #[setting(max = "1TiB")]
    pub memory_budget: Option<ByteSize>,
    /// Maximum number of open connections. For one more the longest idle one is closed; if all are busy, it
    /// gets 503 with `Retry-After`, except for probes. Lowered to fit the limit of open files.
    /// **Default: one for each `512KiB` of the container's or machine's memory, at least `64` and at
    /// most `10000`.**
    #[setting(min = 1, max = 1_000_000)]
    pub max_connections: Option<usize>,
    /// Maximum number of requests in flight; more get 503 with `Retry-After` at once, except probes. Lower it
    /// if accepted requests are too slow under the
    /// heaviest load. **Default: `5000`.**
    #[setting(min = 1, max = 1_000_000)]
    pub max_requests: u32,
    /// The proxies in front of the service, whose `X-Request-Id` and forwarded client address are
    /// trusted: networks such as `10.0.0.0/8`, or `loopback`, or `private`. **Default: none.**
    pub trusted_proxies: Vec<Network>,
    /// The header in which trusted proxies name the client: `x-forwarded-for`, `forwarded` or
    /// `x-real-ip`. Name the one that your proxies overwrite or append to, because clients can forge the
    /// others. **Default: `x-forwarded-for`.**
    pub client_ip_header: ClientIpHeader,
    /// Headers of every response unless the handler sets them; add
    /// `Strict-Transport-Security: max-age=31536000` when all clients come by HTTPS.
    /// **Default: `X-Content-Type-Options: nosniff`, `X-Frame-Options: DENY`.**
    pub headers: Vec<HeaderLine>,
    /// Compresses responses of 1 KiB and more for clients that accept it: gzip and brotli, and zstd with
    /// the feature `zstd`. Leave it to the proxy, if there is one. Needs the feature `compression`.
    /// **Default: `false`.**
    pub compression: bool,
    /// The treatment of requests whose body has a `Content-Encoding`: `refuse` responds with 415,
    /// `decode` decodes gzip, deflate and brotli (and zstd with the feature `zstd`) within
    /// `http.body_limit`, and `forward` leaves the body to the handler. Set `decode` for clients that
    /// compress what they send; it needs the feature `compression`. **Default: `refuse`.**
    pub encoded_requests: EncodedRequests,
    /// Format of error responses: `problem` (RFC 9457, with its true status) or `gnar`
    /// (`{"error","traceback"}` with status 200). **Default: `problem`.**
    pub error_style: ErrorStyle,
    /// Shows the causes and lines of code of failures to the client: `always`, `never`, or
    /// `auto`, which is in development only. **Default: `auto`.**
    pub traceback: ErrorDetail,
    /// The pages of other origins that may call the service from a browser.
    #[setting(section)]
    pub cors: CorsSettings,
    /// Forms with files.
    #[setting(section)]
    pub uploads: UploadSettings,
    /// Long-lived responses: server-sent events, WebSockets, streams of bytes.
    #[setting(section)]
    pub streams: StreamSettings,
    /// Time to go on accepting requests after the signal to stop, while `/readyz` responds 503. Set it
    /// to the time that your load balancers take to notice.
    /// **Default: `0s` in development, `5s` in production.**
    #[setting(max = "1day")]
    pub drain_wait: Option<Duration>,
    /// Maximum time after `drain_wait` for requests in flight to end, before they are cut off.
    /// **Default: `20s`.**
    #[setting(max = "1day")]
    pub drain_timeout: Duration,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            host: None,
            port: 5000,
            listen: Vec::new(),
            proxy_protocol: false,
            redirect_port: None,
            tls: TlsSettings::default(),
            http2: Http2Settings::default(),
            timeout: Duration::from_secs(30),
            header_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(30),
            header_limit: ByteSize::bytes(32 << 10),
            half_close: true,
            body_limit: ByteSize::mib(2),
            memory_budget: None,
            max_connections: None,
            max_requests: 5_000,
            trusted_proxies: Vec::new(),
            client_ip_header: ClientIpHeader::default(),
            headers: vec![
                HeaderLine::of("x-content-type-options", "nosniff"),
                HeaderLine::of("x-frame-options", "DENY"),
            ],
            compression: false,
            encoded_requests: EncodedRequests::default(),
            error_style: ErrorStyle::default(),
            traceback: ErrorDetail::default(),
            cors: CorsSettings::default(),
            uploads: UploadSettings::default(),
            streams: StreamSettings::default(),
            drain_wait: None,
            drain_timeout: Duration::from_secs(20),
        }
    }
}

impl HttpSettings {
    /// The section's name.
    pub(crate) const SECTION: config::Section = config::Section::of::<Self>("http");

    /// Refuses values of the right type that no service could work with.
    fn check(&self, reader: &mut config::Reader<'_>) {
        if let Some((name, why, fix)) = self.memory_problem(memory::limit()) {
            reader.refuse(name, why, fix);
        }
        if self.proxy_protocol && self.trusted_proxies.is_empty() {
            let why = "no connection would be accepted, because no proxy is trusted";
            reader.refuse(
                "proxy_protocol",
                why,
                "http.trusted_proxies=NETWORK of the proxy as well",
            );
        }
        if self.redirect_port.is_some() && !self.tls.is_on() {
            let why = "there is no `https://` to redirect to";
            let fix = "http.tls.certificate=FILE and http.tls.key=FILE as well";
            reader.refuse("redirect_port", why, fix);
        }
        if let Some((why, fix)) = self.uploads.folder_problem() {
            reader.refuse("uploads.folder", why, fix);
        }
        if cfg!(not(feature = "compression")) {
            self.refuse_codings(reader);
        }
    }

    /// Refuses settings that need the feature `compression`.
    fn refuse_codings(&self, reader: &mut config::Reader<'_>) {
        if self.compression {
            let why = "this build of piton cannot compress";
            let fix = "give piton the feature `compression`, or leave it to the proxy";
            reader.refuse("compression", why, fix);
        }
        if self.encoded_requests == EncodedRequests::Decode {
            let why = "this build of piton cannot decode bodies";
            let fix = "give piton the feature `compression`, or set `refuse`";
            reader.refuse("encoded_requests", why, fix);
        }
    }

    /// Refuses a memory budget in which no largest body fits, or which the process does not have,
    /// and a largest body for which the default budget would have to be too large.
    fn memory_problem(
        &self,
        limit: Option<&MemoryLimit>,
    ) -> Option<(&'static str, String, String)> {
        let least = self.min_budget();
        match (self.memory_budget, limit) {
            (Some(budget), _) if budget < least => Some((
                "memory_budget",
                format!("a body of http.body_limit ({}) would never fit", self.body_limit),
                format!("http.memory_budget={least}, or a smaller http.body_limit"),
            )),
            (Some(budget), Some(limit)) if budget.as_u64() > limit.bytes => Some((
                "memory_budget",
                format!("more than there is: {limit}"),
                format!("http.memory_budget={}", rounded(limit.bytes / 4)),
            )),
            // A default above half of the memory would end with the kernel killing the process at
            // the first large body.
            (None, Some(limit)) if least.as_u64() > limit.bytes / 2 => Some((
                "body_limit",
                format!(
                    "one body of {} needs http.memory_budget={least}, which is more than half of \
                     what there is: {limit}",
                    self.body_limit
                ),
                format!(
                    "http.body_limit={}, or a memory limit of {} or more",
                    rounded(limit.bytes / 5 * 2),
                    rounded(least.as_u64().saturating_mul(2).saturating_add((1 << 20) - 1)),
                ),
            )),
            _ => None,
        }
    }

    /// Returns the minimum budget, in which one largest body fits next to the part for small
    /// requests.
    fn min_budget(&self) -> ByteSize {
        let body = self.body_limit.as_u64().max(SMALL);
        ByteSize::bytes(body.saturating_add(body / 4))
    }

    /// Returns the memory that all requests may hold together.
    pub(crate) fn memory_budget(&self, limit: Option<&MemoryLimit>) -> ByteSize {
        const MAX_DEFAULT: ByteSize = ByteSize::mib(256);
        let share = |part| limit.map_or(u64::MAX, |limit| limit.bytes / part);
        let least = self.min_budget();
        self.memory_budget.unwrap_or_else(|| MAX_DEFAULT.min(ByteSize::bytes(share(4))).max(least))
    }

    /// Returns the maximum number of open connections.
    pub(crate) fn max_connections(&self, limit: Option<&MemoryLimit>) -> usize {
        /// Memory of a connection on which a client sends fast and reads slowly, in bytes.
        /// Measured: 135 KiB with buffers of 64 KiB.
        const PER_CONNECTION: u64 = 128 << 10;
        let fitting = limit.map_or(u64::MAX, |limit| limit.bytes / 4 / PER_CONNECTION);
        let fitting = usize::try_from(fitting).unwrap_or(usize::MAX);
        self.max_connections.unwrap_or_else(|| fitting.clamp(64, 10_000))
    }

    pub(crate) fn proxies(&self) -> TrustedProxies {
        TrustedProxies { trusted: self.trusted_proxies.clone(), header: self.client_ip_header }
    }

    pub(crate) fn host(&self, production: bool) -> IpAddr {
        let everywhere = if production { [0, 0, 0, 0] } else { [127, 0, 0, 1] };
        self.host.unwrap_or_else(|| everywhere.into())
    }

    pub(crate) fn drain_wait(&self, production: bool) -> Duration {
        self.drain_wait.unwrap_or(Duration::from_secs(if production { 5 } else { 0 }))
    }
}

/// A header as a line: `X-Frame-Options: DENY`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderLine {
    /// The name.
    pub name: HeaderName,
    /// The value.
    pub value: HeaderValue,
}

impl HeaderLine {
    fn of(name: &'static str, value: &'static str) -> Self {
        Self { name: HeaderName::from_static(name), value: HeaderValue::from_static(value) }
    }
}

impl fmt::Display for HeaderLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, String::from_utf8_lossy(self.value.as_bytes()))
    }
}

impl Setting for HeaderLine {
    fn expects() -> Cow<'static, str> {
        "a header as a line, such as `X-Frame-Options: DENY`".into()
    }

    fn parse(value: &Value) -> Result<Self, String> {
        /// Headers that the server writes itself. Another value would break the message.
        const RESERVED: [&str; 5] =
            ["content-length", "transfer-encoding", "connection", "date", "content-type"];
        let line = value.as_str().and_then(|line| line.split_once(':'));
        let parsed = line.and_then(|(name, value)| {
            let (name, value) = (name.trim().parse().ok()?, value.trim().parse().ok()?);
            Some(Self { name, value })
        });
        let line = parsed.ok_or_else(|| format!("expected {}", Self::expects()))?;
        if RESERVED.contains(&line.name.as_str()) {
            return Err(format!("`{}` is written by the server itself", line.name));
        }
        Ok(line)
    }

    fn show(&self) -> Value {
        Value::from(self.to_string())
    }

    fn schema() -> Value {
        json!({ "type": "string", "pattern": "^[^:]+:.*$" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_budget_of_memory_follows_the_container() {
        let container = |mib: u64| MemoryLimit::of_container(mib << 20);
        let settings = HttpSettings::default();
        let budget = |mib| settings.memory_budget(Some(&container(mib)));
        assert_eq!(settings.memory_budget(None), ByteSize::mib(256));
        assert_eq!([budget(64), budget(512)], [ByteSize::mib(16), ByteSize::mib(128)]);
        assert_eq!(budget(1 << 20), ByteSize::mib(256));
        let large = HttpSettings { body_limit: ByteSize::mib(400), ..HttpSettings::default() };
        assert_eq!(large.memory_budget(None), ByteSize::mib(500));
        let (name, why, fix) = large.memory_problem(Some(&container(64))).unwrap();
        assert_eq!(name, "body_limit");
        assert!(why.contains("400MiB") && why.contains("500MiB") && why.contains("64MiB"), "{why}");
        assert_eq!(fix, "http.body_limit=25MiB, or a memory limit of 1000MiB or more");
        assert_eq!(large.memory_problem(Some(&container(1000))), None);
        let fitting = HttpSettings { body_limit: ByteSize::mib(25), ..HttpSettings::default() };
        assert_eq!(fitting.memory_problem(Some(&container(64))), None);
        let of = |budget| HttpSettings { memory_budget: Some(budget), ..HttpSettings::default() };
        let problem = |budget| of(budget).memory_problem(Some(&container(64)));
        assert_eq!(problem(ByteSize::mib(64)), None);
        let (name, why, fix) = problem(ByteSize::mib(65)).unwrap();
        assert_eq!((name, &*fix), ("memory_budget", "http.memory_budget=16MiB"));
        assert!(why.contains("64MiB"), "{why}");
        let (_, why, fix) = problem(ByteSize::mib(2)).unwrap();
        assert!(why.contains("http.body_limit (2MiB)") && fix.contains("2560KiB"), "{why} {fix}");
    }

    #[test]
    fn the_number_of_connections_follows_the_container() {
        let of = |mib: u64| {
            HttpSettings::default().max_connections(Some(&MemoryLimit::of_container(mib << 20)))
        };
        assert_eq!([of(16), of(64), of(512), of(8192)], [64, 128, 1024, 10_000]);
        assert_eq!(HttpSettings::default().max_connections(None), 10_000);
        let set = HttpSettings { max_connections: Some(500), ..HttpSettings::default() };
        assert_eq!(set.max_connections(Some(&MemoryLimit::of_container(64 << 20))), 500);
    }

    #[test]
    fn a_header_is_written_as_a_line() {
        let line = HeaderLine::parse(&json!("Referrer-Policy:  no-referrer ")).unwrap();
        assert_eq!(line.to_string(), "referrer-policy: no-referrer");
        for wrong in ["x", "a b: c", "x: a\nb", "Content-Length: 3"] {
            assert!(HeaderLine::parse(&json!(wrong)).is_err(), "{wrong}");
        }
    }
}
