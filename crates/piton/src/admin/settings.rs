//! The section `[admin]`.

use std::borrow::Cow;
use std::net::{Ipv4Addr, SocketAddr};

use serde_json::{Value, json};

use crate::Settings;
use crate::config::{Section, Setting};

/// The admin address: health in detail, metrics, what runs, the log's level.
#[derive(Clone, Debug, Default, Settings)]
pub struct AdminSettings {
    /// The address to listen on, with a port, or `off`. Let Prometheus in by `0.0.0.0:9464`, and
    /// keep everyone else out by your network's rules: it does not authenticate callers.
    /// **Default: `127.0.0.1:9464` in production; in development the public port serves it.**
    pub address: Option<AdminAddress>,
}

impl AdminSettings {
    pub(crate) const SECTION: Section = Section::of::<Self>("admin");

    /// Returns the address to listen on, if any.
    pub(crate) fn listens(&self, production: bool) -> Option<SocketAddr> {
        const DEFAULT: SocketAddr =
            SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9464);
        match self.address {
            Some(AdminAddress::At(address)) => Some(address),
            Some(AdminAddress::Off) => None,
            None => production.then_some(DEFAULT),
        }
    }

    /// Returns whether the public port serves the details too: in development, unless an address or `off`
    /// is set.
    pub(crate) fn on_public_port(&self, production: bool) -> bool {
        !production && self.address.is_none()
    }
}

/// An address with a port, or `off`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdminAddress {
    /// Listens there.
    At(SocketAddr),
    /// Listens nowhere.
    Off,
}

impl Setting for AdminAddress {
    fn expects() -> Cow<'static, str> {
        "an IP address with a port, such as `127.0.0.1:9464`, or `off`".into()
    }

    fn parse(value: &Value) -> Result<Self, String> {
        let text = value.as_str().unwrap_or_default().trim();
        if text.eq_ignore_ascii_case("off") {
            return Ok(Self::Off);
        }
        text.parse().map(Self::At).map_err(|_| format!("expected {}", Self::expects()))
    }

    fn show(&self) -> Value {
        match self {
            Self::At(address) => Value::from(address.to_string()),
            Self::Off => Value::from("off"),
        }
    }

    fn schema() -> Value {
        json!({ "type": "string", "examples": ["127.0.0.1:9464", "off"] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn production_listens_on_this_machine_and_development_on_the_public_port() {
        let settings = AdminSettings::default();
        assert_eq!(settings.listens(true), Some("127.0.0.1:9464".parse().unwrap()));
        assert_eq!(settings.listens(false), None);
        assert!(settings.on_public_port(false) && !settings.on_public_port(true));
        let address = AdminAddress::parse(&json!("0.0.0.0:1")).ok();
        let settings = AdminSettings { address };
        assert!(settings.listens(false).is_some() && !settings.on_public_port(false));
        let settings = AdminSettings { address: AdminAddress::parse(&json!("Off")).ok() };
        assert!(settings.listens(true).is_none() && !settings.on_public_port(false));
        assert!(AdminAddress::parse(&json!("9464")).is_err());
    }
}
