//! Keeps calls to strangers out of this machine and its network, where people may say which URL is
//! called. What counts is the address that is connected to: a name may resolve to anything, and to
//! something else a second later.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Url, redirect};

/// The address is private.
#[derive(Debug)]
pub(super) struct Private;

impl fmt::Display for Private {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the address is private")
    }
}

impl std::error::Error for Private {}

/// What calls to strangers may reach.
#[derive(Clone, Debug)]
pub(super) struct Guard {
    /// The proxy may be on this machine; nobody is called by its name.
    pub proxy: Option<String>,
}

impl Guard {
    /// Looks at a URL whose host is an address: such are never resolved. A URL's parser has
    /// understood `0x7f.1` and its like already.
    pub fn check(&self, url: &Url) -> Result<(), Private> {
        let host = url.host_str().unwrap_or_default();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let address = bare.parse::<IpAddr>().ok();
        if address.is_some_and(is_private) || self.proxy.as_deref() == Some(host) {
            return Err(Private);
        }
        Ok(())
    }
}

/// Resolves names, and forgets addresses that are private.
impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let of_proxy = self.proxy.as_deref() == Some(name.as_str());
        Box::pin(async move {
            let all: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let wanted = |address: &SocketAddr| of_proxy || !is_private(address.ip());
            let (known, public) = (!all.is_empty(), all.into_iter().filter(wanted));
            let public: Vec<SocketAddr> = public.collect();
            if known && public.is_empty() {
                return Err(Private.into());
            }
            Ok(Box::new(public.into_iter()) as Addrs)
        })
    }
}

tokio::task_local! {
    /// Whether the request that is being sent has been redirected: then its first part was answered.
    pub(super) static REDIRECTED: std::sync::Arc<std::sync::atomic::AtomicBool>;
}

/// Follows so many redirects, and none to where the guard forbids it.
pub(super) fn redirects(most: usize, guard: Option<Guard>) -> redirect::Policy {
    redirect::Policy::custom(move |attempt| {
        if most == 0 {
            return attempt.stop();
        }
        // The first of them is where the call went, which is no redirect.
        if attempt.previous().len() > most {
            return attempt.error("too many redirects");
        }
        if guard.as_ref().is_some_and(|guard| guard.check(attempt.url()).is_err()) {
            return attempt.error(Private);
        }
        let _ = REDIRECTED.try_with(|it| it.store(true, std::sync::atomic::Ordering::Relaxed));
        attempt.follow()
    })
}

/// Whether an address is anything but one of the public internet, by IANA's registries of special
/// addresses. IPv6 addresses that stand for an IPv4 address are what that is.
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
        // All that is given out to the public internet begins with these three bits.
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
    fn addresses_of_the_public_internet_are_not() {
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
    fn addresses_in_urls_are_understood_however_they_are_written() {
        let guard = Guard { proxy: Some("tor".into()) };
        let of = |url: &str| guard.check(&Url::parse(url).expect(url)).is_err();
        for url in [
            "http://127.0.0.1/",
            "http://2130706433/",
            "http://0x7f.1/",
            "http://0177.0.0.1/",
            "http://[::1]:80/",
            "http://[::ffff:7f00:1]/",
            "http://tor/",
        ] {
            assert!(of(url), "{url}");
        }
        assert!(!of("http://8.8.8.8/") && !of("https://example.com/"));
    }
}
