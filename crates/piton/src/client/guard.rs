//! Keeps calls to strangers out of this machine and its network, where people may say which URL is
//! called. What counts is the address that is connected to: a name may resolve to anything, and to
//! something else a second later.

use crate::secrets::{redact_text, redact_url};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use http::header;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Response, Url, redirect};

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
    /// The last redirect target of the request in flight, without secrets. If it is set, the first
    /// server has answered.
    pub(super) static REDIRECTED: Arc<Mutex<Option<String>>>;
}

/// The error of a redirect to a target that is neither `http` nor `https`.
#[derive(Debug)]
pub(super) struct Unfollowable;

impl fmt::Display for Unfollowable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the target is neither http nor https")
    }
}

impl std::error::Error for Unfollowable {}

/// Follows so many redirects, and none to where the guard forbids it.
pub(super) fn redirects(most: usize, guard: Option<Guard>) -> redirect::Policy {
    redirect::Policy::custom(move |attempt| {
        if most == 0 {
            return attempt.stop();
        }
        // The first of them is where the call went, which is no redirect.
        note(attempt.url());
        if attempt.previous().len() > most {
            return attempt.error("too many redirects");
        }
        if !is_web(attempt.url()) {
            return attempt.error(Unfollowable);
        }
        if guard.as_ref().is_some_and(|guard| guard.check(attempt.url()).is_err()) {
            return attempt.error(Private);
        }
        attempt.follow()
    })
}

fn note(target: &Url) {
    let _ = REDIRECTED.try_with(|it| {
        *it.lock().unwrap_or_else(PoisonError::into_inner) = Some(shown(target));
    });
}

fn is_web(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https")
}

/// Returns the redirect target of a response that reqwest returned because it cannot follow it: the
/// target is not a URL, or not one that a request can be sent to.
pub(super) fn unfollowable(response: &Response) -> Option<String> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let location = response.headers().get(header::LOCATION)?;
    let target = std::str::from_utf8(location.as_bytes()).ok();
    let target = target.and_then(|target| response.url().join(target).ok());
    match target {
        None => Some(shown_text(&String::from_utf8_lossy(location.as_bytes()))),
        Some(target) if is_web(&target) && http::Uri::try_from(target.as_str()).is_ok() => None,
        Some(target) => Some(shown(&target)),
    }
}

/// A redirect's target as far as it may be shown: who has made it may have put secrets into it. Users,
/// passwords, queries and fragments are left out, and the secrets of the path; of what has no host only the
/// scheme stays.
fn shown(target: &Url) -> String {
    if target.cannot_be_a_base() {
        return format!("{}:…", target.scheme());
    }
    let mut bare = target.clone();
    // Setting them fails only for a URL without a host, which has neither.
    let _ = (bare.set_username(""), bare.set_password(None));
    let query = if bare.query().is_some() { "?…" } else { "" };
    bare.set_query(None);
    bare.set_fragment(None);
    shown_text(bare.as_str()) + query
}

/// Does the same as [`shown`] for text that is not a URL.
fn shown_text(target: &str) -> String {
    const MAX_CHARS: usize = 200;
    let (bare, rest) = match target.find(['?', '#']) {
        Some(at) => (&target[..at], "?…"),
        None => (target, ""),
    };
    // Hides what a path may hold too: `;jsessionid=..`, tokens, and webhooks that are secrets as a whole.
    let bare = redact_url(bare);
    let bare = redact_text(&bare);
    // `//user:password@` has no scheme, and is no address to the mask.
    let bare = match bare.rsplit_once('@') {
        Some((_, host)) if !bare.contains("***@") => format!("***@{host}"),
        _ if bare.starts_with("//***@") => bare[2..].to_owned(),
        _ => bare.into_owned(),
    };
    let mut text: String = bare.chars().take(MAX_CHARS).flat_map(visible).collect();
    if bare.chars().count() > MAX_CHARS {
        text.push('…');
    }
    text + rest
}

fn visible(c: char) -> impl Iterator<Item = char> {
    let plain = c.is_alphanumeric() || c.is_ascii_graphic() || matches!(c, ' ' | '…');
    let escaped = (!plain).then(|| c.escape_unicode());
    escaped.into_iter().flatten().chain(plain.then_some(c))
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
    fn of_a_target_nothing_is_shown_that_opens_something() {
        for (target, expected) in [
            ("https://u:hunter2@h:8443/a?token=hunter2#hunter2", "https://h:8443/a?…"),
            ("https://h/#hunter2", "https://h/"),
            ("data:text/html,hunter2", "data:…"),
            ("javascript:hunter2", "javascript:…"),
            ("file:///etc/passwd", "file:///etc/passwd"),
            ("https://h/a;jsessionid=hunter2", "https://h/a;jsessionid=***"),
            ("https://h/access_token=hunter2/x", "https://h/access_token=***/x"),
            ("https://h/hooks/hunter2", "https://h/hooks/***"),
            ("https://h/bot123:AAHhunter2/getMe", "https://h/***/getMe"),
            ("https://h/eyJhbGciOiJIUzI1NiJ9.eyJpYXQiOjF9.hunter2/x", "https://h/***/x"),
        ] {
            assert_eq!(shown(&Url::parse(target).expect(target)), expected);
        }
        for (text, expected) in [
            ("http://u:hunter2@:x/?hunter2", "http://***@:x/?…"),
            ("//u:hunter2@h:x", "***@h:x"),
            ("http://\u{202e}\u{7}", r"http://\u{202e}\u{7}"),
        ] {
            assert_eq!(shown_text(text), expected);
        }
        assert_eq!(shown_text(&"x".repeat(10_000)).chars().count(), 201);
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
