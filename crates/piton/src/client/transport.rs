//! The connections: two clients of `reqwest`, one for strangers and one for peers, each made when it
//! is first needed, as reading the certificates that browsers trust takes a while.

use std::sync::{Arc, OnceLock};

use reqwest::{Client, ClientBuilder, Proxy};

use super::ClientSettings;
use super::guard::{Guard, redirects};

pub(super) struct Transport {
    settings: ClientSettings,
    user_agent: String,
    strangers: OnceLock<Client>,
    peers: OnceLock<Client>,
}

impl Transport {
    pub fn new(settings: ClientSettings, user_agent: String) -> Self {
        Self { settings, user_agent, strangers: OnceLock::new(), peers: OnceLock::new() }
    }

    /// What calls to strangers may reach, if not everything.
    pub fn guard(&self) -> Option<Guard> {
        let proxy = || self.settings.proxy.as_ref().and_then(super::ProxyUrl::host);
        self.settings.refuse_private.then(|| Guard { proxy: proxy() })
    }

    pub fn for_strangers(&self) -> Result<&Client, reqwest::Error> {
        if let Some(client) = self.strangers.get() {
            return Ok(client);
        }
        let guard = self.guard();
        let mut builder =
            self.builder().redirect(redirects(self.settings.redirects, guard.clone()));
        if let Some(guard) = guard {
            builder = builder.dns_resolver(Arc::new(guard));
        }
        if let Some(proxy) = &self.settings.proxy {
            builder = builder.proxy(Proxy::all(proxy.expose())?);
        }
        let client = builder.build()?;
        Ok(self.strangers.get_or_init(|| client))
    }

    pub fn for_peers(&self) -> Result<&Client, reqwest::Error> {
        if let Some(client) = self.peers.get() {
            return Ok(client);
        }
        let builder = || self.builder().redirect(redirects(self.settings.redirects, None));
        // An image without certificates can call its neighbours all the same: they speak plain HTTP.
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
