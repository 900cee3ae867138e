//! Checks the parts of a head that hyper accepts in any form: the target, the `Host` header, of which
//! HTTP/1.1 requires exactly one (RFC 9112 section 3.2), and the transfer codings.
//!
//! Proxies and services that choose different hosts for the same request can be played against each
//! other, so that a request with two is refused and not guessed at.

use http::uri::Scheme;
use http::{HeaderMap, Method, Request, StatusCode, Uri, Version, header};

/// Returns the reason to refuse a request, if there is one.
pub(super) fn fault<B>(request: &Request<B>) -> Option<&'static str> {
    if !is_target(request.method(), request.uri()) {
        return Some("the request's target is not valid");
    }
    host_fault(request.version(), request.headers())
}

/// Returns the status and the reason to refuse a request for its transfer codings, if there is one. hyper takes any as
/// long as the last is `chunked`, and would hand over the body without decoding the others.
pub(super) fn transfer_coding_fault(headers: &HeaderMap) -> Option<(StatusCode, &'static str)> {
    let lines = headers.get_all(header::TRANSFER_ENCODING).into_iter();
    let codings = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    let codings = codings.map(<[u8]>::trim_ascii).filter(|coding| !coding.is_empty());
    let (mut chunked, mut others) = (0, 0);
    for coding in codings {
        let count =
            if coding.eq_ignore_ascii_case(b"chunked") { &mut chunked } else { &mut others };
        *count += 1;
    }
    match (chunked, others) {
        // RFC 9112, section 6.1: it is sent once at most.
        (2.., _) => {
            Some((StatusCode::BAD_REQUEST, "the transfer coding `chunked` is applied twice"))
        }
        (_, 1..) => {
            Some((StatusCode::NOT_IMPLEMENTED, "only the transfer coding `chunked` is supported"))
        }
        _ => None,
    }
}

/// Returns whether `target` has one of the four forms of RFC 9112 section 3.2.
fn is_target(method: &Method, target: &Uri) -> bool {
    match (target.scheme(), target.authority()) {
        (None, None) => {
            let path = target.path();
            path.starts_with('/') || path == "*" && method == Method::OPTIONS
        }
        (Some(scheme), Some(_)) => *scheme == Scheme::HTTP || *scheme == Scheme::HTTPS,
        (None, Some(_)) => method == Method::CONNECT,
        (Some(_), None) => false,
    }
}

fn host_fault(version: Version, headers: &HeaderMap) -> Option<&'static str> {
    match headers.get(header::HOST) {
        Some(_) if has_two_hosts(headers) => Some("the request has more than one `Host` header"),
        Some(host) if is_host(host.as_bytes()) => None,
        Some(_) => Some("the `Host` header is not a host and port"),
        None if version == Version::HTTP_11 => Some("the request has no `Host` header"),
        None => None,
    }
}

fn has_two_hosts(headers: &HeaderMap) -> bool {
    // Nearly no request repeats a name, which two counts tell.
    headers.len() > headers.keys_len() && headers.get_all(header::HOST).iter().nth(1).is_some()
}

/// Returns whether `host` is `uri-host [":" port]` of RFC 9110 section 7.2, or empty.
fn is_host(host: &[u8]) -> bool {
    let Some(literal) = host.strip_prefix(b"[") else {
        return match host.iter().position(|byte| !is_of_name(byte)) {
            None => true,
            Some(end) => host[end] == b':' && is_port(&host[end + 1..]),
        };
    };
    let Some(end) = literal.iter().position(|byte| *byte == b']') else { return false };
    let (address, rest) = (&literal[..end], &literal[end + 1..]);
    let is_of_address = |byte: &u8| is_of_name(byte) || *byte == b':';
    let is_port = rest.is_empty() || rest.strip_prefix(b":").is_some_and(is_port);
    !address.is_empty() && address.iter().all(is_of_address) && is_port
}

fn is_port(port: &[u8]) -> bool {
    port.iter().all(u8::is_ascii_digit)
}

/// Returns whether `byte` may be in a name: `unreserved`, `sub-delims` and `%` of RFC 3986.
fn is_of_name(byte: &u8) -> bool {
    /// The answers for all bytes, because the host of every request is checked.
    const IS_OF_NAME: [bool; 256] = {
        let mut table = [false; 256];
        let mut byte = 0_u8;
        while byte < u8::MAX {
            table[byte as usize] = byte.is_ascii_alphanumeric()
                || matches!(
                    byte,
                    b'-' | b'.'
                        | b'_'
                        | b'~'
                        | b'!'
                        | b'$'
                        | b'&'
                        | b'\''
                        | b'('
                        | b')'
                        | b'*'
                        | b'+'
                        | b','
                        | b';'
                        | b'='
                        | b'%'
                );
            byte += 1;
        }
        table
    };
    IS_OF_NAME[usize::from(*byte)]
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn faults(version: Version, hosts: &[&'static str]) -> bool {
        let mut headers = HeaderMap::new();
        for host in hosts {
            headers.append(header::HOST, HeaderValue::from_static(host));
        }
        host_fault(version, &headers).is_some()
    }

    #[test]
    fn a_body_is_chunked_once_and_has_no_other_transfer_coding() {
        let status = |lines: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(header::TRANSFER_ENCODING, HeaderValue::from_static(line));
            }
            transfer_coding_fault(&headers).map(|(status, _)| status.as_u16())
        };
        for lines in [&[][..], &["chunked"], &["Chunked"], &[" , chunked,"], &["", "chunked"]] {
            assert_eq!(status(lines), None, "{lines:?}");
        }
        for lines in [&["gzip, chunked"][..], &["gzip", "chunked"], &["gzip;a=b,chunked"]] {
            assert_eq!(status(lines), Some(501), "{lines:?}");
        }
        for lines in [&["chunked, chunked"][..], &["chunked", "chunked"], &["chunked,gzip,chunked"]]
        {
            assert_eq!(status(lines), Some(400), "{lines:?}");
        }
    }

    #[test]
    fn a_host_is_a_name_or_an_address_with_an_optional_port() {
        for host in ["a", "example.org:80", "127.0.0.1:5000", "[::1]", "[::1]:80", "a:", "", "a_b"]
        {
            assert!(!faults(Version::HTTP_11, &[host]), "{host}");
        }
        for host in
            ["a b", "a/b", "u@a", "a:b", "a:1:2", "[::1", "[]", "[::1]x", "a?", "a#", "\"a\""]
        {
            assert!(faults(Version::HTTP_11, &[host]), "{host}");
        }
    }

    #[test]
    fn a_target_has_the_form_that_its_method_allows() {
        let is_valid = |method: Method, target| is_target(&method, &Uri::from_static(target));
        for target in ["/", "/a?b", "//a/b", "http://a/", "https://a:1/b"] {
            assert!(is_valid(Method::GET, target), "{target}");
        }
        for target in ["a", "a:80", "*", "ftp://a/"] {
            assert!(!is_valid(Method::GET, target), "{target}");
        }
        assert!(is_valid(Method::OPTIONS, "*") && is_valid(Method::CONNECT, "a:80"));
    }

    #[test]
    fn http_1_1_requires_exactly_one_host() {
        assert!(faults(Version::HTTP_11, &[]) && faults(Version::HTTP_11, &["a", "a"]));
        assert!(!faults(Version::HTTP_10, &[]) && faults(Version::HTTP_10, &["a", "b"]));
    }
}
