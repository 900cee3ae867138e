//! Access to the details, and to endpoints that change something.
//!
//! Every page in a browser on the machine can send requests to a loopback address. So a request over loopback
//! comes by loopback must name this machine as the host (a name that was rebound to it is refused),
//! and must not come from another origin's page.

use std::net::IpAddr;

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::uri::Authority;
use http::{HeaderMap, HeaderName, header};

use crate::context;
use crate::http::Error;

/// The listener that serves the details.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AdminGuard {
    /// The admin address: access to it is restricted by the network.
    Admin,
    /// On the public port: for this machine only.
    Public,
}

impl AdminGuard {
    /// Lets a request pass, or rejects it.
    pub async fn check(self, request: Request, next: Next) -> Response {
        let peer = context::current(|request| request.peer).flatten();
        match self.refuse(peer, request.headers()) {
            // 404 instead of 403, so that callers from elsewhere do not learn that the endpoint exists.
            Some(_) if self == Self::Public => {
                Error::not_found("nothing is served at this path").into_response()
            }
            Some(why) => Error::forbidden(why).into_response(),
            None => next.run(request).await,
        }
    }

    fn refuse(self, peer: Option<IpAddr>, headers: &HeaderMap) -> Option<&'static str> {
        let near = peer.is_none_or(|peer| peer.to_canonical().is_loopback());
        if self == Self::Public && (!near || was_forwarded(headers)) {
            return Some("only for this machine");
        }
        if near && !names_this_machine(headers) {
            return Some("the host is not this machine's name");
        }
        (!same_origin(headers)).then_some("only for pages of this address")
    }
}

/// Returns whether the request comes from this machine itself, as endpoints that change something
/// require.
pub(crate) fn is_local(headers: &HeaderMap) -> bool {
    let peer = context::current(|request| request.peer).flatten();
    peer.is_none_or(|peer| peer.to_canonical().is_loopback()) && !was_forwarded(headers)
}

/// Returns whether a proxy has forwarded the request: one on this machine forwards for others.
fn was_forwarded(headers: &HeaderMap) -> bool {
    ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via"]
        .into_iter()
        .any(|name| headers.contains_key(HeaderName::from_static(name)))
}

fn host(headers: &HeaderMap) -> Option<Authority> {
    headers.get(header::HOST)?.to_str().ok()?.parse().ok()
}

/// Returns whether the request's `Host` is `localhost` or an IP
/// address. Other names are refused, because an attacker can make them resolve to this
/// machine (DNS rebinding).
pub(crate) fn names_this_machine(headers: &HeaderMap) -> bool {
    match headers.get_all(header::HOST).iter().count() {
        0 => return true,
        1 => {}
        // A proxy in between may go by the other one (RFC 9112, section 3.2).
        _ => return false,
    }
    host(headers).is_some_and(|authority| {
        let host = authority.host().trim_matches(['[', ']']);
        host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok()
    })
}

/// Returns whether the request comes from a page of this address, or from no page at all.
pub(crate) fn same_origin(headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    let origin = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
    let origin = origin.and_then(|(_, authority)| authority.parse::<Authority>().ok());
    origin.is_some() && origin == host(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(guard: AdminGuard, peer: &str, headers: &[(&'static str, &'static str)]) -> bool {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(HeaderName::from_static(name), value.parse().unwrap());
        }
        guard.refuse(Some(peer.parse().unwrap()), &map).is_some()
    }

    #[test]
    fn the_public_port_tells_only_who_sits_at_this_machine() {
        let public = |peer, headers: &[_]| refused(AdminGuard::Public, peer, headers);
        assert!(!public("127.0.0.1", &[("host", "localhost:5000")]));
        assert!(!public("::1", &[("host", "[::1]:5000")]));
        assert!(public("192.168.0.7", &[("host", "localhost:5000")]));
        assert!(public("127.0.0.1", &[("host", "localhost"), ("x-forwarded-for", "1.2.3.4")]));
    }

    #[test]
    fn a_page_of_another_origin_and_a_rebound_name_are_refused() {
        for guard in [AdminGuard::Public, AdminGuard::Admin] {
            let of = |headers: &[_]| refused(guard, "127.0.0.1", headers);
            assert!(of(&[("host", "evil.example:9464")]));
            assert!(of(&[("host", "localhost:9464"), ("origin", "https://evil.example")]));
            assert!(of(&[("host", "localhost:9464"), ("origin", "null")]));
            assert!(!of(&[("host", "localhost:9464"), ("origin", "http://localhost:9464")]));
        }
    }

    #[test]
    fn two_hosts_are_no_host() {
        let mut headers = HeaderMap::new();
        headers.append(header::HOST, "localhost:5000".parse().unwrap());
        assert!(names_this_machine(&headers));
        headers.append(header::HOST, "evil.example".parse().unwrap());
        assert!(!names_this_machine(&headers));
    }

    #[test]
    fn the_admin_address_answers_whoever_reaches_it() {
        assert!(!refused(AdminGuard::Admin, "10.0.0.7", &[("host", "registry.internal:9464")]));
    }
}
