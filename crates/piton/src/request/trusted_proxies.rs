//! The client's address behind proxies: their headers are believed only from trusted ones.
//!
//! Any client can send `X-Forwarded-For`. So the header is read from its right end, where the proxy
//! next to us wrote, and no further than the last proxy that the settings name.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
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
        let name = HeaderName::from_static(self.header.name());
        for line in headers.get_all(name).iter().rev() {
            // Lossy, so that bytes of a client cannot hide the address that a proxy has appended.
            let line = String::from_utf8_lossy(line.as_bytes());
            for element in elements_from_right(&line) {
                // An element that names no address was not written by a trusted proxy, or hides the
                // client: neither it nor the elements to its left are believed.
                let Some(address) = self.address(element) else { return client };
                client = address;
                if !self.trust(address) || self.header == ClientIpHeader::XRealIp {
                    return client;
                }
            }
        }
        client
    }

    /// Returns the address in an element of the header.
    fn address(&self, element: &str) -> Option<IpAddr> {
        match self.header {
            ClientIpHeader::Forwarded => forwarded_for(element),
            ClientIpHeader::XForwardedFor | ClientIpHeader::XRealIp => node_address(element),
        }
    }
}

/// Splits a list at its commas outside of quotes, the last element first. Empty elements are left out
/// (RFC 9110, section 5.6.1).
///
/// Quotes are matched from the right end, where the proxy next to us wrote, so that an open quote of a
/// client cannot swallow what a proxy has appended.
fn elements_from_right(line: &str) -> impl Iterator<Item = &str> {
    split_from_right(line, ',').filter(|element| !element.is_empty())
}

fn split_from_right(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut is_quoted = false;
    let ends = move |letter: char| {
        is_quoted ^= letter == '"';
        letter == separator && !is_quoted
    };
    text.rsplit(ends).map(|piece| piece.trim_matches([' ', '\t']))
}

/// Returns the address of a node (RFC 7239, section 6): `203.0.113.7`, `203.0.113.7:4711`,
/// `2001:db8::1`, `[2001:db8::1]:4711`, each also in quotes. `unknown` and obfuscated names have none.
fn node_address(text: &str) -> Option<IpAddr> {
    let text = text.trim_matches([' ', '\t']);
    let text = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(text);
    if let Some(rest) = text.strip_prefix('[') {
        let (address, port) = rest.split_once(']')?;
        return ip_address(address).filter(|_| port.is_empty() || is_port(port));
    }
    ip_address(text).or_else(|| {
        let (address, port) = text.split_at(text.find(':')?);
        ip_address(address).filter(|_| is_port(port))
    })
}

/// Parses an address. A zone (`fe80::1%eth0`) is ignored, because it says nothing outside of its host.
fn ip_address(text: &str) -> Option<IpAddr> {
    let address = text.split_once('%').map_or(text, |(address, _)| address);
    address.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

/// Returns whether `text` is a colon and a port. RFC 7239 has obfuscated ports, such as `_x`.
fn is_port(text: &str) -> bool {
    let Some(port) = text.strip_prefix(':') else { return false };
    let is_obfuscated = |name: &str| {
        name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
    };
    port.parse::<u16>().is_ok() || port.strip_prefix('_').is_some_and(is_obfuscated)
}

/// Returns the address in an element of `Forwarded`: `for="[2001:db8::1]:4711";proto=https`. Names of
/// parameters are case-insensitive.
fn forwarded_for(element: &str) -> Option<IpAddr> {
    let value = split_from_right(element, ';').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim().eq_ignore_ascii_case("for").then_some(value)
    })?;
    node_address(value)
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
    fn empty_elements_ports_and_quotes_name_the_same_client() {
        let of = |lines: &[&str]| client(ClientIpHeader::XForwardedFor, "10.1.1.1", lines);
        for line in [
            "203.0.113.7",
            "203.0.113.7,",
            "203.0.113.7, , 10.2.2.2,,",
            ",203.0.113.7",
            "203.0.113.7:4711",
            "203.0.113.7\t,10.2.2.2:80",
            "\"203.0.113.7\"",
            "::ffff:203.0.113.7",
            "[::ffff:203.0.113.7]:1",
            "unknown, 203.0.113.7",
            "6.6.6.6\", 203.0.113.7",
        ] {
            assert_eq!(of(&[line]), "203.0.113.7", "{line}");
            assert_eq!(of(&["1.1.1.1", line, " , ", ""]), "203.0.113.7", "{line}");
        }
        assert_eq!(of(&["203.0.113.7, fe80::1%eth0"]), "fe80::1");
        for nobody in
            ["unknown", "_hidden", "203.0.113.7:x", "203.0.113.7:99999", "[::1", "1.1", "[]"]
        {
            assert_eq!(of(&[&format!("1.1.1.1, {nobody}, 10.2.2.2")]), "10.2.2.2", "{nobody}");
        }
    }

    #[test]
    fn bytes_of_a_client_do_not_hide_the_address_that_a_proxy_appends() {
        let trusted = vec!["10.0.0.0/8".parse().unwrap()];
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", b"\xff, 203.0.113.7"[..].try_into().unwrap());
        let proxies = TrustedProxies { trusted, header: ClientIpHeader::XForwardedFor };
        let client = proxies.client([10, 1, 1, 1].into(), &headers);
        assert_eq!(client, IpAddr::from([203, 0, 113, 7]));
        let open = r#"for="6.6.6.6, for="[2001:db8::1]:99";proto=https"#;
        for line in [open, &format!("{open}, for=10.2.2.2"), r#"for="\", for="[2001:db8::1]""#] {
            let found = self::client(ClientIpHeader::Forwarded, "10.1.1.1", &[line]);
            assert_eq!(found, "2001:db8::1", "{line}");
        }
    }

    #[test]
    fn the_standards_header_is_read_in_every_form() {
        let of = |lines: &[&str]| client(ClientIpHeader::Forwarded, "10.1.1.1", lines);
        for element in [
            "for=203.0.113.7",
            "For=203.0.113.7",
            "proto=https;FOR=\"203.0.113.7:4711\";host=\"a,b;c\"",
            "for=\"203.0.113.7:_port\";by=_me",
            " ;for=203.0.113.7 ; proto=http",
        ] {
            assert_eq!(of(&[element]), "203.0.113.7", "{element}");
            let behind = format!("for=1.1.1.1, {element}, , for=10.2.2.2;by=10.1.1.1");
            assert_eq!(of(&[&behind, ""]), "203.0.113.7", "{behind}");
        }
        assert_eq!(of(&["for=\"[2001:DB8::1]\""]), "2001:db8::1");
        assert_eq!(of(&["for=_hidden, for=_SEVKISEK", "for=10.2.2.2"]), "10.2.2.2");
        assert_eq!(of(&["for=1.1.1.1, proto=https"]), "10.1.1.1");
        assert_eq!(of(&["for=\"unknown\""]), "10.1.1.1");
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
