//! The listener of `http.redirect_port`: sends clients of plain HTTP to `https://`.

use axum::Router;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::uri::Authority;
use http::{HeaderMap, HeaderValue, StatusCode, Uri, header};

use crate::error::Error;

/// The port that URLs of `https://` leave out.
const HTTPS_PORT: u16 = 443;

/// Returns a router that answers every request with 308 to the same URL with `https://` and `port`.
///
/// 308 and not 301, so that the method and the body of a POST stay what they were.
pub(in crate::http::server) fn redirect_router(port: u16) -> Router {
    Router::new().fallback(move |request: Request| async move {
        redirect(request.uri(), request.headers(), port)
    })
}

fn redirect(uri: &Uri, headers: &HeaderMap, port: u16) -> Response {
    let Some(location) = location(uri, headers, port) else {
        let detail = "the request has no valid `Host`, so it cannot be redirected";
        return Error::new(StatusCode::BAD_REQUEST, detail).into_response();
    };
    (StatusCode::PERMANENT_REDIRECT, [(header::LOCATION, location)]).into_response()
}

fn location(uri: &Uri, headers: &HeaderMap, port: u16) -> Option<HeaderValue> {
    // The host of an absolute target wins over `Host` (RFC 9112, section 3.2.2).
    let written: Authority = match uri.authority() {
        Some(authority) => authority.clone(),
        None => headers.get(header::HOST)?.to_str().ok()?.parse().ok()?,
    };
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    // `OPTIONS *` and `CONNECT` name no path.
    let path = if path.starts_with('/') { path } else { "/" };
    let host = written.host();
    let url = match port {
        HTTPS_PORT => format!("https://{host}{path}"),
        port => format!("https://{host}:{port}{path}"),
    };
    (!host.is_empty()).then(|| HeaderValue::try_from(url).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(host: &str, path: &str, port: u16) -> Option<String> {
        let headers = [(header::HOST, HeaderValue::try_from(host).unwrap())].into_iter().collect();
        let location = location(&path.parse().unwrap(), &headers, port)?;
        Some(location.to_str().unwrap().to_owned())
    }

    #[test]
    fn the_url_keeps_host_path_and_query() {
        let of = |host, path, port| target(host, path, port).unwrap();
        assert_eq!(of("a.test", "/x?y=1", 443), "https://a.test/x?y=1");
        assert_eq!(of("a.test:8080", "/", 8443), "https://a.test:8443/");
        assert_eq!(of("[::1]:8080", "/", 8443), "https://[::1]:8443/");
        assert_eq!(of("a.test", "*", 443), "https://a.test/");
        assert_eq!(of("user@a.test", "/", 443), "https://a.test/");
        assert_eq!(of("a.test", "//evil.test", 443), "https://a.test//evil.test");
        assert_eq!(of("a.test", "http://b.test:80/x", 443), "https://b.test/x");
    }

    #[test]
    fn a_request_without_a_host_is_not_redirected() {
        assert_eq!(location(&Uri::from_static("/"), &HeaderMap::new(), 443), None);
        assert_eq!(target("a b", "/", 443), None);
        assert_eq!(target("", "/", 443), None);
    }
}
