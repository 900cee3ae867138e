//! Reads the files of `[http.tls]`, and makes rustls' configuration of them.

use std::path::Path;
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoClientAuth, WebPkiClientVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::version::{TLS12, TLS13};
use rustls::{InconsistentKeys, RootCertStore, ServerConfig};

use super::certificate_fields::CertificateFields;
use crate::http::tls_settings::{ClientAuth, TlsSettings, TlsVersion};

/// A setting whose file cannot be used: its name, the reason, and the fix.
pub(crate) type FileProblem = (&'static str, String, String);

/// The contents of the files, to tell whether they have changed.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct FileContents {
    certificate: Vec<u8>,
    key: Vec<u8>,
    client_ca: Option<Vec<u8>>,
}

/// A configuration of rustls, and the fields of its certificate.
pub(super) struct LoadedCertificate {
    pub config: Arc<ServerConfig>,
    /// `None` if rustls accepts the certificate, and it is not one of X.509 as RFC 5280 has them.
    pub fields: Option<CertificateFields>,
}

impl FileContents {
    /// Reads the files. `None` if TLS is off.
    ///
    /// # Errors
    /// Every file that cannot be read.
    pub fn read(settings: &TlsSettings) -> Result<Option<Self>, Vec<FileProblem>> {
        let Some((certificate, key, client_ca)) = settings.files() else { return Ok(None) };
        let certificate = read("certificate", certificate);
        let key = read("key", key);
        let client_ca = client_ca.map(|path| read("client_ca", path)).transpose();
        match (certificate, key, client_ca) {
            (Ok(certificate), Ok(key), Ok(client_ca)) => {
                Ok(Some(Self { certificate, key, client_ca }))
            }
            (certificate, key, client_ca) => {
                Err([certificate.err(), key.err(), client_ca.err()].into_iter().flatten().collect())
            }
        }
    }

    /// Makes a configuration that offers `protocols` by ALPN.
    ///
    /// # Errors
    /// Every file that TLS cannot use.
    pub fn load(
        &self,
        settings: &TlsSettings,
        protocols: Vec<Vec<u8>>,
    ) -> Result<LoadedCertificate, Vec<FileProblem>> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let pair = self.pair(&provider);
        let verifier = self.verifier(settings.client_auth, &provider);
        let (pair, verifier) = match (pair, verifier) {
            (Ok(pair), Ok(verifier)) => (pair, verifier),
            (pair, verifier) => {
                return Err([pair.err(), verifier.err()].into_iter().flatten().collect());
            }
        };
        let fields = pair.cert.first().and_then(|der| CertificateFields::parse(der));
        let versions = match settings.min_version {
            TlsVersion::Tls12 => &[&TLS13, &TLS12][..],
            TlsVersion::Tls13 => &[&TLS13],
        };
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .expect("the provider has cipher suites of both versions")
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(pair)));
        config.alpn_protocols = protocols;
        // Tickets are of this configuration alone: a client whose authority was removed must not resume
        // a session of before.
        if let Ok(ticketer) = aws_lc_rs::Ticketer::new() {
            config.ticketer = ticketer;
        }
        Ok(LoadedCertificate { config: Arc::new(config), fields })
    }

    /// Returns the certificate with its key.
    fn pair(&self, provider: &CryptoProvider) -> Result<CertifiedKey, FileProblem> {
        let chain = certificates("certificate", &self.certificate)?;
        let key = private_key(&self.key)?;
        CertifiedKey::from_der(chain, key, provider).map_err(|error| match error {
            rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => (
                "key",
                "the key is not that of the certificate".to_owned(),
                "name the key with which the certificate was requested; the service's own \
                 certificate comes first in its file"
                    .to_owned(),
            ),
            rustls::Error::InvalidCertificate(error) => (
                "certificate",
                format!("the first certificate of the file is not valid: {error}"),
                "a file with the service's own X.509 certificate first".to_owned(),
            ),
            error => (
                "key",
                format!("the key cannot be used: {error}"),
                "an RSA key of 2048 bits or more, or one of the curves P-256, P-384 and Ed25519"
                    .to_owned(),
            ),
        })
    }

    /// Returns the verifier of client certificates.
    fn verifier(
        &self,
        client_auth: ClientAuth,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Arc<dyn ClientCertVerifier>, FileProblem> {
        let Some(authorities) = &self.client_ca else { return Ok(Arc::new(NoClientAuth)) };
        let unusable = |error: &dyn std::fmt::Display| {
            let why = format!("a certificate of the file is not an authority's: {error}");
            ("client_ca", why, "a file with certificates of authorities only".to_owned())
        };
        let mut roots = RootCertStore::empty();
        for certificate in certificates("client_ca", authorities)? {
            roots.add(certificate).map_err(|error| unusable(&error))?;
        }
        let builder =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone());
        let builder = match client_auth {
            ClientAuth::Required => builder,
            ClientAuth::Optional | ClientAuth::None => builder.allow_unauthenticated(),
        };
        builder.build().map_err(|error| unusable(&error))
    }
}

fn read(name: &'static str, path: &Path) -> Result<Vec<u8>, FileProblem> {
    std::fs::read(path).map_err(|error| {
        let why = format!("the file {} cannot be read: {error}", path.display());
        (name, why, "name a file that this process's user may read".to_owned())
    })
}

fn certificates(
    name: &'static str,
    pem: &[u8],
) -> Result<Vec<CertificateDer<'static>>, FileProblem> {
    let fix = "a PEM file with `-----BEGIN CERTIFICATE-----`; `openssl x509 -inform der -in FILE` \
               prints one of a DER file";
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let chain =
        read.map_err(|error| (name, format!("the file is not PEM: {error}"), fix.into()))?;
    if chain.is_empty() {
        return Err((name, "the file has no certificate".to_owned(), fix.to_owned()));
    }
    Ok(chain)
}

fn private_key(pem: &[u8]) -> Result<PrivateKeyDer<'static>, FileProblem> {
    let is_encrypted = [&b"ENCRYPTED PRIVATE KEY"[..], b"Proc-Type: 4,ENCRYPTED"]
        .iter()
        .any(|mark| pem.windows(mark.len()).any(|window| window == *mark));
    if is_encrypted {
        return Err((
            "key",
            "the key is encrypted, and a service cannot ask for its passphrase".to_owned(),
            "`openssl pkey -in FILE -out PLAIN`, readable by the service's user only".to_owned(),
        ));
    }
    PrivateKeyDer::from_pem_slice(pem).map_err(|error| {
        let why = match error {
            pem::Error::NoItemsFound => "the file has no private key".to_owned(),
            error => format!("the file is not PEM: {error}"),
        };
        ("key", why, "a PEM file with `-----BEGIN PRIVATE KEY-----`".to_owned())
    })
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn settings(folder: &Path) -> TlsSettings {
        TlsSettings {
            certificate: Some(folder.join("server.pem")),
            key: Some(folder.join("server.key")),
            ..TlsSettings::default()
        }
    }

    /// Returns the settings with a problem, and the reasons.
    fn refusals(settings: &TlsSettings) -> Vec<(&'static str, String)> {
        let contents = FileContents::read(settings);
        let loaded =
            contents.and_then(|contents| contents.unwrap().load(settings, Vec::new()).map(|_| ()));
        loaded.err().unwrap_or_default().into_iter().map(|(name, why, _)| (name, why)).collect()
    }

    #[test]
    fn a_certificate_with_its_key_is_loaded() {
        let folder = tempfile::tempdir().unwrap();
        test_support::certificates::make(folder.path());
        let settings = settings(folder.path());
        assert_eq!(refusals(&settings), []);
        let contents = FileContents::read(&settings).unwrap().unwrap();
        let loaded = contents.load(&settings, vec![b"h2".to_vec()]).unwrap();
        assert_eq!(loaded.fields.unwrap().dns_names, ["localhost"]);
        assert_eq!(loaded.config.alpn_protocols, [b"h2"]);
    }

    #[test]
    fn a_key_of_another_certificate_or_an_encrypted_one_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        test_support::certificates::make(folder.path());
        let with_key = |name: &str| TlsSettings {
            key: Some(folder.path().join(name)),
            ..settings(folder.path())
        };
        let [(name, why)] = &refusals(&with_key("authority.key"))[..] else { panic!() };
        assert_eq!((*name, &**why), ("key", "the key is not that of the certificate"));
        let line = "pkey -in server.key -aes256 -passout pass:x -out locked.key";
        let made =
            Command::new("openssl").args(line.split(' ')).current_dir(folder.path()).status();
        assert!(made.unwrap().success());
        let [(_, why)] = &refusals(&with_key("locked.key"))[..] else { panic!() };
        assert!(why.starts_with("the key is encrypted"), "{why}");
        let [(_, why)] = &refusals(&with_key("server.pem"))[..] else { panic!() };
        assert_eq!(why, "the file has no private key");
    }

    #[test]
    fn every_file_that_is_missing_or_wrong_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let names = |settings: &TlsSettings| {
            refusals(settings).iter().map(|problem| problem.0).collect::<Vec<_>>()
        };
        let asking = TlsSettings {
            client_auth: ClientAuth::Required,
            client_ca: Some(folder.path().join("ca.pem")),
            ..settings(folder.path())
        };
        assert_eq!(names(&asking), ["certificate", "key", "client_ca"]);
        test_support::certificates::make(folder.path());
        std::fs::write(folder.path().join("ca.pem"), "no PEM").unwrap();
        assert_eq!(names(&asking), ["client_ca"]);
        std::fs::write(folder.path().join("server.pem"), "").unwrap();
        assert_eq!(names(&asking), ["certificate", "client_ca"]);
    }
}
