//! The module `tls` of a build without that feature.

use std::io;

use super::listeners::Socket;
use crate::http::tls_settings::TlsSettings;
use crate::metrics::Metrics;
use crate::reload_signal::Reload;

/// A connection over TLS, which a build without the feature cannot have.
pub(crate) type TlsStream = Socket;

/// The server's side of TLS, which a build without the feature cannot have.
#[derive(Clone)]
pub(crate) enum TlsAcceptor {}

/// Facts about a connection that its handshake settled.
pub(crate) struct TlsHandshake {
    pub is_http2: bool,
}

impl TlsHandshake {
    /// Adds nothing to a request.
    pub fn add_to(&self, _: &mut http::Extensions) {}
}

impl TlsAcceptor {
    /// Returns `None`: the settings are refused at launch.
    #[expect(clippy::unnecessary_wraps, reason = "the same call as with the feature")]
    pub fn new(_: &TlsSettings, _: bool) -> Result<Option<Self>, String> {
        Ok(None)
    }

    /// Does the handshake of a connection.
    pub async fn accept(&self, _: Socket) -> io::Result<(Socket, TlsHandshake)> {
        match *self {}
    }

    /// Checks the files for changes.
    pub async fn follow_files(self, _: Reload, _: Metrics) {
        match self {}
    }
}

/// Refuses the settings of TLS.
pub(crate) fn problems(settings: &TlsSettings) -> Vec<(&'static str, String, String)> {
    if !settings.is_on() {
        return Vec::new();
    }
    let why = "this build of piton has no TLS".to_owned();
    vec![("certificate", why, "give piton the feature `tls`, or leave it to the proxy".to_owned())]
}
