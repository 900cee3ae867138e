//! Refuses calls to private addresses (`client.refuse_private`), for services whose users may choose the
//! URL that is called (SSRF).
//!
//! The check is made on the address that is connected to, not on the name: a name may resolve to
//! anything, and to another address a second later.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// The error of a call to a private address.
#[derive(Debug)]
pub(super) struct PrivateAddress;

impl fmt::Display for PrivateAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the address is private")
    }
}

impl std::error::Error for PrivateAddress {}

/// Refuses private addresses, in URLs and in name resolution.
#[derive(Clone, Debug)]
pub(super) struct AddressGuard {
    /// The host of the proxy. It may have a private address, and no call may be addressed to it.
    pub proxy: Option<String>,
}

impl AddressGuard {
    /// Checks a URL whose host is an address, because such a host is never resolved. The URL parser has
    /// converted forms such as `0x7f.1` already.
    ///
    /// # Errors
    /// The address is private, or the host is the proxy.
    pub fn check(&self, url: &Url) -> Result<(), PrivateAddress> {
        let host = url.host_str().unwrap_or_default();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let address = bare.parse::<IpAddr>().ok();
        if address.is_some_and(is_private) || self.proxy.as_deref() == Some(host) {
            return Err(PrivateAddress);
        }
        Ok(())
    }
}

/// Resolves names without their private addresses.
impl Resolve for AddressGuard {
    fn resolve(&self, name: Name) -> Resolving {
        let is_proxy = self.proxy.as_deref() == Some(name.as_str());
        Box::pin(async move {
            let all: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let is_allowed = |address: &SocketAddr| is_proxy || !is_private(address.ip());
            let (known, public) = (!all.is_empty(), all.into_iter().filter(is_allowed));
            let public: Vec<SocketAddr> = public.collect();
            if known && public.is_empty() {
                return Err(PrivateAddress.into());
            }
            Ok(Box::new(public.into_iter()) as Addrs)
        })
    }
}

/// Returns whether an address is not one of the public internet, by IANA's registries of special-purpose
/// addresses (RFC 6890). IPv6 addresses that embed an IPv4 address are judged by that.
pub(super) fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_private_v4(address),
        IpAddr::V6(address) => is_private_v6(address),
    }
}

fn is_private_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    match (a, b, c) {
        // This network, private, loopback, multicast, reserved and broadcast.
        (0 | 10 | 127 | 224..=255, ..) => true,
        // Carrier-grade NAT, link-local, private.
        (100, 64..=127, _) | (169, 254, _) | (172, 16..=31, _) | (192, 168, _) => true,
        // Protocol assignments, the former 6to4 relays, benchmarks, documentation.
        (192, 0, 0 | 2) | (192, 88, 99) | (198, 18..=19, _) | (198, 51, 100) | (203, 0, 113) => {
            true
        }
        _ => false,
    }
}

fn is_private_v6(address: Ipv6Addr) -> bool {
    let words = address.segments();
    let v4 = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        is_private_v4(Ipv4Addr::new(a, b, c, d))
    };
    match words {
        // IPv4-mapped, NAT64 and 6to4.
        [0, 0, 0, 0, 0, 0xffff, high, low] => v4(high, low),
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => v4(high, low),
        [0x2002, high, low, ..] => v4(high, low),
        // Protocol assignments (Teredo among them) and documentation.
        [0x2001, 0..=0x1ff, ..] | [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => true,
        // Everything else is private, because all global unicast addresses are in 2000::/3.
        [first, ..] => first & 0xe000 != 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_special_address_is_private() {
        for address in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.0.1",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "2002:7f00:1::",
            "2002:a00:1::1",
            "2001::1",
            "2001:db8::1",
            "3fff::1",
            "100::1",
            "fc00::1",
            "fd12:3456::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(is_private(address.parse().expect(address)), "{address}");
        }
    }

    #[test]
    fn addresses_of_the_public_internet_are_not_private() {
        for address in [
            "1.1.1.1",
            "8.8.8.8",
            "100.63.0.1",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "198.17.0.1",
            "223.255.255.255",
            "2606:4700:4700::1111",
            "2001:4860:4860::8888",
            "2a00:1450::1",
            "::ffff:8.8.8.8",
            "64:ff9b::808:808",
            "2002:808:808::1",
        ] {
            assert!(!is_private(address.parse().expect(address)), "{address}");
        }
    }

    #[test]
    fn addresses_in_urls_are_recognized_in_every_notation() {
        let guard = AddressGuard { proxy: Some("tor".into()) };
        let is_refused = |url: &str| guard.check(&Url::parse(url).expect(url)).is_err();
        for url in [
            "http://127.0.0.1/",
            "http://2130706433/",
            "http://0x7f.1/",
            "http://0177.0.0.1/",
            "http://[::1]:80/",
            "http://[::ffff:7f00:1]/",
            "http://tor/",
        ] {
            assert!(is_refused(url), "{url}");
        }
        assert!(!is_refused("http://8.8.8.8/") && !is_refused("https://example.com/"));
    }
}
