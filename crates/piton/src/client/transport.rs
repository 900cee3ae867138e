//! The connection pools: two clients of `reqwest`, one for external hosts and one for peers. Each is
//! created when it is first needed, because reading the machine's CA certificates takes a while.

use std::sync::{Arc, OnceLock};

use reqwest::{Client, ClientBuilder, Proxy};

use super::private_addresses::AddressGuard;
use super::redirects::redirect_policy;
use super::settings::{ClientSettings, ProxyUrl};

pub(super) struct Transport {
    settings: ClientSettings,
    user_agent: String,
    external: OnceLock<Client>,
    peers: OnceLock<Client>,
}

impl Transport {
    pub fn new(settings: ClientSettings, user_agent: String) -> Self {
        Self { settings, user_agent, external: OnceLock::new(), peers: OnceLock::new() }
    }

    /// Returns the guard against private addresses, if it is enabled.
    pub fn guard(&self) -> Option<AddressGuard> {
        let proxy = || self.settings.proxy.as_ref().and_then(ProxyUrl::host);
        self.settings.refuse_private.then(|| AddressGuard { proxy: proxy() })
    }

    pub fn for_external(&self) -> Result<&Client, reqwest::Error> {
        if let Some(client) = self.external.get() {
            return Ok(client);
        }
        let guard = self.guard();
        let mut builder =
            self.builder().redirect(redirect_policy(self.settings.redirects, guard.clone()));
        if let Some(guard) = guard {
            builder = builder.dns_resolver(Arc::new(guard));
        }
        if let Some(proxy) = &self.settings.proxy {
            builder = builder.proxy(Proxy::all(proxy.expose())?);
        }
        let client = builder.build()?;
        Ok(self.external.get_or_init(|| client))
    }

    pub fn for_peers(&self) -> Result<&Client, reqwest::Error> {
        if let Some(client) = self.peers.get() {
            return Ok(client);
        }
        let builder = || self.builder().redirect(redirect_policy(self.settings.redirects, None));
        // Without CA certificates, because an image that has none can still call peers: they speak plain HTTP.
        let client = builder().build().or_else(|_| builder().tls_certs_only([]).build())?;
        Ok(self.peers.get_or_init(|| client))
    }

    fn builder(&self) -> ClientBuilder {
        let settings = &self.settings;
        Client::builder()
            .no_proxy()
            .user_agent(&self.user_agent)
            .connect_timeout(settings.connect_timeout)
            .pool_idle_timeout(settings.pool_idle_timeout)
            .pool_max_idle_per_host(settings.max_idle_per_host)
            .referer(false)
    }
}
