//! Connects to the Redis server that the settings name, directly or through its Sentinels.

use std::path::PathBuf;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo,
    ProtocolVersion, RedisConnectionInfo, TlsCertificates,
};
use secrecy::{ExposeSecret, SecretString};

use super::redis_failure::RedisFailure;
use super::redis_tls::RedisTls;
use super::redis_url::RedisUrl;
use crate::config::HostPort;
use crate::part::Problem;

const DEFAULT_PORT: u16 = 6379;
const DEFAULT_SENTINEL_PORT: u16 = 26379;

/// The names of settings, for messages.
#[derive(Debug)]
pub(crate) struct SettingNames {
    /// The section, such as `cache`.
    pub section: &'static str,
    /// The settings that name the server.
    pub server: &'static str,
    /// The settings that hold the password.
    pub password: &'static str,
}

/// The settings of a server.
pub(crate) struct ServerSettings<'a> {
    pub names: &'static SettingNames,
    pub url: Option<&'a RedisUrl>,
    pub host: Option<&'a HostPort>,
    pub port: Option<u16>,
    pub db: Option<u16>,
    pub username: Option<&'a str>,
    pub password: Option<&'a SecretString>,
    pub tls: Option<RedisTls>,
    pub tls_ca: Option<&'a PathBuf>,
    pub sentinel: &'a [HostPort],
    pub sentinel_master: &'a str,
    pub sentinel_password: Option<&'a SecretString>,
    pub connect_timeout: Duration,
}

/// A Redis server, or the Sentinels that know it.
pub(crate) struct RedisServer {
    names: &'static SettingNames,
    info: ConnectionInfo,
    tls: Option<TlsConfig>,
    sentinels: Option<Sentinels>,
    connect_timeout: Duration,
}

/// TLS to the server.
struct TlsConfig {
    insecure: bool,
    /// The CA certificates as PEM; `None` for those of the machine.
    ca: Option<Vec<u8>>,
}

struct Sentinels {
    addresses: Vec<(String, u16)>,
    master: String,
    user: RedisConnectionInfo,
}

impl RedisServer {
    /// # Errors
    /// A setting that only the client library can check: an address that does not parse, a file that
    /// cannot be read.
    pub fn new(settings: &ServerSettings<'_>) -> Result<Self, Box<Problem>> {
        // Named explicitly, because rustls panics if two crypto providers are compiled in and none is chosen.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let info = match settings.url {
            Some(url) => url.expose().into_connection_info().map_err(|error| {
                let why = format!("not a valid address of a Redis server: {}", error.category());
                let key = format!("{}.url", settings.names.section);
                Box::new(Problem::new(key, why, "redis://user:password@host:6379/0"))
            })?,
            None => ("localhost", DEFAULT_PORT).into_connection_info().expect("a name and a port"),
        };
        let server = Self {
            names: settings.names,
            tls: TlsConfig::from_settings(settings)?,
            sentinels: Sentinels::from_settings(settings),
            connect_timeout: settings.connect_timeout,
            info: with_credentials(info, settings),
        };
        let (host, port) = match server.info.addr() {
            ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. } => {
                match settings.host {
                    Some(at) => (at.host().to_owned(), at.port().unwrap_or(*port)),
                    None => (host.clone(), *port),
                }
            }
            _ => return Ok(server),
        };
        let address = server.address_of(host, settings.port.unwrap_or(port));
        let info = server.info.clone().set_addr(address);
        Ok(Self { info, ..server })
    }

    /// Returns the address for logs and health, without credentials.
    pub fn address(&self) -> String {
        match &self.sentinels {
            None => self.info.addr().to_string(),
            Some(Sentinels { addresses, master, .. }) => {
                let all: Vec<_> =
                    addresses.iter().map(|(host, port)| format!("{host}:{port}")).collect();
                format!("{master} of {}", all.join(", "))
            }
        }
    }

    fn address_of(&self, host: String, port: u16) -> ConnectionAddr {
        match &self.tls {
            None => ConnectionAddr::Tcp(host, port),
            Some(TlsConfig { insecure, .. }) => {
                ConnectionAddr::TcpTls { host, port, insecure: *insecure, tls_params: None }
            }
        }
    }

    /// Connects and makes the connection ready for use, within `connect_timeout` for each server involved.
    pub async fn connect<T>(
        &self,
        make_ready: impl AsyncFnOnce(MultiplexedConnection) -> Result<T, RedisFailure>,
    ) -> Result<T, RedisFailure> {
        self.connect_with(self.info.clone(), client_config(), make_ready).await
    }

    /// Connects with the protocol RESP3, by which the server sends messages that are no replies.
    pub async fn connect_for_pushes<T>(
        &self,
        pushes: impl redis::aio::AsyncPushSender,
        make_ready: impl AsyncFnOnce(MultiplexedConnection) -> Result<T, RedisFailure>,
    ) -> Result<T, RedisFailure> {
        let user = self.info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
        let info = self.info.clone().set_redis_settings(user);
        self.connect_with(info, client_config().set_push_sender(pushes), make_ready).await
    }

    async fn connect_with<T>(
        &self,
        mut info: ConnectionInfo,
        config: AsyncConnectionConfig,
        make_ready: impl AsyncFnOnce(MultiplexedConnection) -> Result<T, RedisFailure>,
    ) -> Result<T, RedisFailure> {
        if let Some(sentinels) = &self.sentinels {
            let (host, port) = self.master(sentinels).await?;
            info = info.set_addr(self.address_of(host, port));
        }
        let connect = async {
            let mut connection = self.open(info, &config).await?;
            // A cluster node refuses some keys and not others, so this is checked at once instead of failing
            // on the first wrong key. The error is ignored, because what follows reports a user
            // without the necessary rights.
            let info: Result<String, _> =
                redis::cmd("INFO").arg("cluster").query_async(&mut connection).await;
            if info.is_ok_and(|info| info.contains("cluster_enabled:1")) {
                return Err(RedisFailure::Cluster(self.names));
            }
            make_ready(connection).await
        };
        self.with_timeout(connect).await.map_err(|failure| failure.naming(self.names))
    }

    /// Returns the number of the database.
    pub fn db(&self) -> i64 {
        self.info.redis_settings().db()
    }

    /// Returns the names of the settings, for messages.
    pub fn names(&self) -> &'static SettingNames {
        self.names
    }

    async fn with_timeout<T>(
        &self,
        work: impl Future<Output = Result<T, RedisFailure>>,
    ) -> Result<T, RedisFailure> {
        let timeout = Err(RedisFailure::Timeout(self.connect_timeout));
        tokio::time::timeout(self.connect_timeout, work).await.unwrap_or(timeout)
    }

    async fn open(
        &self,
        info: ConnectionInfo,
        config: &AsyncConnectionConfig,
    ) -> redis::RedisResult<MultiplexedConnection> {
        let is_tls = matches!(info.addr(), ConnectionAddr::TcpTls { .. });
        let client = match &self.tls {
            Some(tls) if is_tls && tls.ca.is_some() => Client::build_with_tls(
                info,
                TlsCertificates { client_tls: None, root_cert: tls.ca.clone() },
            )?,
            _ => Client::open(info)?,
        };
        client.get_multiplexed_async_connection_with_config(config).await
    }

    /// Returns the address of the master, from the first Sentinel that knows it.
    async fn master(&self, sentinels: &Sentinels) -> Result<(String, u16), RedisFailure> {
        let mut last = RedisFailure::NotConnected;
        for (host, port) in &sentinels.addresses {
            let address = self.address_of(host.clone(), *port);
            let info =
                self.info.clone().set_addr(address).set_redis_settings(sentinels.user.clone());
            let query = self.with_timeout(async {
                let mut connection = self.open(info, &client_config()).await?;
                let mut command = redis::cmd("SENTINEL");
                command.arg("get-master-addr-by-name").arg(&sentinels.master);
                let found: Option<(String, u16)> = command.query_async(&mut connection).await?;
                found.ok_or(RedisFailure::UnknownMaster(sentinels.master.clone()))
            });
            match query.await {
                Ok(found) => return Ok(found),
                Err(failure) => last = failure,
            }
        }
        Err(last)
    }
}

/// Returns the options of a connection. The client's own timeouts are off, because `with_timeout` covers what makes it
/// ready, too.
fn client_config() -> AsyncConnectionConfig {
    AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None)
}

/// Replaces user, password and database of the address by those that have their own settings.
fn with_credentials(info: ConnectionInfo, settings: &ServerSettings<'_>) -> ConnectionInfo {
    let mut user = info.redis_settings().clone().set_skip_set_lib_name();
    if let Some(name) = settings.username {
        user = user.set_username(name);
    }
    if let Some(password) = settings.password {
        user = user.set_password(password.expose_secret());
    }
    if let Some(number) = settings.db {
        user = user.set_db(number.into());
    }
    info.set_redis_settings(user)
}

impl TlsConfig {
    fn from_settings(settings: &ServerSettings<'_>) -> Result<Option<Self>, Box<Problem>> {
        let by_url = settings.url.is_some_and(RedisUrl::is_tls);
        let by_url = if by_url { RedisTls::Verify } else { RedisTls::Disable };
        let mode = settings.tls.or(settings.url.and_then(|url| url.tls)).unwrap_or(by_url);
        let ca = settings.tls_ca.map(|path| {
            std::fs::read(path).map_err(|error| {
                let key = format!("{}.tls_ca", settings.names.section);
                let why = format!("cannot be read: {error}");
                Box::new(Problem::new(key, why, "the path of a PEM file"))
            })
        });
        let ca = ca.transpose()?;
        Ok(match mode {
            RedisTls::Disable => None,
            RedisTls::Require => Some(Self { insecure: true, ca: None }),
            RedisTls::Verify => Some(Self { insecure: false, ca }),
        })
    }
}

impl Sentinels {
    fn from_settings(settings: &ServerSettings<'_>) -> Option<Self> {
        if settings.sentinel.is_empty() {
            return None;
        }
        let address =
            |at: &HostPort| (at.host().to_owned(), at.port().unwrap_or(DEFAULT_SENTINEL_PORT));
        let addresses = settings.sentinel.iter().map(address).collect();
        let mut user = RedisConnectionInfo::default().set_skip_set_lib_name();
        if let Some(password) = settings.sentinel_password {
            user = user.set_password(password.expose_secret());
        }
        Some(Self { addresses, master: settings.sentinel_master.to_owned(), user })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Setting;

    const NAMES: SettingNames =
        SettingNames { section: "cache", server: "cache.url", password: "cache.password" };

    fn settings() -> ServerSettings<'static> {
        ServerSettings {
            names: &NAMES,
            url: None,
            host: None,
            port: None,
            db: None,
            username: None,
            password: None,
            tls: None,
            tls_ca: None,
            sentinel: &[],
            sentinel_master: "mymaster",
            sentinel_password: None,
            connect_timeout: Duration::from_secs(1),
        }
    }

    fn server(settings: ServerSettings<'_>) -> RedisServer {
        RedisServer::new(&settings).ok().unwrap()
    }

    #[test]
    fn a_setting_of_its_own_replaces_that_part_of_the_address() {
        let url = RedisUrl::parse(&"redis://me:old@there:7000/2".into()).unwrap();
        let found = server(ServerSettings { url: Some(&url), ..settings() });
        assert_eq!(found.address(), "there:7000");
        assert_eq!(found.info.redis_settings().db(), 2);
        let found = server(ServerSettings {
            url: Some(&url),
            host: Some(&"here".parse().unwrap()),
            port: Some(7001),
            db: Some(3),
            password: Some(&"new".into()),
            ..settings()
        });
        assert_eq!(found.address(), "here:7001");
        let user = found.info.redis_settings();
        assert_eq!((user.username(), user.password(), user.db()), (Some("me"), Some("new"), 3));
    }

    #[test]
    fn a_host_alone_is_enough() {
        for (host, address) in [("cache", "cache:6379"), ("cache:7000", "cache:7000")] {
            let host: HostPort = host.parse().unwrap();
            let found = server(ServerSettings { host: Some(&host), ..settings() });
            assert_eq!(found.address(), address);
        }
    }

    #[test]
    fn sentinels_are_named_with_their_port_or_without() {
        let sentinel: Vec<HostPort> =
            ["a:1", "a", "[::1]:2"].map(|text| text.parse().unwrap()).into();
        let settings = ServerSettings { sentinel: &sentinel, ..settings() };
        let expected = [("a", 1), ("a", 26379), ("::1", 2)];
        let expected = expected.map(|(host, port)| (host.to_owned(), port));
        assert_eq!(Sentinels::from_settings(&settings).unwrap().addresses, expected);
    }
}
