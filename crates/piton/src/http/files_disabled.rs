//! The module `files` of a build without that feature.

use axum::response::Response;
use http::request::Parts;

use crate::http::routing::route_info::SourceLocation;

/// The conditions of a request, which no response depends on.
pub(crate) struct Conditions;

impl Conditions {
    pub fn of(_: &Parts) -> Self {
        Self
    }

    /// Returns the response as it is.
    pub fn apply(self, response: Response) -> Response {
        response
    }
}

/// Static files, which a build without the feature cannot have.
pub(crate) enum StaticMount {}

impl StaticMount {
    pub fn prefix(&self) -> &str {
        match *self {}
    }

    pub fn series(&self) -> &str {
        match *self {}
    }

    pub fn source(&self) -> SourceLocation {
        match *self {}
    }

    pub fn resolve(&mut self) -> Result<(), String> {
        match *self {}
    }

    pub async fn respond(&self, _: &Parts) -> Option<Response> {
        match *self {}
    }
}
