//! The service under attack, and connections to it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tempfile::TempDir;
use test_support::certificates;
use test_support::service::Service;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;

use crate::edges_service;

/// Maximum time for a connection to be made, with its TLS handshake.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);

/// Settings that let clients that never read be cut off within the short run. Fewer connections than the
/// storm opens, so that it meets the limit.
const SETTINGS: [&str; 5] = [
    "http.header_timeout=3s",
    "http.write_timeout=2s",
    "http.timeout=3s",
    "http.max_connections=4000",
    "log.level=warning",
];

/// A connection, with TLS or without.
pub trait ByteStream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> ByteStream for T {}

/// A running service, and the trust in its certificate if it has one.
pub struct Target {
    pub name: &'static str,
    pub service: Service,
    pub tls: Option<Arc<ClientConfig>>,
    pub log: PathBuf,
    _folder: TempDir,
}

impl Target {
    /// Starts the service of `e2e/examples/edges.rs`.
    pub async fn start(with_tls: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut settings: Vec<String> = SETTINGS.map(ToOwned::to_owned).into();
        let tls = with_tls.then(|| {
            certificates::make(folder.path());
            settings.extend(edges_service::tls_settings(folder.path()));
            trust(folder.path())
        });
        let service = edges_service::start_with(folder.path(), &settings).await;
        let log = folder.path().join("log");
        let name = if with_tls { "tls" } else { "plain" };
        Self { name, service, tls, log, _folder: folder }
    }

    /// Opens a connection for the protocol, such as `h2`.
    pub async fn connect(&self, protocol: &[u8]) -> io::Result<Box<dyn ByteStream>> {
        let connected = async { self.speak(protocol, self.tcp().await?).await };
        tokio::time::timeout(CONNECT_TIMEOUT, connected).await?
    }

    /// Opens a connection whose window is so small that a slow reader opens it several times a second.
    /// A large one stays closed until a sixteenth of it is free, which takes longer than the service's
    /// `http.write_timeout` of 2 seconds.
    pub async fn connect_with_small_window(&self) -> io::Result<Box<dyn ByteStream>> {
        let socket = TcpSocket::new_v4()?;
        socket.set_recv_buffer_size(8 << 10)?;
        let stream = socket.connect(([127, 0, 0, 1], self.service.port).into()).await?;
        self.speak(b"http/1.1", stream).await
    }

    async fn speak(&self, protocol: &[u8], stream: TcpStream) -> io::Result<Box<dyn ByteStream>> {
        let Some(config) = &self.tls else { return Ok(Box::new(stream)) };
        let mut config = ClientConfig::clone(config);
        config.alpn_protocols = vec![protocol.to_vec()];
        let name = ServerName::try_from("localhost").expect("a host's name");
        let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
        Ok(Box::new(stream))
    }

    /// Opens a connection and sends nothing, not even the greeting of TLS.
    pub async fn tcp(&self) -> io::Result<TcpStream> {
        let stream = TcpStream::connect(("127.0.0.1", self.service.port)).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

fn trust(folder: &Path) -> Arc<ClientConfig> {
    let authority = CertificateDer::from_pem_file(folder.join("authority.pem")).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(authority).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}
