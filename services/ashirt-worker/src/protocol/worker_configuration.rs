//! The configuration that an administrator pastes into ASHIRT (Admin, Service Workers, Create New
//! Service Worker).

use std::collections::BTreeMap;

use piton::axum::http::Uri;
use piton::axum::http::uri::Authority;
use piton::config::HttpUrl;
use serde::Serialize;

/// Path to which ASHIRT sends its messages.
pub const PROCESS_PATH: &str = "/ashirt/process";

/// The configuration of a worker in ASHIRT's format.
#[derive(Debug, Serialize)]
pub struct WorkerConfiguration {
    r#type: &'static str,
    version: u8,
    url: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    headers: BTreeMap<String, String>,
}

impl WorkerConfiguration {
    /// Creates the configuration of a worker at `url`, to which ASHIRT sends `headers`.
    #[must_use]
    pub fn new(url: String, headers: BTreeMap<String, String>) -> Self {
        Self { r#type: "web", version: 1, url, headers }
    }
}

/// Returns the URL to which ASHIRT has to send its messages for a worker at `address`: with
/// [`PROCESS_PATH`], unless the address has a path of its own.
///
/// # Errors
/// The reason why ASHIRT could not reach a worker at this address.
pub fn process_url(address: &str) -> Result<String, &'static str> {
    let url: Uri = address.trim().parse().map_err(|_| "it is not a valid URL")?;
    if !matches!(url.scheme_str(), Some("http" | "https")) {
        return Err("its scheme is neither `http` nor `https`");
    }
    let authority = url.authority().map(Authority::as_str).unwrap_or_default();
    let place = authority.rsplit_once('@').map_or(authority, |(_, place)| place);
    let host = url.host().filter(|host| !host.is_empty()).ok_or("it has no host")?;
    let port = place.strip_prefix(host).and_then(|rest| rest.strip_prefix(':'));
    if port.is_some_and(|port| !port.parse::<u16>().is_ok_and(|port| port > 0)) {
        return Err("its port is invalid");
    }
    let address = address.trim();
    if address.contains('#') {
        return Err("the fragment after `#` is never sent");
    }
    let bare = address.replacen(authority, place, 1);
    bare.parse::<HttpUrl>().map_err(piton::config::AddressError::reason)?;
    match (url.path(), url.query()) {
        ("" | "/", None) => Ok(format!("{}{PROCESS_PATH}", address.trim_end_matches('/'))),
        ("" | "/", Some(_)) => Err("it has a query but no path"),
        _ => Ok(address.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_is_added_where_there_is_none() {
        for address in ["http://testapp", "http://testapp/", " http://testapp/ashirt/process "] {
            assert_eq!(process_url(address), Ok("http://testapp/ashirt/process".into()));
        }
        let v6 = "http://[::1]:5000";
        assert_eq!(process_url(v6), Ok("http://[::1]:5000/ashirt/process".into()));
        let behind = "https://proxy.example:8443/worker/ashirt/process?a=b";
        assert_eq!(process_url(behind), Ok(behind.into()));
    }

    #[test]
    fn what_ashirt_would_not_find_is_refused() {
        for address in [
            "",
            "testapp",
            "/ashirt/process",
            "ftp://testapp",
            "http://",
            "http://h#f",
            "http://h/?x=1",
            "http://h?x",
            "http://h:abc",
            "http://h:99999",
            "http://h:0",
            "http://h:",
            "http://h,i",
            "http://h..i",
            "http://999.1.1.1",
        ] {
            assert!(process_url(address).is_err(), "{address}");
        }
    }
}
