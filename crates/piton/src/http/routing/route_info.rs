//! The description of a served route, for the command `routes` and for the OpenAPI document.

use std::fmt;
use std::panic::Location;
use std::sync::Arc;

use http::Method;

use super::operation::Operation;
use crate::handle::Handle;

/// A line of source code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceLocation {
    /// The file, as the compiler names it.
    pub file: &'static str,
    /// The line, from 1.
    pub line: u32,
}

impl fmt::Display for SourceLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

impl From<&'static Location<'static>> for SourceLocation {
    fn from(location: &'static Location<'static>) -> Self {
        Self { file: location.file(), line: location.line() }
    }
}

/// A served route, as the command `routes` lists it.
#[derive(Clone, Debug)]
pub struct RouteInfo {
    /// The method.
    pub method: Method,
    /// The whole path, prefixes joined.
    pub path: String,
    /// The handler's path in the code, such as `registry::apis::companies::create`.
    pub handler: &'static str,
    /// The first paragraph of the handler's doc comment.
    pub summary: &'static str,
    /// The line of the route.
    pub source: SourceLocation,
    /// The tag of its blueprint.
    pub tag: Option<&'static str>,
    /// The handler's whole doc comment.
    pub doc: &'static str,
    /// The arguments and responses of the handler.
    pub operation: Arc<Operation>,
    /// Set if the OpenAPI document lists it; see [`Route::unlisted`](crate::http::Route::unlisted).
    pub listed: bool,
}

impl Handle {
    /// Returns the routes that the app serves, in the order of their paths. Empty before the step
    /// `configure_routes`.
    #[must_use]
    pub fn routes(&self) -> &[RouteInfo] {
        self.inner().routes.get::<Vec<RouteInfo>>().map_or(&[], Vec::as_slice)
    }
}
