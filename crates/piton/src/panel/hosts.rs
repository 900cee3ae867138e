//! Which names a page may be asked for by, and by which other pages: none.
//!
//! What listens on loopback is reached by every page that a browser on the machine shows: by its address,
//! which the request tells in `Origin`, and by the name of a host that was rebound to 127.0.0.1, which it
//! tells in `Host`. In development the answer would be theirs to read, as CORS is open there.

use http::{HeaderMap, header};

use crate::admin::{names_this_machine, same_origin};
use crate::http::Error;

/// The names by which a page of this machine may be asked for: `localhost`, any address, and further
/// ones.
///
/// ```
/// use piton::axum::http::HeaderMap;
/// use piton::panel::Hosts;
///
/// let hosts = Hosts::of_this_machine().and(["lab.internal"]);
/// let mut headers = HeaderMap::new();
/// headers.insert("host", "lab.internal:8000".parse().unwrap());
/// assert!(hosts.check(&headers).is_ok());
/// headers.insert("host", "rebound.example".parse().unwrap());
/// assert!(hosts.check(&headers).is_err());
/// ```
#[derive(Clone, Debug, Default)]
pub struct Hosts(Vec<String>);

impl Hosts {
    /// `localhost` and every address.
    #[must_use]
    pub fn of_this_machine() -> Self {
        Self::default()
    }

    /// Further names, without ports.
    #[must_use]
    pub fn and<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.0.extend(names.into_iter().map(Into::into));
        self
    }

    /// Whether the request asks for one of them, and not from a page of another origin.
    ///
    /// # Errors
    /// 403 if its `Host` is another name, and if it has an `Origin` that is not that host.
    pub fn check(&self, headers: &HeaderMap) -> Result<(), Error> {
        if !names_this_machine(headers) && !self.names(headers) {
            return Err(Error::forbidden(
                "the host is neither a name of this machine nor one that the service was told",
            ));
        }
        if !same_origin(headers) {
            return Err(Error::forbidden("only for pages of this address"));
        }
        Ok(())
    }

    fn names(&self, headers: &HeaderMap) -> bool {
        let host =
            headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
        self.0.iter().any(|known| known.eq_ignore_ascii_case(name))
    }
}
