//! The address of a Redis server in the settings.

use std::borrow::Cow;
use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::redis_tls::RedisTls;
use crate::config::Setting;
use crate::config::types::address_settings::{expected_because, trimmed_text};
use crate::parse_address::{AddressError, UrlParts, cut, lowercase_scheme, scheme_and_authority};
use crate::secrets::redact_setting;

/// The URL schemes of Redis servers.
const SCHEMES: [&str; 4] = ["redis", "rediss", "redis+unix", "unix"];

/// The scheme by which Celery names sockets.
const CELERY_SOCKET: &str = "redis+socket://";

/// The parameter without which Celery refuses an address for TLS, and its values.
const CELERY_TLS: &str = "ssl_cert_reqs";
const CELERY_TLS_VALUES: [(&str, RedisTls); 4] = [
    ("CERT_REQUIRED", RedisTls::Verify),
    ("required", RedisTls::Verify),
    ("CERT_NONE", RedisTls::Require),
    ("none", RedisTls::Require),
];

/// Returns the reason why an address is refused. Never repeats the text: a password may stand
/// anywhere in it.
fn check(text: &str) -> Result<(), String> {
    let (scheme, authority, rest) = scheme_and_authority(text).map_err(|why| why.to_string())?;
    if scheme == "sentinel" {
        return Err(
            "it names a Sentinel: name those in the setting `sentinel`, as `host:port`".into()
        );
    }
    if !SCHEMES.contains(&scheme) {
        return Err("it begins with none of `redis://`, `rediss://`, `redis+unix://`".into());
    }
    if scheme.ends_with("unix") {
        return check_socket(authority, rest);
    }
    let parts = UrlParts::parse(text).map_err(|why| match why {
        AddressError::SeveralHosts => CLUSTER.to_owned(),
        why => why.to_string(),
    })?;
    if matches!(parts.host, "0.0.0.0" | "::") {
        return Err(format!(
            "`{}` means all addresses of a machine, and cannot be connected to",
            parts.host
        ));
    }
    if !matches!(parts.path, "" | "/") && !is_number(&parts.path[1..]) {
        return Err("its path is not the number of a database, such as `/0`".into());
    }
    if parts.fragment.is_some() {
        return Err("it has a fragment (`#`): set `tls` for what to verify".into());
    }
    check_query(parts.query, &["protocol"])
}

/// The refusal of several servers in an address, because other clients use that for a cluster.
const CLUSTER: &str = "it names several servers. Redis Cluster is not supported: name one server, \
     or in `sentinel` the Sentinels that know it";

/// Checks the address of a socket: `redis+unix:///path/to/socket?db=1`.
fn check_socket(authority: &str, rest: &str) -> Result<(), String> {
    let (rest, fragment) = cut(rest, '#');
    let (path, query) = cut(rest, '?');
    if !authority.is_empty() || path.len() < 2 {
        return Err("the path of a socket begins with `/`, so there are three: `redis+unix:///run/redis.sock`".into());
    }
    if fragment.is_some() {
        return Err(AddressError::Fragment.to_string());
    }
    check_query(query, &["db", "user", "pass", "protocol"])
}

/// Refuses unknown parameters, because the client ignores them: `?db=1`, say, which other clients
/// read.
fn check_query(query: Option<&str>, known: &[&str]) -> Result<(), String> {
    let pairs = query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
    let mut before: Vec<&str> = Vec::new();
    for (name, value) in pairs.map(|pair| pair.split_once('=').unwrap_or((pair, ""))) {
        if !known.contains(&name) {
            return Err(match known {
                ["protocol"] => "its query has more than `protocol`: the number of the database belongs in the path, everything else in settings of its own",
                _ => "its query has more than `db`, `user`, `pass` and `protocol`",
            }
            .into());
        }
        // Refused, because clients differ in which of the two they read.
        if before.contains(&name) {
            return Err(format!("its query has `{name}` twice"));
        }
        before.push(name);
        if name == "db" && !is_number(value) {
            return Err("its `db` is not the number of a database".into());
        }
        if name == "protocol" && !["2", "3", "resp2", "resp3"].contains(&value) {
            return Err("its `protocol` is neither `resp2` nor `resp3`".into());
        }
    }
    Ok(())
}

/// Returns whether `text` is the number of a database, with the bounds of the setting `db`.
fn is_number(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok()
}

/// The address of a Redis server. `Debug` and `config` show it without its password.
#[derive(Clone)]
pub struct RedisUrl {
    text: SecretString,
    /// The TLS mode in the address, besides its scheme.
    pub(super) tls: Option<RedisTls>,
}

impl RedisUrl {
    /// Returns the whole address, with the password.
    pub(crate) fn expose(&self) -> &str {
        self.text.expose_secret()
    }

    /// Returns whether the address is the path of a Unix socket.
    pub(crate) fn is_socket(&self) -> bool {
        !self.text.expose_secret().starts_with("redis")
            || self.text.expose_secret().starts_with("redis+unix")
    }

    /// Returns whether the address is one for TLS.
    pub(crate) fn is_tls(&self) -> bool {
        self.tls.is_some() || self.text.expose_secret().starts_with("rediss://")
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.show(), f)
    }
}

impl Setting for RedisUrl {
    const ADDRESS: bool = true;

    fn expects() -> Cow<'static, str> {
        "an address such as `redis://user:password@host:6379/0`".into()
    }

    fn parse(value: &Value) -> Result<Self, String> {
        let text = lowercase_scheme(trimmed_text::<Self>(value)?);
        let (text, tls) = without_celerys_spelling(&text).map_err(expected_because::<Self>)?;
        check(&text).map_err(expected_because::<Self>)?;
        Ok(Self { text: text.into(), tls })
    }

    fn show(&self) -> Value {
        redact_setting(false, &Value::from(self.text.expose_secret()))
    }

    fn schema() -> Value {
        json!({ "type": "string", "pattern": "^(rediss?|redis\\+unix|unix)://" })
    }
}

/// Returns an address as this client reads it, and what Celery's parameter says of TLS, so that one variable serves both
/// programs.
fn without_celerys_spelling(text: &str) -> Result<(String, Option<RedisTls>), String> {
    if let Some(path) = text.strip_prefix(CELERY_SOCKET) {
        return Ok((format!("unix://{path}"), None));
    }
    let (address, query) = cut(text, '?');
    let Some(query) = query.filter(|_| text.starts_with("rediss://")) else {
        return Ok((text.to_owned(), None));
    };
    let is_tls = |pair: &&str| pair.split('=').next() == Some(CELERY_TLS);
    let (tls, others): (Vec<&str>, Vec<&str>) = query.split('&').partition(is_tls);
    let Some(pair) = tls.first() else { return Ok((text.to_owned(), None)) };
    let value = pair.split_once('=').map_or("", |(_, value)| value);
    let known = CELERY_TLS_VALUES.into_iter().find(|(name, _)| *name == value);
    let Some((_, tls)) = known else {
        return Err(format!("its `{CELERY_TLS}` is neither `CERT_REQUIRED` nor `CERT_NONE`"));
    };
    let query = others.join("&");
    let text = if query.is_empty() { address.to_owned() } else { format!("{address}?{query}") };
    Ok((text, Some(tls)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_its_password() {
        let url = RedisUrl::parse(&json!("rediss://me:hunter2@cache:6380/1")).unwrap();
        assert_eq!(url.show(), json!("rediss://***@cache:6380/1"));
        assert!(url.is_tls() && !format!("{url:?}").contains("hunter2"));
        let url = RedisUrl::parse(&json!("redis://:hunter2@cache")).unwrap();
        assert!(!url.show().to_string().contains("hunter2"));
        let url =
            RedisUrl::parse(&json!("redis+unix:///run/redis.sock?db=1&pass=hunter2")).unwrap();
        assert!(url.is_socket() && !url.show().to_string().contains("hunter2"));
        let error = RedisUrl::parse(&json!("rediz://me:hunter2@cache")).unwrap_err();
        assert!(!error.contains("hunter2"), "{error}");
    }

    #[test]
    fn celerys_spellings_are_read() {
        let parse = |text: &str| RedisUrl::parse(&json!(text)).unwrap();
        let socket = parse("redis+socket:///run/redis.sock?db=1");
        assert_eq!((socket.expose(), socket.is_socket()), ("unix:///run/redis.sock?db=1", true));
        for (value, tls) in CELERY_TLS_VALUES {
            let url = parse(&format!("rediss://h/0?ssl_cert_reqs={value}"));
            assert_eq!((url.expose(), url.tls), ("rediss://h/0", Some(tls)));
        }
        assert_eq!(
            parse("rediss://h?ssl_cert_reqs=none&protocol=3").expose(),
            "rediss://h?protocol=3"
        );
        let error = RedisUrl::parse(&json!("rediss://h?ssl_cert_reqs=maybe")).unwrap_err();
        assert!(error.contains("CERT_REQUIRED"), "{error}");
        let error = RedisUrl::parse(&json!("sentinel://a:26379;sentinel://b:26379")).unwrap_err();
        assert!(error.contains("`sentinel`"), "{error}");
    }

    #[test]
    fn an_address_has_to_be_text_and_its_scheme_may_be_in_capitals() {
        let error = RedisUrl::parse(&json!(5)).unwrap_err();
        assert!(error.contains("expected text"), "{error}");
        assert!(RedisUrl::parse(&json!("REDISS://h")).unwrap().is_tls());
        assert!(!RedisUrl::parse(&json!("REDIS://h")).unwrap().is_socket());
    }

    #[test]
    fn a_malformed_address_is_refused_at_launch() {
        for good in [
            "redis://h",
            "redis://h/",
            "redis://h:6379/15",
            "rediss://me:p%2Fw@10.0.0.1:6380",
            "redis://:pw@[::1]:6379/0?protocol=resp3",
            "redis+unix:///run/redis.sock",
            "unix:///run/redis.sock?db=3",
            "REDIS://h",
            "RedisS://h:6380/1",
        ] {
            assert!(RedisUrl::parse(&json!(good)).is_ok(), "{good}");
        }
        for (wrong, why) in [
            ("", "it is empty"),
            ("cache", "no scheme"),
            ("http://h", "begins with none of"),
            ("redis://", "names no host"),
            ("redis:///0", "names no host"),
            ("redis://:6379", "names no host"),
            ("redis://h1,h2", "Redis Cluster is not supported"),
            ("rediss://h1:1,rediss://h2:2", "Redis Cluster is not supported"),
            ("redis://me:pw@h1:6379,h2:6379/0", "Redis Cluster is not supported"),
            ("redis://h:abc", "its port is not"),
            ("redis://h:0", "its port is not"),
            ("redis://h:", "its port is not"),
            ("redis://h:99999", "its port is not"),
            ("redis://h/abc", "the number of a database"),
            ("redis://h/-1", "the number of a database"),
            ("redis://h/65536", "the number of a database"),
            ("redis://h:6379/0/1", "the number of a database"),
            ("redis://h/0#insecure", "`tls`"),
            ("redis://h?db=3", "belongs in the path"),
            ("redis://h?ssl_cert_reqs=none", "settings of its own"),
            ("redis://h?protocol=resp9", "neither `resp2`"),
            ("redis://me:hunter2/x@h", "percent-encoded"),
            ("redis://me:hunter2#x@h", "percent-encoded"),
            ("redis://me:hunter2%@h", "percent-encoded"),
            ("redis://me:hunter2%FF@h", "percent-encoded"),
            ("redis://a b", "a space"),
            ("redis://0.0.0.0", "all addresses"),
            ("redis://::1", "in brackets"),
            ("redis+unix://", "three"),
            ("redis+unix:///", "three"),
            ("unix://run/redis.sock", "three"),
            ("unix:///run/redis.sock?db=x", "`db`"),
            ("unix:///run/redis.sock?database=1", "more than `db`"),
            ("unix:///run/redis.sock?db=1&db=2", "`db` twice"),
            ("redis://h?protocol=3&protocol=3", "`protocol` twice"),
        ] {
            let error = RedisUrl::parse(&json!(wrong)).unwrap_err();
            assert!(error.contains(why), "{wrong}: {error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
