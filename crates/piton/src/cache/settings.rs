//! The section `[cache]`.

use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

use super::address::RedisUrl;
use crate::config::{ByteSize, Config, HostPort, Problems, Reader, Requirement};
use crate::memory::Limit;

/// Remembered answers: in memory, or in Redis where `url`, `host` or `sentinel` says so.
#[derive(Clone, Debug, piton_macros::Settings)]
#[setting(check = Self::check)]
pub struct CacheSettings {
    /// The address of a Redis server: `redis://user:password@host:6379/0`, `rediss://..` for TLS, or
    /// `redis+unix:///path/to/socket`. What is set singly below replaces that part of it.
    /// **Default: none.**
    #[setting(alias = "REDIS_URL", from_file)]
    pub url: Option<RedisUrl>,

    /// The Redis server: a name or an IP address, either with `:port`. **Default: none, which means
    /// memory.**
    #[setting(alias = "REDIS_HOST")]
    pub host: Option<HostPort>,

    /// The server's port. **Default: `6379`.**
    #[setting(alias = "REDIS_PORT")]
    #[setting(min = 1)]
    pub port: Option<u16>,

    /// The number of the database on the server. **Default: `0`.**
    #[setting(alias = "REDIS_DB")]
    pub db: Option<u16>,

    /// Who connects to the server, where it knows several users. **Default: none.**
    #[setting(alias = "REDIS_USERNAME")]
    pub username: Option<String>,

    /// Their password. **Default: none.**
    #[setting(alias = "REDIS_PASSWORD")]
    pub password: Option<SecretString>,

    /// Whether the way to the server is encrypted: `disable`, `require` (whoever the server is),
    /// `verify` (and the server is the one that is meant). **Default: what the address says, `verify`
    /// for `rediss://`.**
    pub tls: Option<CacheTls>,

    /// The file with the certificates (PEM) of those who may vouch for the server. **Default: those
    /// that the machine trusts.**
    pub tls_ca: Option<PathBuf>,

    /// Sentinels that know which server is the master, each as `host:port`. **Default: none.**
    pub sentinel: Vec<HostPort>,

    /// What the sentinels call the master. **Default: `mymaster`.**
    pub sentinel_master: String,

    /// The sentinels' own password, if they have one. **Default: none.**
    pub sentinel_password: Option<SecretString>,

    /// What the service's keys in Redis begin with: services that share a server have each their own,
    /// replicas of one service the same. Letters, digits, `-`, `_` and `.`.
    /// **Default: the name of the app and of
    /// the environment, such as `registry-local`.**
    pub namespace: Option<String>,

    /// How long a value is kept where nothing else is said. **Default: `5m`.**
    #[setting(max = "365days")]
    pub ttl: Duration,

    /// How many values are kept in memory at most; those that are used least go first. Redis has a
    /// limit of its own (`maxmemory`). **Default: `100000`.**
    #[setting(max = 1_000_000_000)]
    pub max_entries: u64,

    /// How much memory the values kept in memory take at most. **Default: an eighth of the container's
    /// or machine's memory, at most `64MiB`.**
    #[setting(max = "1TiB")]
    pub max_size: Option<ByteSize>,

    /// A value that is larger than this is not kept. **Default: `1MiB`.**
    #[setting(max = "512MiB")]
    pub max_value_size: ByteSize,

    /// How long the server may take to accept a connection. Nobody waits for it but the start.
    /// **Default: `1s`.**
    #[setting(max = "1h")]
    pub connect_timeout: Duration,

    /// How long the server may take for one answer before it counts as away, and is asked nothing
    /// until it is back. **Default: `250ms`.**
    #[setting(max = "1h")]
    pub timeout: Duration,

    /// How long to wait for another process that computes the same value, before computing it too.
    /// **Default: `5s`.**
    #[setting(max = "1h")]
    pub wait: Duration,
}

impl Default for CacheSettings {
    fn default() -> Self {
        Self {
            url: None,
            host: None,
            port: None,
            db: None,
            username: None,
            password: None,
            tls: None,
            tls_ca: None,
            sentinel: Vec::new(),
            sentinel_master: "mymaster".into(),
            sentinel_password: None,
            namespace: None,
            ttl: Duration::from_secs(300),
            max_entries: 100_000,
            max_size: None,
            max_value_size: ByteSize::mib(1),
            connect_timeout: Duration::from_secs(1),
            timeout: Duration::from_millis(250),
            wait: Duration::from_secs(5),
        }
    }
}

crate::setting_enum! {
    /// How the way to a Redis server is protected.
    pub enum CacheTls: default Verify {
        /// Not at all.
        Disable = "disable",
        /// Encrypted, whoever the server is.
        Require = "require",
        /// Encrypted, and the server is the one that is meant.
        Verify = "verify",
    }
}

/// What a service asks for that shares its cache everywhere but on a developer's machine: for
/// [`App::outside_local`](crate::App::outside_local).
#[must_use]
pub const fn redis_required() -> Requirement {
    const WHY: &str = "no Redis server is named, and each process would remember for itself";
    const FIX: &str = "set REDIS_HOST (and REDIS_PORT, REDIS_DB, REDIS_PASSWORD), or REDIS_URL";
    Requirement::new("cache.host", WHY, FIX, |config| {
        let mut problems = Problems::new();
        let settings: CacheSettings = config.read("cache", &mut problems);
        // What is wrong is reported by itself.
        settings.is_redis() || !problems.is_empty()
    })
}

type Wrong = (&'static str, &'static str, &'static str);

impl CacheSettings {
    /// Whether the settings name a Redis server; without one the cache is in memory, each process its
    /// own. Wrong settings count as they can be read: they are reported elsewhere.
    ///
    /// ```
    /// # fn f(config: &piton::config::Config) {
    /// if !piton::cache::CacheSettings::names_server(config) {
    ///     println!("each replica remembers for itself");
    /// }
    /// # }
    /// ```
    #[must_use]
    pub fn names_server(config: &Config) -> bool {
        config.read::<Self>("cache", &mut Problems::new()).is_redis()
    }

    /// Whether the cache is a Redis server's.
    #[must_use]
    pub fn is_redis(&self) -> bool {
        self.url.is_some() || self.host.is_some() || !self.sentinel.is_empty()
    }

    /// Returns the maximum memory of the values kept in memory, in a process that may use `limit`
    /// in all.
    pub(super) fn max_size(&self, limit: Option<&Limit>) -> ByteSize {
        const MOST: ByteSize = ByteSize::mib(64);
        let eighth = limit.map_or(MOST, |limit| ByteSize::bytes(limit.bytes / 8));
        self.max_size.unwrap_or_else(|| MOST.min(eighth))
    }

    fn check(&self, from: &mut Reader<'_>) {
        for (name, why, fix) in self.problems() {
            from.refuse(name, why, fix);
        }
    }

    /// What parses but cannot work: the setting, why, and what to write.
    fn problems(&self) -> Vec<Wrong> {
        let mut problems = Vec::new();
        self.limits(&mut problems);
        if self.is_redis() {
            self.server(&mut problems);
        } else {
            self.nobody(&mut problems);
        }
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let fits = |name: &String| !name.is_empty() && name.len() <= 64 && name.chars().all(plain);
        if !self.namespace.as_ref().is_none_or(fits) {
            let why = "up to 64 letters, digits, `-`, `_` and `.`";
            problems.push(("namespace", why, "registry"));
        }
        problems
    }

    fn limits(&self, problems: &mut Vec<Wrong>) {
        if self.ttl.is_zero() {
            problems.push(("ttl", "nothing would ever be remembered", "5m"));
        }
        if self.max_entries == 0 {
            problems.push(("max_entries", "nothing would ever be remembered", "100000"));
        }
        if self.timeout.is_zero() {
            problems.push(("timeout", "no server is as fast as that", "250ms"));
        }
        if self.connect_timeout.is_zero() {
            problems.push(("connect_timeout", "no server is as fast as that", "1s"));
        }
    }

    /// What is said of the server must be of one server.
    fn server(&self, problems: &mut Vec<Wrong>) {
        if cfg!(not(feature = "redis")) {
            let named = [("url", self.url.is_some()), ("host", self.host.is_some())];
            let name = named.iter().find(|(_, given)| *given).map_or("sentinel", |(name, _)| name);
            let fix = "give piton the feature `redis` in Cargo.toml, or remember in memory";
            problems.push((name, "this build of piton does not know Redis", fix));
        }
        let of_host = self.host.as_ref().and_then(HostPort::port);
        if of_host.is_some_and(|port| self.port.is_some_and(|other| other != port)) {
            let why = "cache.host (REDIS_HOST) has another port";
            problems.push(("port", why, "remove one of the two"));
        }
        if self.url.as_ref().is_some_and(RedisUrl::is_socket) {
            let named = [
                ("host", self.host.is_some()),
                ("port", self.port.is_some()),
                ("tls", self.tls.is_some_and(|tls| tls != CacheTls::Disable)),
            ];
            for (name, _) in named.iter().filter(|(_, given)| *given) {
                let fix = "remove it, or give cache.url (REDIS_URL) a host";
                problems.push((name, "cache.url names a socket of this machine", fix));
            }
        }
        if !self.sentinel.is_empty() && (self.host.is_some() || self.url.is_some()) {
            let fix = "remove it, or cache.host and cache.url";
            problems.push(("sentinel", "sentinels beside a server: which one is meant?", fix));
        }
        if !self.sentinel.is_empty() && self.port.is_some() {
            problems.push(("port", "the sentinels say the port of the server", "remove it"));
        }
        if self.tls_ca.is_some() && !self.is_verified() {
            let fix = "set cache.tls to `verify`, or remove it";
            problems.push(("tls_ca", "nothing is verified by it", fix));
        }
    }

    /// Whether the server has to prove who it is.
    fn is_verified(&self) -> bool {
        let by_url = self.url.as_ref().is_some_and(RedisUrl::is_tls);
        self.tls.map_or(by_url, |tls| tls == CacheTls::Verify)
    }

    /// Nothing may be said of a server that is not named.
    fn nobody(&self, problems: &mut Vec<Wrong>) {
        let named = [
            ("port", self.port.is_some()),
            ("db", self.db.is_some()),
            ("username", self.username.is_some()),
            ("password", self.password.is_some()),
            ("tls", self.tls.is_some()),
            ("tls_ca", self.tls_ca.is_some()),
            ("sentinel_password", self.sentinel_password.is_some()),
        ];
        for (name, _) in named.iter().filter(|(_, given)| *given) {
            let fix = "set cache.host (REDIS_HOST) or cache.url (REDIS_URL) too, or remove it";
            problems.push((name, "of a Redis server that is not named", fix));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Setting;
    use serde_json::json;

    fn names(settings: &CacheSettings) -> Vec<&'static str> {
        settings.problems().iter().map(|(name, ..)| *name).collect()
    }

    #[test]
    fn nothing_about_redis_means_memory() {
        let settings = CacheSettings::default();
        assert!(!settings.is_redis() && names(&settings).is_empty());
    }

    #[test]
    fn the_memory_of_a_small_container_is_not_all_for_the_cache() {
        let size = |settings: CacheSettings, mib: u64| {
            settings.max_size(Some(&Limit::of_container(mib << 20)))
        };
        assert_eq!(size(CacheSettings::default(), 64), ByteSize::mib(8));
        assert_eq!(size(CacheSettings::default(), 4096), ByteSize::mib(64));
        let set = CacheSettings { max_size: Some(ByteSize::mib(20)), ..CacheSettings::default() };
        assert_eq!(size(set, 64), ByteSize::mib(20));
    }

    #[test]
    fn what_is_said_of_nobody_is_refused() {
        let settings = CacheSettings {
            password: Some("hunter2".into()),
            db: Some(1),
            ..CacheSettings::default()
        };
        assert_eq!(names(&settings), ["db", "password"]);
        assert!(!format!("{settings:?}").contains("hunter2"));
    }

    #[test]
    fn settings_that_cannot_work_are_refused_all_at_once() {
        let settings = CacheSettings {
            ttl: Duration::ZERO,
            max_entries: 0,
            timeout: Duration::ZERO,
            connect_timeout: Duration::ZERO,
            namespace: Some("a:b".into()),
            ..CacheSettings::default()
        };
        let all = ["ttl", "max_entries", "timeout", "connect_timeout", "namespace"];
        assert_eq!(names(&settings), all);
    }

    #[cfg(feature = "redis")]
    #[test]
    fn one_server_is_meant_and_a_certificate_proves_something() {
        let url = |text: &str| RedisUrl::parse(&json!(text)).ok();
        let settings = CacheSettings {
            url: url("redis://cache"),
            sentinel: vec!["a:1".parse().unwrap()],
            tls_ca: Some("ca.pem".into()),
            ..CacheSettings::default()
        };
        assert_eq!(names(&settings), ["sentinel", "tls_ca"]);
        let settings = CacheSettings {
            url: url("rediss://cache"),
            tls_ca: Some("ca.pem".into()),
            ..CacheSettings::default()
        };
        assert!(names(&settings).is_empty());
    }

    #[cfg(not(feature = "redis"))]
    #[test]
    fn a_build_without_redis_says_so() {
        let url = RedisUrl::parse(&json!("redis://cache")).ok();
        assert_eq!(names(&CacheSettings { url, ..CacheSettings::default() }), ["url"]);
        let host = "cache".parse().ok();
        assert_eq!(names(&CacheSettings { host, ..CacheSettings::default() }), ["host"]);
    }
}
