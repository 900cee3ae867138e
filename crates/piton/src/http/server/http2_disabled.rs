//! The module `http2` of a build without that feature.

use axum::Router;

use super::connection::{ConnectionConfig, ConnectionInfo};
use super::stack::Stack;
use crate::http::settings::HttpSettings;
use crate::stop_signal::Stop;

/// The settings of connections with HTTP/2, which a build without the feature cannot have.
#[derive(Clone)]
pub(super) enum Http2Config {}

impl Http2Config {
    /// Returns `None`.
    pub fn new(_: &HttpSettings) -> Option<Self> {
        None
    }

    /// Returns the first bytes of a connection by prior knowledge.
    pub fn preface(&self) -> &'static [u8] {
        match *self {}
    }

    /// Serves the requests of one connection.
    pub async fn serve_connection<T>(
        &self,
        _: T,
        _: ConnectionInfo,
        _: Stack<Router>,
        _: &ConnectionConfig,
        _: Stop,
    ) {
        match *self {}
    }
}
