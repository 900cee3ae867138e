//! The pool of connections to the backend, and the certificates that are trusted.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use super::error::Error;
use super::settings::Settings;

/// Time after which an idle connection is closed. Shorter than servers and proxies keep theirs, so
/// that the other end does not close a connection just when it is reused.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(15);

/// Pool of connections.
pub(super) type Pool = legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// # Errors
/// `Invalid` if the connection is to be encrypted and no authority can be trusted.
pub(super) fn pool(settings: &Settings) -> Result<Pool, Error> {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(settings.connect_timeout));
    let connector = HttpsConnectorBuilder::new()
        .with_tls_config(tls(settings)?)
        .https_or_http()
        .enable_http1()
        .wrap_connector(tcp);
    Ok(legacy::Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(POOL_IDLE_TIMEOUT)
        .build(connector))
}

fn tls(settings: &Settings) -> Result<ClientConfig, Error> {
    let mut roots = RootCertStore::empty();
    if settings.url.is_https() {
        trust(&mut roots, &settings.authorities)?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::invalid("TLS cannot be used").with_source(error))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

fn trust(roots: &mut RootCertStore, pem: &[u8]) -> Result<(), Error> {
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let wrong = || Error::invalid("the authorities' certificates are not PEM");
    let before = roots.len();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| wrong().with_source(error))?;
        roots.add(certificate).map_err(|error| wrong().with_source(error))?;
    }
    if roots.len() == before && !pem.is_empty() {
        return Err(wrong());
    }
    if roots.is_empty() {
        return Err(Error::invalid(
            "this machine trusts no certificate authority: install ca-certificates",
        ));
    }
    Ok(())
}
