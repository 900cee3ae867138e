//! Connects to the Redis server that the settings name, directly or through its Sentinels.

use std::time::Duration;

use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo,
    RedisConnectionInfo, TlsCertificates,
};
use secrecy::ExposeSecret;

use super::connection::{Handshake, HandshakeReply, RedisConnection, RedisFailure};
use crate::cache::settings::{CacheSettings, CacheTls};
use crate::config::HostPort;
use crate::part::Problem;

const DEFAULT_PORT: u16 = 6379;
const DEFAULT_SENTINEL_PORT: u16 = 26379;

/// A Redis server, or the Sentinels that know it.
pub(super) struct RedisServer {
    info: ConnectionInfo,
    tls: Option<RedisTls>,
    sentinels: Option<Sentinels>,
    connect_timeout: Duration,
}

/// TLS to the server.
struct RedisTls {
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
    pub fn new(settings: &CacheSettings) -> Result<Self, Box<Problem>> {
        // Named explicitly, because rustls panics if two crypto providers are compiled in and none is chosen.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let info = match &settings.url {
            Some(url) => url.expose().into_connection_info().map_err(|error| {
                let why = format!("not a valid address of a Redis server: {}", error.category());
                Box::new(Problem::new("cache.url", why, "redis://user:password@host:6379/0"))
            })?,
            None => ("localhost", DEFAULT_PORT).into_connection_info().expect("a name and a port"),
        };
        let server = Self {
            tls: RedisTls::from_settings(settings)?,
            sentinels: Sentinels::from_settings(settings),
            connect_timeout: settings.connect_timeout,
            info: with_credentials(info, settings),
        };
        let (host, port) = match server.info.addr() {
            ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. } => {
                match &settings.host {
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
            Some(RedisTls { insecure, .. }) => {
                ConnectionAddr::TcpTls { host, port, insecure: *insecure, tls_params: None }
            }
        }
    }

    /// Connects and executes the handshake, within `connect_timeout` for each server involved.
    pub async fn connect(
        &self,
        handshake: &Handshake<'_>,
    ) -> Result<(RedisConnection, HandshakeReply), RedisFailure> {
        let info = match &self.sentinels {
            None => self.info.clone(),
            Some(sentinels) => {
                let (host, port) = self.master(sentinels).await?;
                self.info.clone().set_addr(self.address_of(host, port))
            }
        };
        let connect = async { RedisConnection::handshake(self.open(info).await?, handshake).await };
        self.with_timeout(connect).await
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
    ) -> redis::RedisResult<redis::aio::MultiplexedConnection> {
        let is_tls = matches!(info.addr(), ConnectionAddr::TcpTls { .. });
        let client = match &self.tls {
            Some(tls) if is_tls && tls.ca.is_some() => Client::build_with_tls(
                info,
                TlsCertificates { client_tls: None, root_cert: tls.ca.clone() },
            )?,
            _ => Client::open(info)?,
        };
        // The client's own timeouts are off, because `with_timeout` covers the handshake too.
        let config =
            AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
        client.get_multiplexed_async_connection_with_config(&config).await
    }

    /// Returns the address of the master, from the first Sentinel that knows it.
    async fn master(&self, sentinels: &Sentinels) -> Result<(String, u16), RedisFailure> {
        let mut last = RedisFailure::NotConnected;
        for (host, port) in &sentinels.addresses {
            let address = self.address_of(host.clone(), *port);
            let info =
                self.info.clone().set_addr(address).set_redis_settings(sentinels.user.clone());
            let query = self.with_timeout(async {
                let mut connection = self.open(info).await?;
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

/// Replaces user, password and database of the address by those that have their own settings.
fn with_credentials(info: ConnectionInfo, settings: &CacheSettings) -> ConnectionInfo {
    let mut user = info.redis_settings().clone().set_skip_set_lib_name();
    if let Some(name) = &settings.username {
        user = user.set_username(name);
    }
    if let Some(password) = &settings.password {
        user = user.set_password(password.expose_secret());
    }
    if let Some(number) = settings.db {
        user = user.set_db(number.into());
    }
    info.set_redis_settings(user)
}

impl RedisTls {
    fn from_settings(settings: &CacheSettings) -> Result<Option<Self>, Box<Problem>> {
        let by_url = settings.url.as_ref().is_some_and(|url| url.is_tls());
        let mode =
            settings.tls.unwrap_or(if by_url { CacheTls::Verify } else { CacheTls::Disable });
        let ca = settings.tls_ca.as_ref().map(|path| {
            std::fs::read(path).map_err(|error| {
                let why = format!("cannot be read: {error}");
                Box::new(Problem::new("cache.tls_ca", why, "the path of a PEM file"))
            })
        });
        let ca = ca.transpose()?;
        Ok(match mode {
            CacheTls::Disable => None,
            CacheTls::Require => Some(Self { insecure: true, ca: None }),
            CacheTls::Verify => Some(Self { insecure: false, ca }),
        })
    }
}

impl Sentinels {
    fn from_settings(settings: &CacheSettings) -> Option<Self> {
        if settings.sentinel.is_empty() {
            return None;
        }
        let address =
            |at: &HostPort| (at.host().to_owned(), at.port().unwrap_or(DEFAULT_SENTINEL_PORT));
        let addresses = settings.sentinel.iter().map(address).collect();
        let mut user = RedisConnectionInfo::default().set_skip_set_lib_name();
        if let Some(password) = &settings.sentinel_password {
            user = user.set_password(password.expose_secret());
        }
        Some(Self { addresses, master: settings.sentinel_master.clone(), user })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Setting;

    fn server(settings: CacheSettings) -> RedisServer {
        RedisServer::new(&settings).ok().unwrap()
    }

    #[test]
    fn a_setting_of_its_own_replaces_that_part_of_the_address() {
        let url = serde_json::json!("redis://me:old@there:7000/2");
        let url = crate::cache::RedisUrl::parse(&url).ok();
        let found = server(CacheSettings { url: url.clone(), ..CacheSettings::default() });
        assert_eq!(found.address(), "there:7000");
        assert_eq!(found.info.redis_settings().db(), 2);
        let found = server(CacheSettings {
            url,
            host: "here".parse().ok(),
            port: Some(7001),
            db: Some(3),
            password: Some("new".into()),
            ..CacheSettings::default()
        });
        assert_eq!(found.address(), "here:7001");
        let user = found.info.redis_settings();
        assert_eq!((user.username(), user.password(), user.db()), (Some("me"), Some("new"), 3));
    }

    #[test]
    fn a_host_alone_is_enough() {
        for (host, address) in [("cache", "cache:6379"), ("cache:7000", "cache:7000")] {
            let host = host.parse().ok();
            let found = server(CacheSettings { host, ..CacheSettings::default() });
            assert_eq!(found.address(), address);
        }
    }

    #[test]
    fn sentinels_are_named_with_their_port_or_without() {
        let sentinel = ["a:1", "a", "[::1]:2"].map(|text| text.parse().unwrap()).into();
        let settings = CacheSettings { sentinel, ..CacheSettings::default() };
        let expected = [("a", 1), ("a", 26379), ("::1", 2)];
        let expected = expected.map(|(host, port)| (host.to_owned(), port));
        assert_eq!(Sentinels::from_settings(&settings).unwrap().addresses, expected);
    }
}
