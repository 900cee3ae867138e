//! Accepts TLS connections with the current certificate.

use std::io;
use std::sync::Arc;

use parking_lot::RwLock;
use rustls::ServerConfig;

use super::certificate_fields::CertificateFields;
use super::certificate_files::{FileContents, FileProblem};
use super::client_certificate::ClientCert;
use crate::http::server::listeners::Socket;
use crate::http::tls_settings::TlsSettings;

/// The protocols of ALPN (RFC 7301), by preference.
const HTTP2: &[u8] = b"h2";
const HTTP1: &[u8] = b"http/1.1";

/// A connection over TLS.
pub(crate) type TlsStream = tokio_rustls::server::TlsStream<Socket>;

/// The server's side of TLS. Cheap to clone; every clone has the same certificate.
#[derive(Clone)]
pub(crate) struct TlsAcceptor(Arc<AcceptorState>);

pub(super) struct AcceptorState {
    pub settings: TlsSettings,
    pub speaks_http2: bool,
    pub current: RwLock<CurrentCertificate>,
}

/// The certificate for new connections.
pub(super) struct CurrentCertificate {
    /// The files that it was loaded from.
    pub contents: FileContents,
    pub config: Arc<ServerConfig>,
    pub fields: Option<CertificateFields>,
}

/// Facts about a connection that its handshake settled.
pub(crate) struct TlsHandshake {
    pub is_http2: bool,
    pub client: Option<ClientCert>,
}

impl TlsHandshake {
    /// Adds to a request what handlers read of the handshake.
    pub fn add_to(&self, extensions: &mut http::Extensions) {
        if let Some(client) = &self.client {
            extensions.insert(client.clone());
        }
    }
}

impl TlsAcceptor {
    /// Loads the certificate. `None` if TLS is off.
    ///
    /// # Errors
    /// Every file that cannot be used, as for [`problems`].
    pub fn new(settings: &TlsSettings, speaks_http2: bool) -> Result<Option<Self>, String> {
        let current = match FileContents::read(settings) {
            Ok(None) => return Ok(None),
            Ok(Some(contents)) => CurrentCertificate::load(contents, settings, speaks_http2),
            Err(problems) => Err(problems),
        };
        let current = current.map_err(|problems| describe(&problems))?;
        let settings = settings.clone();
        Ok(Some(Self(Arc::new(AcceptorState {
            settings,
            speaks_http2,
            current: RwLock::new(current),
        }))))
    }

    /// Does the handshake of a connection.
    ///
    /// # Errors
    /// The client does not speak TLS as the settings ask for, or shows no certificate that verifies.
    pub async fn accept(&self, socket: Socket) -> io::Result<(TlsStream, TlsHandshake)> {
        let config = self.0.current.read().config.clone();
        let stream = tokio_rustls::TlsAcceptor::from(config).accept(socket).await?;
        let (_, connection) = stream.get_ref();
        let handshake = TlsHandshake {
            is_http2: connection.alpn_protocol() == Some(HTTP2),
            client: connection.peer_certificates().and_then(ClientCert::of_chain),
        };
        Ok((stream, handshake))
    }

    pub(super) fn inner(&self) -> &AcceptorState {
        &self.0
    }
}

impl CurrentCertificate {
    /// Loads a certificate from the contents of its files.
    ///
    /// # Errors
    /// Every file that TLS cannot use.
    pub fn load(
        contents: FileContents,
        settings: &TlsSettings,
        speaks_http2: bool,
    ) -> Result<Self, Vec<FileProblem>> {
        let protocols = [HTTP2, HTTP1].iter().skip(usize::from(!speaks_http2));
        let loaded = contents.load(settings, protocols.map(|name| name.to_vec()).collect())?;
        Ok(Self { contents, config: loaded.config, fields: loaded.fields })
    }
}

/// Returns the settings whose files TLS cannot use.
pub(crate) fn problems(settings: &TlsSettings) -> Vec<FileProblem> {
    match FileContents::read(settings) {
        Ok(None) => Vec::new(),
        Ok(Some(contents)) => contents.load(settings, Vec::new()).err().unwrap_or_default(),
        Err(problems) => problems,
    }
}

/// Returns the problems as one text.
pub(super) fn describe(problems: &[FileProblem]) -> String {
    let each = |(name, why, _): &FileProblem| format!("http.tls.{name}: {why}");
    problems.iter().map(each).collect::<Vec<_>>().join("; ")
}
