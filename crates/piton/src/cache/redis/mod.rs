//! Values in Redis, shared by all processes of the service.

mod connection;
mod scripts;
mod store;

pub(super) use store::Store;

use super::settings::CacheSettings;
use crate::redis_client::{ServerSettings, SettingNames};

/// True: this build can connect to Redis.
pub(super) const ENABLED: bool = true;

const NAMES: SettingNames = SettingNames {
    section: "cache",
    server: "cache.host (REDIS_HOST) or cache.url (REDIS_URL)",
    password: "cache.password, REDIS_PASSWORD",
};

impl CacheSettings {
    /// Returns the settings of the server.
    fn server(&self) -> ServerSettings<'_> {
        ServerSettings {
            names: &NAMES,
            url: self.url.as_ref(),
            host: self.host.as_ref(),
            port: self.port,
            db: self.db,
            username: self.username.as_deref(),
            password: self.password.as_ref(),
            tls: self.tls,
            tls_ca: self.tls_ca.as_ref(),
            sentinel: &self.sentinel,
            sentinel_master: &self.sentinel_master,
            sentinel_password: self.sentinel_password.as_ref(),
            connect_timeout: self.connect_timeout,
        }
    }
}
