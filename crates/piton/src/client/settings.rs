//! The section `[client]`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use http::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::peers::{PeerAddress, name_faults};
use super::service_variables::is_service_variable;
use crate::config::types::address_settings::{expected_because, trimmed_text};
use crate::config::{ByteSize, Reader, Setting};
use crate::parse_address::{AddressError, UrlParts, lowercase_scheme, scheme_and_authority};
use crate::secrets::redact_setting;

/// HTTP client: calls to peers and to external hosts.
#[derive(Clone, Debug, piton_macros::Settings)]
#[setting(check = Self::check, uses_variable = is_service_variable)]
pub struct ClientSettings {
    /// The addresses of peers (services of the same system), each `host:port`, or `https://host:port` for
    /// TLS. The address of a peer that is not listed is read from the variable `<SERVICE>_SERVICE_PORT`,
    /// in development from the one with the prefix first. **Default: none.**
    pub peers: BTreeMap<String, PeerAddress>,

    /// Timeout of a whole call: all attempts, the delays between them, and reading the response. Keep it
    /// below the timeout of a request (`http.timeout`), so that the response names the peer that did not
    /// respond. **Default: `25s`.**
    #[setting(max = "365days")]
    pub timeout: Duration,

    /// Timeout of one attempt until the head of the response, if another attempt may follow. The last
    /// attempt may use all the time that is left. **Default: `10s`.**
    #[setting(max = "365days")]
    pub attempt_timeout: Duration,

    /// Timeout of a connection attempt, TLS included. **Default: `5s`.**
    #[setting(max = "1h")]
    pub connect_timeout: Duration,

    /// Maximum number of retries: of safe methods and of calls marked as idempotent; of any call if no
    /// connection could be made. `0` disables retries. **Default: `2`.**
    #[setting(max = 100)]
    pub retries: u32,

    /// Maximum size of a response body, decompressed. Raise it for a service that reads large files, or for
    /// the single call. **Default: `16MiB`.**
    #[setting(max = "1TiB")]
    pub answer_limit: ByteSize,

    /// Maximum number of redirects that are followed. With `0` the redirect itself is the response.
    /// **Default: `5`.**
    #[setting(max = 100)]
    pub redirects: usize,

    /// Number of failures in a row after which the circuit breaker of a host opens: calls to it fail at once
    /// for `breaker_pause`. `0` disables circuit breakers. **Default: `5`.**
    #[setting(max = 1_000_000)]
    pub breaker_failures: u32,

    /// Time that a circuit breaker stays open. After it one call is let through as a trial.
    /// **Default: `10s`.**
    #[setting(max = "365days")]
    pub breaker_pause: Duration,

    /// Refuses calls to external hosts with a private address (of this machine or its network). Enable it
    /// if users may choose the URL that is called. Does not apply to peers. **Default: `false`.**
    pub refuse_private: bool,

    /// The proxy for calls to external hosts, not for peers: `socks5h://127.0.0.1:9050` (the proxy resolves
    /// names, as Tor does), `socks5://`, `http://`. Variables such as `HTTP_PROXY` are not read.
    /// **Default: none.**
    pub proxy: Option<ProxyUrl>,

    /// The header `User-Agent`. **Default: `<name of the app>/<its version>`.**
    pub user_agent: Option<String>,

    /// Time after which an idle connection is closed. Keep it below the time after which the other side
    /// closes it (in Piton `http.header_timeout`). **Default: `20s`.**
    #[setting(max = "365days")]
    pub pool_idle_timeout: Duration,

    /// Maximum number of idle connections to one host. Raise it if calls come in bursts.
    /// **Default: `32`.**
    #[setting(max = 1_000_000)]
    pub max_idle_per_host: usize,
}

impl Default for ClientSettings {
    fn default() -> Self {
        Self {
            peers: BTreeMap::new(),
            timeout: Duration::from_secs(25),
            attempt_timeout: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(5),
            retries: 2,
            answer_limit: ByteSize::mib(16),
            redirects: 5,
            breaker_failures: 5,
            breaker_pause: Duration::from_secs(10),
            refuse_private: false,
            proxy: None,
            user_agent: None,
            pool_idle_timeout: Duration::from_secs(20),
            max_idle_per_host: 32,
        }
    }
}

impl ClientSettings {
    fn check(&self, from: &mut Reader<'_>) {
        let times = [
            ("timeout", self.timeout, "25s"),
            ("attempt_timeout", self.attempt_timeout, "10s"),
            ("connect_timeout", self.connect_timeout, "5s"),
        ];
        for (name, time, example) in times {
            if time.is_zero() {
                let fix = format!("write a time such as `{example}`");
                from.refuse(name, "no call could ever succeed", fix);
            }
        }
        let agent = self.user_agent.as_deref().unwrap_or_default();
        if HeaderValue::from_str(agent).is_err() {
            let why = "it has characters that a header cannot have";
            from.refuse("user_agent", why, "use visible ASCII characters");
        }
        if self.refuse_private && self.proxy.as_ref().is_some_and(ProxyUrl::resolves) {
            let why = "the proxy would resolve the names, so private addresses cannot be refused";
            from.refuse("refuse_private", why, "use a `socks5://` proxy, or set it to `false`");
        }
        for (why, fix) in name_faults(from.config()) {
            from.refuse("peers", why, fix);
        }
    }
}

/// The address of a proxy. `Debug` and `config` show it without its password.
#[derive(Clone)]
pub struct ProxyUrl(SecretString);

impl ProxyUrl {
    const SCHEMES: [&str; 4] = ["socks5h", "socks5", "http", "https"];

    fn check(text: &str) -> Result<(), AddressError> {
        let (scheme, ..) = scheme_and_authority(text)?;
        if !Self::SCHEMES.contains(&scheme) {
            return Err(AddressError::UnknownScheme);
        }
        let parts = UrlParts::parse(text)?;
        if !matches!(parts.path, "" | "/") {
            return Err(AddressError::Path);
        }
        match (parts.query, parts.fragment) {
            (None, None) => Ok(()),
            (Some(_), _) => Err(AddressError::Query),
            (None, Some(_)) => Err(AddressError::Fragment),
        }
    }

    /// Returns the whole address, with the password.
    pub(super) fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// Returns whether the proxy resolves names instead of this machine.
    fn resolves(&self) -> bool {
        !self.expose().starts_with("socks5://")
    }

    /// Returns the proxy's host.
    pub(super) fn host(&self) -> Option<String> {
        reqwest::Url::parse(self.expose()).ok()?.host_str().map(str::to_owned)
    }
}

impl fmt::Debug for ProxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.show(), f)
    }
}

impl Setting for ProxyUrl {
    const ADDRESS: bool = true;

    fn expects() -> Cow<'static, str> {
        "the address of a proxy, such as `socks5h://127.0.0.1:9050`".into()
    }

    fn parse(value: &Value) -> Result<Self, String> {
        let text = lowercase_scheme(trimmed_text::<Self>(value)?);
        Self::check(&text).map_err(expected_because::<Self>)?;
        match reqwest::Proxy::all(&*text) {
            Ok(_) => Ok(Self(text.into_owned().into())),
            // The message does not repeat the value, because it may hold a password.
            Err(_) => Err(format!("expected {}", Self::expects())),
        }
    }

    fn show(&self) -> Value {
        redact_setting(false, &Value::from(self.expose()))
    }

    fn schema() -> Value {
        json!({ "type": "string", "pattern": "^(socks5h?|https?)://" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_malformed_address_of_a_proxy_is_refused_at_launch() {
        for good in [
            "socks5h://127.0.0.1:9050",
            "socks5://tor",
            "http://me:p%40ss@proxy.example:3128/",
            "https://[::1]:8443",
        ] {
            assert!(ProxyUrl::parse(&json!(good)).is_ok(), "{good}");
        }
        for (wrong, why) in [
            ("", "it is empty"),
            ("127.0.0.1:9050", "no scheme"),
            ("ftp://proxy", "its scheme"),
            ("socks4://proxy", "its scheme"),
            ("socks5h://", "names no host"),
            ("socks5h://:9050", "names no host"),
            ("socks5h://me:hunter2@", "names no host"),
            ("socks5h://tor:", "its port"),
            ("socks5h://tor:0", "its port"),
            ("socks5h://tor:abc", "its port"),
            ("socks5h://tor:99999", "its port"),
            ("socks5h://a,b:1", "several hosts"),
            ("socks5h://a b", "a space"),
            ("socks5h://a..b", "its host"),
            ("socks5h://::1:9050", "in brackets"),
            ("http://proxy/path", "a path"),
            ("http://proxy?x=1", "a query"),
            ("http://proxy#x", "a fragment"),
            ("http://me:hunter2/@proxy", "percent-encoded"),
        ] {
            let error = ProxyUrl::parse(&json!(wrong)).unwrap_err();
            assert!(error.contains(why), "{wrong}: {error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
