//! The caller of a request, as modules see it that know no authentication method.

use std::any::Any;

use http::{HeaderMap, HeaderValue};

/// The caller of the current request. The response and the client for other services ask it for
/// headers, without knowing how the caller was authenticated.
pub(crate) trait Caller: Any + Send + Sync {
    /// Returns the `Authorization` header with which to call another service in the caller's name.
    #[cfg_attr(not(feature = "client"), expect(dead_code, reason = "the client asks for it"))]
    fn authorization(&self) -> Option<HeaderValue>;

    /// Adds to the response the headers that the caller needs for the next request, such as a
    /// refreshed token.
    fn add_response_headers(&self, headers: &mut HeaderMap);
}
