//! The client's address behind proxies: their headers are believed only from trusted ones.
//!
//! Any client can send `X-Forwarded-For`. So the header is read from its right end, where the proxy
//! next to us wrote, and no further than the last proxy that the settings name.

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use http::{HeaderMap, HeaderName};
use ipnet::IpNet;
use serde_json::{Value, json};

use crate::config::Setting;

/// A range of addresses: `10.0.0.0/8`, a single address, or one of the words `loopback` and
/// `private`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    written: String,
    ranges: Vec<IpNet>,
}

/// The ranges of the named networks: RFC 1122 and 4291; RFC 1918, 4193 and 3927.
const WORDS: [(&str, &[&str]); 2] = [
    ("loopback", &["127.0.0.0/8", "::1/128"]),
    (
        "private",
        &[
            "10.0.0.0/8",
            "172.16.0.0/12",
            "192.168.0.0/16",
            "169.254.0.0/16",
            "fc00::/7",
            "fe80::/10",
        ],
    ),
];

impl Network {
    /// Returns whether `address` is in this range. IPv4-mapped IPv6 addresses are compared as IPv4.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.ranges.iter().any(|range| range.contains(&address))
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let word = WORDS.iter().find(|(word, _)| word.eq_ignore_ascii_case(text));
        let parse = |range: &str| {
            let single = range.parse::<IpAddr>().map(|address| IpNet::from(address.to_canonical()));
            single.or_else(|_| range.parse::<IpNet>()).ok().map(canonical)
        };
        let ranges: Option<Vec<IpNet>> = match word {
            Some((_, ranges)) => ranges.iter().map(|range| parse(range)).collect(),
            None => parse(text).map(|range| vec![range]),
        };
        let ranges = ranges.ok_or_else(|| format!("expected {}", Self::expects()))?;
        Ok(Self { written: text.to_owned(), ranges })
    }
}

/// Converts a range of IPv4-mapped IPv6 addresses to one of IPv4, because addresses are compared as
/// IPv4.
fn canonical(range: IpNet) -> IpNet {
    let IpNet::V6(mapped) = range else { return range };
    let (address, prefix) = (mapped.addr().to_ipv4_mapped(), mapped.prefix_len().checked_sub(96));
    match (address, prefix) {
        (Some(address), Some(prefix)) => {
            ipnet::Ipv4Net::new(address, prefix).map_or(range, IpNet::V4)
        }
        _ => range,
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

impl Setting for Network {
    fn expects() -> Cow<'static, str> {
        "a range of addresses, such as `10.0.0.0/8`, an address, `loopback` or `private`".into()
    }

    fn parse(value: &Value) -> Result<Self, String> {
        value.as_str().ok_or_else(|| format!("expected {}", Self::expects()))?.parse()
    }

    fn show(&self) -> Value {
        Value::from(self.written.as_str())
    }

    fn schema() -> Value {
        json!({ "type": "string", "examples": ["10.0.0.0/8", "loopback", "private"] })
    }
}

crate::setting_enum! {
    /// The header in which trusted proxies name the client.
    pub enum ClientIpHeader: default XForwardedFor {
        /// The header of nginx, HAProxy, Traefik, Envoy and the clouds' load balancers.
        XForwardedFor = "x-forwarded-for",
        /// The standard's own, RFC 7239.
        Forwarded = "forwarded",
        /// One address, as nginx' `proxy_set_header X-Real-IP $remote_addr`.
        XRealIp = "x-real-ip",
    }
}

/// The proxies whose headers are believed.
#[derive(Clone, Debug, Default)]
pub(crate) struct TrustedProxies {
    pub trusted: Vec<Network>,
    pub header: ClientIpHeader,
}

impl TrustedProxies {
    /// Returns whether the address is that of a trusted proxy.
    pub fn trust(&self, address: IpAddr) -> bool {
        self.trusted.iter().any(|network| network.contains(address))
    }

    /// Returns the client's address, given the connection's other end.
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let peer = peer.to_canonical();
        if !self.trust(peer) {
            return peer;
        }
        let mut client = peer;
        for hop in self.hops(headers).into_iter().rev() {
            // An entry that does not parse was not written by a trusted proxy, so that neither it nor
            // the entries to its left are believed.
            let Some(address) = hop else { return client };
            client = address;
            if !self.trust(address) {
                return client;
            }
        }
        client
    }

    /// Returns the addresses in the header, the nearest last.
    fn hops(&self, headers: &HeaderMap) -> Vec<Option<IpAddr>> {
        let name = HeaderName::from_static(self.header.name());
        let lines = headers.get_all(name).iter().map(|line| line.to_str().unwrap_or("?"));
        let mut entries = lines.flat_map(|line| line.split(','));
        match self.header {
            ClientIpHeader::Forwarded => entries.map(forwarded_for).collect(),
            ClientIpHeader::XForwardedFor => entries.map(address).collect(),
            ClientIpHeader::XRealIp => entries.next_back().map(address).into_iter().collect(),
        }
    }
}

/// `203.0.113.7`, `203.0.113.7:4711`, `2001:db8::1`, `[2001:db8::1]:4711`.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse::<IpAddr>().ok();
    address
        .or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
        .map(|address| address.to_canonical())
}

/// `for="[2001:db8::1]:4711";proto=https`.
fn forwarded_for(entry: &str) -> Option<IpAddr> {
    let value = entry.split(';').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim().eq_ignore_ascii_case("for").then_some(value.trim())
    })?;
    address(value.trim_matches('"'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(header: ClientIpHeader, peer: &str, lines: &[&str]) -> String {
        let trusted = ["10.0.0.0/8", "loopback"].map(|network| network.parse().unwrap()).into();
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(HeaderName::from_static(header.name()), line.parse().unwrap());
        }
        TrustedProxies { trusted, header }.client(peer.parse().unwrap(), &headers).to_string()
    }

    #[test]
    fn a_stranger_is_not_believed() {
        let of = |peer, lines: &[&str]| client(ClientIpHeader::XForwardedFor, peer, lines);
        assert_eq!(of("203.0.113.9", &["1.1.1.1"]), "203.0.113.9");
        assert_eq!(of("10.1.1.1", &["1.1.1.1, 203.0.113.7"]), "203.0.113.7");
        assert_eq!(of("10.1.1.1", &["1.1.1.1", "203.0.113.7, 10.2.2.2"]), "203.0.113.7");
        assert_eq!(of("10.1.1.1", &["nonsense, 10.2.2.2"]), "10.2.2.2");
        assert_eq!(of("10.1.1.1", &["10.3.3.3, 10.2.2.2"]), "10.3.3.3");
        assert_eq!(of("10.1.1.1", &[]), "10.1.1.1");
        assert_eq!(of("::ffff:10.1.1.1", &["203.0.113.7:99"]), "203.0.113.7");
        assert_eq!(of("::1", &["[2001:db8::1]:99"]), "2001:db8::1");
    }

    #[test]
    fn the_standards_header_and_nginxs_are_read_when_chosen() {
        let line = r#"for=1.1.1.1, for="[2001:db8::1]:99";proto=https;by=10.0.0.1"#;
        assert_eq!(client(ClientIpHeader::Forwarded, "10.1.1.1", &[line]), "2001:db8::1");
        assert_eq!(client(ClientIpHeader::Forwarded, "10.1.1.1", &["for=_hidden"]), "10.1.1.1");
        assert_eq!(client(ClientIpHeader::XRealIp, "10.1.1.1", &["9.9.9.9"]), "9.9.9.9");
    }

    #[test]
    fn networks_are_ranges_addresses_and_words() {
        let network = |text: &str| text.parse::<Network>().unwrap();
        assert!(network("192.168.0.0/16").contains([192, 168, 3, 4].into()));
        assert!(network("1.2.3.4").contains([1, 2, 3, 4].into()));
        assert!(!network("1.2.3.4").contains([1, 2, 3, 5].into()));
        assert!(network("Private").contains("fd00::1".parse().unwrap()));
        assert!(network("loopback").contains("::ffff:127.0.0.1".parse().unwrap()));
        // Addresses are compared as IPv4, so this range would match none in the form in which it is
        // written.
        assert!(network("::ffff:10.0.0.0/104").contains("10.1.2.3".parse().unwrap()));
        assert!(!network("::ffff:10.0.0.0/104").contains("11.1.2.3".parse().unwrap()));
        for wrong in ["", "10.0.0.0/40", "everyone"] {
            assert!(wrong.parse::<Network>().is_err(), "{wrong}");
        }
    }
}
