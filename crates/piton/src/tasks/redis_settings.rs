//! The section `[tasks.redis]`.

use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

use crate::config::HostPort;
use crate::redis_client::{RedisTls, RedisUrl};

/// The Redis server that is shared with workers of Celery, for `tasks.broker = "redis"`. The options are those of Celery, and
/// must be the same there.
#[derive(Clone, Debug, piton_macros::Settings)]
pub struct RedisTasksSettings {
    /// The address of the server: `redis://user:password@host:6379/0`, or `rediss://..` for TLS. **Default: none.**
    #[setting(alias = "CELERY_BROKER_URL", from_file)]
    pub url: Option<RedisUrl>,

    /// The address of the server or the database of results, if it is another one. **Default: that of `url`.**
    #[setting(alias = "CELERY_RESULT_BACKEND", from_file)]
    pub result_url: Option<RedisUrl>,

    /// The user name of `url`, if the server has several users. **Default: none.**
    pub username: Option<String>,

    /// The password of `url`. **Default: the one in the address.**
    pub password: Option<SecretString>,

    /// TLS to the servers: `disable`, `require` (encrypted, without verifying the certificate), `verify`. **Default: by the
    /// address: `verify` for `rediss://`, otherwise `disable`.**
    pub tls: Option<RedisTls>,

    /// The file with the CA certificates (PEM) that the server's certificate is verified with. **Default: those that the
    /// machine trusts.**
    pub tls_ca: Option<PathBuf>,

    /// Sentinels that know which server is the master, each as `host:port`, instead of `url`. **Default: none.**
    pub sentinel: Vec<HostPort>,

    /// The name of the master in the Sentinels. **Default: `mymaster`.**
    pub sentinel_master: String,

    /// The password of the Sentinels, if they have one. **Default: none.**
    pub sentinel_password: Option<SecretString>,

    /// The number of the database on the server that the Sentinels name. **Default: `0`.**
    pub db: Option<u16>,

    /// The text before every key of the broker: Celery's `global_keyprefix` in `broker_transport_options`.
    /// **Default: none.**
    pub key_prefix: String,

    /// The text before every key of results: Celery's `global_keyprefix` in `result_backend_transport_options`.
    /// **Default: none.**
    pub result_key_prefix: String,

    /// The time after which Celery's workers run a message again that nobody has acknowledged. Workers of this service
    /// renew it, and are replaced after `tasks.lease`. The shortest one of all workers counts. **Default: `1h`.**
    #[setting(min = "1s", max = "365days")]
    pub visibility_timeout: Duration,

    /// The least priority of each list of a queue. **Default: `[0, 3, 6, 9]`.**
    pub priority_steps: Vec<u8>,

    /// Publishes events of tasks, which Flower shows, from the start: Celery's `worker_send_task_events`. Monitors can enable
    /// them, too. **Default: `false`.**
    pub events: bool,

    /// Maximum time to connect to a server. **Default: `2s`.**
    #[setting(min = "1ms", max = "1h")]
    pub connect_timeout: Duration,

    /// Maximum time for one reply. After it the connection is closed and opened again. **Default: `5s`.**
    #[setting(min = "1ms", max = "1h")]
    pub timeout: Duration,
}

impl Default for RedisTasksSettings {
    fn default() -> Self {
        Self {
            url: None,
            result_url: None,
            username: None,
            password: None,
            tls: None,
            tls_ca: None,
            sentinel: Vec::new(),
            sentinel_master: "mymaster".into(),
            sentinel_password: None,
            db: None,
            key_prefix: String::new(),
            result_key_prefix: String::new(),
            visibility_timeout: Duration::from_secs(3600),
            priority_steps: vec![0, 3, 6, 9],
            events: false,
            connect_timeout: Duration::from_secs(2),
            timeout: Duration::from_secs(5),
        }
    }
}

/// A setting, why it cannot work, and the fix.
type Problem = (&'static str, &'static str, &'static str);

impl RedisTasksSettings {
    /// Returns whether results are stored in the database of the broker.
    pub(super) fn shares_results(&self) -> bool {
        match (&self.result_url, &self.url) {
            (Some(results), Some(broker)) => results.expose() == broker.expose(),
            (results, _) => results.is_none(),
        }
    }

    /// Returns whether a server is named.
    pub(super) fn names_server(&self) -> bool {
        self.url.is_some() || !self.sentinel.is_empty()
    }

    /// Returns the settings that parse but cannot work.
    pub(super) fn problems(&self, is_chosen: bool, lease: Duration) -> Vec<Problem> {
        let mut problems = Vec::new();
        if is_chosen && !cfg!(feature = "redis") {
            let fix = "enable the feature `redis` of piton in Cargo.toml, or choose `database`";
            problems.push(("broker", "this build of piton does not support Redis", fix));
        } else if is_chosen && !self.names_server() {
            let fix = "set CELERY_BROKER_URL, such as redis://localhost:6379/0";
            problems.push(("redis.url", "tasks.broker is `redis`, and no server is named", fix));
        } else if !is_chosen && self.names_server() {
            let why = "a Redis server is named, and tasks.broker is not `redis`";
            problems.push((
                "broker",
                why,
                "set tasks.broker to `redis`, or remove tasks.redis.url (CELERY_BROKER_URL)",
            ));
        }
        if self.url.is_some() && !self.sentinel.is_empty() {
            problems.push((
                "redis.sentinel",
                "both Sentinels and a server are named",
                "remove it, or tasks.redis.url",
            ));
        }
        if self.db.is_some() && self.sentinel.is_empty() {
            let why = "it is for Sentinels; the address names its database";
            problems.push(("redis.db", why, "redis://host:6379/1 in tasks.redis.url"));
        }
        if self.priority_steps.first() != Some(&0) || !self.priority_steps.is_sorted() {
            let why = "the steps begin with 0 and rise";
            problems.push(("redis.priority_steps", why, "[0, 3, 6, 9]"));
        }
        if is_chosen && self.visibility_timeout < lease {
            let why = "it is shorter than tasks.lease, so workers of Celery would run tasks that are running here";
            problems.push(("redis.visibility_timeout", why, "1h"));
        }
        problems
    }
}
