//! The section `[cache]`.

use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

use super::redis;
use crate::config::{ByteSize, Config, HostPort, Problems, Reader, Requirement};
use crate::memory::MemoryLimit;
use crate::redis_client::{RedisTls, RedisUrl};

/// The cache: in memory, or in Redis if `url`, `host` or `sentinel` names a server.
#[derive(Clone, Debug, piton_macros::Settings)]
#[setting(check = Self::check)]
pub struct CacheSettings {
    /// The address of a Redis server: `redis://user:password@host:6379/0`, `rediss://..` for TLS, or
    /// `redis+unix:///path/to/socket`. The settings below replace the parts of it that they name.
    /// **Default: none.**
    #[setting(alias = "REDIS_URL", from_file)]
    pub url: Option<RedisUrl>,

    /// The Redis server: a host name or an IP address, optionally with `:port`. **Default: none, which
    /// means memory.**
    #[setting(alias = "REDIS_HOST")]
    pub host: Option<HostPort>,

    /// The server's port. **Default: `6379`.**
    #[setting(alias = "REDIS_PORT")]
    #[setting(min = 1)]
    pub port: Option<u16>,

    /// The number of the database on the server. **Default: `0`.**
    #[setting(alias = "REDIS_DB")]
    pub db: Option<u16>,

    /// The user name, if the server has several users. **Default: none.**
    #[setting(alias = "REDIS_USERNAME")]
    pub username: Option<String>,

    /// The password of the server or the user. **Default: none.**
    #[setting(alias = "REDIS_PASSWORD")]
    pub password: Option<SecretString>,

    /// TLS to the server: `disable`, `require` (encrypted, without verifying the certificate), `verify`
    /// (encrypted, and the certificate is verified). **Default: by the address: `verify` for
    /// `rediss://`, otherwise `disable`.**
    pub tls: Option<RedisTls>,

    /// The file with the CA certificates (PEM) that the server's certificate is verified with.
    /// **Default: those that the machine trusts.**
    pub tls_ca: Option<PathBuf>,

    /// Sentinels that know which server is the master, each as `host:port`. **Default: none.**
    pub sentinel: Vec<HostPort>,

    /// The name of the master in the Sentinels. **Default: `mymaster`.**
    pub sentinel_master: String,

    /// The password of the Sentinels, if they have one. **Default: none.**
    pub sentinel_password: Option<SecretString>,

    /// The prefix of the service's keys in Redis: different for services that share a server, equal for
    /// replicas of one service. Letters, digits, `-`, `_` and `.`.
    /// **Default: the names of the app and the environment, such as `registry-local`.**
    pub namespace: Option<String>,

    /// Time to live of values that have none of their own. **Default: `5m`.**
    #[setting(max = "365days")]
    pub ttl: Duration,

    /// Maximum number of values in memory; the least used are evicted first. Redis has a limit of its
    /// own (`maxmemory`). **Default: `100000`.**
    #[setting(max = 1_000_000_000)]
    pub max_entries: u64,

    /// Maximum size of all values in memory. **Default: an eighth of the container's or machine's
    /// memory, at most `64MiB`.**
    #[setting(max = "1TiB")]
    pub max_size: Option<ByteSize>,

    /// Maximum size of a value; larger ones are not cached. **Default: `1MiB`.**
    #[setting(max = "512MiB")]
    pub max_value_size: ByteSize,

    /// Maximum time to connect to the server. Only the launch waits for it, no request does.
    /// **Default: `1s`.**
    #[setting(max = "1h")]
    pub connect_timeout: Duration,

    /// Maximum time for one reply. After it the server counts as unavailable, and no request asks it
    /// until it is connected again. **Default: `250ms`.**
    #[setting(max = "1h")]
    pub timeout: Duration,

    /// Maximum time to wait for another process that computes the same value, before computing it too.
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

/// Returns the requirement that a Redis server is configured, for
/// [`App::require_outside_local`](crate::App::require_outside_local): for a service whose replicas must share a cache
/// everywhere but on a developer's machine.
#[must_use]
pub const fn redis_required() -> Requirement {
    const WHY: &str = "no Redis server is set, so each process would have its own cache";
    const FIX: &str = "set REDIS_HOST (and REDIS_PORT, REDIS_DB, REDIS_PASSWORD), or REDIS_URL";
    Requirement::new("cache.host", WHY, FIX, |config| {
        let mut problems = Problems::new();
        let settings: CacheSettings = config.read("cache", &mut problems);
        // Invalid settings count as met, because they are reported by themselves.
        settings.is_redis() || !problems.is_empty()
    })
}

/// A setting, why it cannot work, and the fix.
type CacheSettingProblem = (&'static str, &'static str, &'static str);

impl CacheSettings {
    /// Returns whether the settings name a Redis server; without one each process has its own cache in
    /// memory. Of invalid settings the valid ones count: the others are reported elsewhere.
    ///
    /// ```
    /// # fn f(config: &piton::config::Config) {
    /// if !piton::cache::CacheSettings::names_server(config) {
    ///     println!("each replica has its own cache");
    /// }
    /// # }
    /// ```
    #[must_use]
    pub fn names_server(config: &Config) -> bool {
        config.read::<Self>("cache", &mut Problems::new()).is_redis()
    }

    /// Returns whether the values are in Redis.
    #[must_use]
    pub fn is_redis(&self) -> bool {
        self.url.is_some() || self.host.is_some() || !self.sentinel.is_empty()
    }

    /// Returns the maximum size of all values in memory, in a process that may use `limit` in all.
    pub(super) fn max_size(&self, limit: Option<&MemoryLimit>) -> ByteSize {
        const MAX_DEFAULT: ByteSize = ByteSize::mib(64);
        let eighth = limit.map_or(MAX_DEFAULT, |limit| ByteSize::bytes(limit.bytes / 8));
        self.max_size.unwrap_or_else(|| MAX_DEFAULT.min(eighth))
    }

    fn check(&self, from: &mut Reader<'_>) {
        for (name, why, fix) in self.problems() {
            from.refuse(name, why, fix);
        }
    }

    /// Returns the settings that parse but cannot work.
    fn problems(&self) -> Vec<CacheSettingProblem> {
        let mut problems = Vec::new();
        self.check_limits(&mut problems);
        if self.is_redis() {
            self.check_server(&mut problems);
        } else {
            self.check_without_server(&mut problems);
        }
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let fits = |name: &String| !name.is_empty() && name.len() <= 64 && name.chars().all(plain);
        if !self.namespace.as_ref().is_none_or(fits) {
            let why = "up to 64 letters, digits, `-`, `_` and `.`";
            problems.push(("namespace", why, "registry"));
        }
        problems
    }

    fn check_limits(&self, problems: &mut Vec<CacheSettingProblem>) {
        if self.ttl.is_zero() {
            problems.push(("ttl", "nothing would ever be cached", "5m"));
        }
        if self.max_entries == 0 {
            problems.push(("max_entries", "nothing would ever be cached", "100000"));
        }
        if self.timeout.is_zero() {
            problems.push(("timeout", "no server replies that fast", "250ms"));
        }
        if self.connect_timeout.is_zero() {
            problems.push(("connect_timeout", "no server replies that fast", "1s"));
        }
    }

    /// Refuses settings of the server that contradict one another.
    fn check_server(&self, problems: &mut Vec<CacheSettingProblem>) {
        if !redis::ENABLED {
            let named = [("url", self.url.is_some()), ("host", self.host.is_some())];
            let name =
                named.iter().find(|(_, is_set)| *is_set).map_or("sentinel", |(name, _)| name);
            let fix = "enable the feature `redis` of piton in Cargo.toml, or remove the setting to cache in memory";
            problems.push((name, "this build of piton does not support Redis", fix));
        }
        let host_port = self.host.as_ref().and_then(HostPort::port);
        if host_port.is_some_and(|port| self.port.is_some_and(|other| other != port)) {
            let why = "cache.host (REDIS_HOST) has another port";
            problems.push(("port", why, "remove one of the two"));
        }
        if self.url.as_ref().is_some_and(RedisUrl::is_socket) {
            let named = [
                ("host", self.host.is_some()),
                ("port", self.port.is_some()),
                ("tls", self.tls.is_some_and(|tls| tls != RedisTls::Disable)),
            ];
            for (name, _) in named.iter().filter(|(_, is_set)| *is_set) {
                let fix = "remove it, or set a cache.url (REDIS_URL) with a host";
                problems.push((name, "cache.url is a Unix socket", fix));
            }
        }
        if !self.sentinel.is_empty() && (self.host.is_some() || self.url.is_some()) {
            let fix = "remove it, or cache.host and cache.url";
            problems.push(("sentinel", "both Sentinels and a server are set", fix));
        }
        if !self.sentinel.is_empty() && self.port.is_some() {
            problems.push(("port", "the Sentinels know the port of the server", "remove it"));
        }
        if self.tls_ca.is_some() && !self.is_verified() {
            let fix = "set cache.tls to `verify`, or remove it";
            problems.push(("tls_ca", "no certificate is verified with it", fix));
        }
    }

    /// Returns whether the server's certificate is verified.
    fn is_verified(&self) -> bool {
        let by_url = self.url.as_ref().is_some_and(RedisUrl::is_tls);
        self.tls.map_or(by_url, |tls| tls == RedisTls::Verify)
    }

    /// Refuses settings of a Redis server if no server is set.
    fn check_without_server(&self, problems: &mut Vec<CacheSettingProblem>) {
        let named = [
            ("port", self.port.is_some()),
            ("db", self.db.is_some()),
            ("username", self.username.is_some()),
            ("password", self.password.is_some()),
            ("tls", self.tls.is_some()),
            ("tls_ca", self.tls_ca.is_some()),
            ("sentinel_password", self.sentinel_password.is_some()),
        ];
        for (name, _) in named.iter().filter(|(_, is_set)| *is_set) {
            let fix = "set cache.host (REDIS_HOST) or cache.url (REDIS_URL) too, or remove it";
            problems.push((name, "it is for a Redis server, and none is set", fix));
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
    fn without_a_server_the_cache_is_in_memory() {
        let settings = CacheSettings::default();
        assert!(!settings.is_redis() && names(&settings).is_empty());
    }

    #[test]
    fn the_default_size_is_an_eighth_of_a_small_containers_memory() {
        let size = |settings: CacheSettings, mib: u64| {
            settings.max_size(Some(&MemoryLimit::of_container(mib << 20)))
        };
        assert_eq!(size(CacheSettings::default(), 64), ByteSize::mib(8));
        assert_eq!(size(CacheSettings::default(), 4096), ByteSize::mib(64));
        let set = CacheSettings { max_size: Some(ByteSize::mib(20)), ..CacheSettings::default() };
        assert_eq!(size(set, 64), ByteSize::mib(20));
    }

    #[test]
    fn settings_of_a_server_without_a_server_are_refused() {
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
    fn two_servers_and_a_ca_without_verification_are_refused() {
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
