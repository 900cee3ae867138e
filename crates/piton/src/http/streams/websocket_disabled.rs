//! Stands for `websocket/` without the feature `websocket`.

use crate::http::settings::HttpSettings;

/// The settings of WebSockets: none.
pub(super) struct SocketConfig;

impl SocketConfig {
    pub fn new(_: &HttpSettings, _: bool) -> Self {
        Self
    }
}
