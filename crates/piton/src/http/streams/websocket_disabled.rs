//! The module `websocket` of a build without that feature.

use crate::http::settings::HttpSettings;

/// The settings of WebSockets: none.
pub(super) struct SocketConfig;

impl SocketConfig {
    pub fn new(_: &HttpSettings, _: bool) -> Self {
        Self
    }
}
