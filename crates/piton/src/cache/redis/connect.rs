//! Where the Redis server is, who we are there, and the way to it: from settings to a connection.

use std::time::Duration;

use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo,
    RedisConnectionInfo, TlsCertificates,
};
use secrecy::ExposeSecret;

use super::link::{Failure, Greeted, Greeting, Link};
use crate::cache::settings::{CacheSettings, CacheTls};
use crate::config::HostPort;
use crate::part::Problem;

/// The port of a Redis server, and of a sentinel.
const PORTS: [u16; 2] = [6379, 26379];

/// A Redis server, or the sentinels that know it.
pub(super) struct Server {
    info: ConnectionInfo,
    tls: Option<Tls>,
    sentinels: Option<Sentinels>,
    connect_timeout: Duration,
}

/// How the way to it is encrypted.
struct Tls {
    insecure: bool,
    authority: Option<Vec<u8>>,
}

struct Sentinels {
    addresses: Vec<(String, u16)>,
    master: String,
    user: RedisConnectionInfo,
}

impl Server {
    /// # Errors
    /// A setting that only the client can judge: an address that does not parse, a file that cannot
    /// be read.
    pub fn new(settings: &CacheSettings) -> Result<Self, Box<Problem>> {
        // Two providers of cryptography in one process would end it: this one is meant.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let info = match &settings.url {
            Some(url) => url.expose().into_connection_info().map_err(|error| {
                let why = format!("not the address of a Redis server: {}", error.category());
                Box::new(Problem::new("cache.url", why, "redis://user:password@host:6379/0"))
            })?,
            None => ("localhost", PORTS[0]).into_connection_info().expect("a name and a port"),
        };
        let server = Self {
            tls: Tls::of(settings)?,
            sentinels: Sentinels::of(settings),
            connect_timeout: settings.connect_timeout,
            info: user(info, settings),
        };
        let (host, port) = match server.info.addr() {
            ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. } => {
                match &settings.host {
                    Some(given) => (given.host().to_owned(), given.port().unwrap_or(*port)),
                    None => (host.clone(), *port),
                }
            }
            _ => return Ok(server),
        };
        let address = server.address_of(host, settings.port.unwrap_or(port));
        let info = server.info.clone().set_addr(address);
        Ok(Self { info, ..server })
    }

    /// Where it is, for people.
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
            Some(Tls { insecure, .. }) => {
                ConnectionAddr::TcpTls { host, port, insecure: *insecure, tls_params: None }
            }
        }
    }

    /// Connects and greets, within `connect_timeout` for each server that is spoken to.
    pub async fn connect(&self, greeting: &Greeting<'_>) -> Result<(Link, Greeted), Failure> {
        let info = match &self.sentinels {
            None => self.info.clone(),
            Some(sentinels) => {
                let (host, port) = self.master(sentinels).await?;
                self.info.clone().set_addr(self.address_of(host, port))
            }
        };
        self.in_time(async { Link::greet(self.open(info).await?, greeting).await }).await
    }

    async fn in_time<T>(
        &self,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let late = Err(Failure::Late(self.connect_timeout));
        tokio::time::timeout(self.connect_timeout, work).await.unwrap_or(late)
    }

    async fn open(
        &self,
        info: ConnectionInfo,
    ) -> redis::RedisResult<redis::aio::MultiplexedConnection> {
        let is_tls = matches!(info.addr(), ConnectionAddr::TcpTls { .. });
        let client = match &self.tls {
            Some(tls) if is_tls && tls.authority.is_some() => Client::build_with_tls(
                info,
                TlsCertificates { client_tls: None, root_cert: tls.authority.clone() },
            )?,
            _ => Client::open(info)?,
        };
        // Its own limits are off: ours are around it.
        let config =
            AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
        client.get_multiplexed_async_connection_with_config(&config).await
    }

    /// Where the master is, by the first sentinel that says so.
    async fn master(&self, sentinels: &Sentinels) -> Result<(String, u16), Failure> {
        let mut last = Failure::Away;
        for (host, port) in &sentinels.addresses {
            let address = self.address_of(host.clone(), *port);
            let info =
                self.info.clone().set_addr(address).set_redis_settings(sentinels.user.clone());
            let asked = self.in_time(async {
                let mut connection = self.open(info).await?;
                let mut command = redis::cmd("SENTINEL");
                command.arg("get-master-addr-by-name").arg(&sentinels.master);
                let found: Option<(String, u16)> = command.query_async(&mut connection).await?;
                found.ok_or(Failure::UnknownMaster(sentinels.master.clone()))
            });
            match asked.await {
                Ok(found) => return Ok(found),
                Err(failure) => last = failure,
            }
        }
        Err(last)
    }
}

/// Who connects, and to which database: what is set singly replaces that part of the address.
fn user(info: ConnectionInfo, settings: &CacheSettings) -> ConnectionInfo {
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

impl Tls {
    fn of(settings: &CacheSettings) -> Result<Option<Self>, Box<Problem>> {
        let by_url = settings.url.as_ref().is_some_and(|url| url.is_tls());
        let said =
            settings.tls.unwrap_or(if by_url { CacheTls::Verify } else { CacheTls::Disable });
        let authority = settings.tls_ca.as_ref().map(|path| {
            std::fs::read(path).map_err(|error| {
                let why = format!("cannot be read: {error}");
                Box::new(Problem::new("cache.tls_ca", why, "the path of a PEM file"))
            })
        });
        let authority = authority.transpose()?;
        Ok(match said {
            CacheTls::Disable => None,
            CacheTls::Require => Some(Self { insecure: true, authority: None }),
            CacheTls::Verify => Some(Self { insecure: false, authority }),
        })
    }
}

impl Sentinels {
    fn of(settings: &CacheSettings) -> Option<Self> {
        if settings.sentinel.is_empty() {
            return None;
        }
        let address = |at: &HostPort| (at.host().to_owned(), at.port().unwrap_or(PORTS[1]));
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

    fn server(settings: CacheSettings) -> Server {
        Server::new(&settings).ok().unwrap()
    }

    #[test]
    fn what_is_set_singly_replaces_that_part_of_the_address() {
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
        assert_eq!(Sentinels::of(&settings).unwrap().addresses, expected);
    }
}
