//! The section `[http.tls]`: the certificate of the public listeners, and the certificates of clients.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::Settings;
use crate::config;
use crate::http::server::tls;

crate::setting_enum! {
    /// The oldest version of TLS that the listeners speak.
    pub enum TlsVersion: default Tls12 {
        /// TLS 1.2 (RFC 5246) and 1.3.
        Tls12 = "1.2",
        /// TLS 1.3 (RFC 8446) alone.
        Tls13 = "1.3",
    }
}

crate::setting_enum! {
    /// Rule for the certificates of clients.
    pub enum ClientAuth: default None {
        /// Clients are not asked for a certificate.
        None = "none",
        /// Clients are asked for a certificate. Connections without one are served; one that does not
        /// verify ends the handshake.
        Optional = "optional",
        /// The handshake fails without a certificate that verifies.
        Required = "required",
    }
}

/// TLS of the public listeners. It is on if `certificate` and `key` are set. Needs the feature `tls`.
#[derive(Clone, Debug, Settings)]
#[setting(check = Self::check)]
pub struct TlsSettings {
    /// The PEM file with the service's certificate, followed by those of the intermediate authorities.
    /// Read again when it changes. **Default: none, which serves plain HTTP.**
    pub certificate: Option<PathBuf>,
    /// The PEM file with the certificate's private key (PKCS #8, PKCS #1 or SEC 1, not encrypted). Read
    /// again when it changes. **Default: none.**
    pub key: Option<PathBuf>,
    /// The oldest version of TLS that is accepted: `1.2` or `1.3`. Raise it if all clients are yours.
    /// **Default: `1.2`.**
    pub min_version: TlsVersion,
    /// Rule for certificates of clients: `none`, `optional` or `required`. `optional` leaves the
    /// decision to handlers, by the argument `Option<ClientCert>`. **Default: `none`.**
    pub client_auth: ClientAuth,
    /// The PEM file with the authorities whose client certificates are accepted. Read again when it
    /// changes. **Default: none.**
    pub client_ca: Option<PathBuf>,
    /// The port of the URLs that `http.redirect_port` sends clients to. Set it if clients connect to
    /// another one than the service listens on. **Default: the port that it listens on.**
    #[setting(min = 1, max = 65535)]
    pub public_port: Option<u16>,
    /// Time between two checks of the files for changes. SIGHUP checks at once. **Default: `10s`.**
    #[setting(min = "100ms", max = "1day")]
    pub reload_interval: Duration,
}

impl Default for TlsSettings {
    fn default() -> Self {
        Self {
            certificate: None,
            key: None,
            min_version: TlsVersion::default(),
            client_auth: ClientAuth::default(),
            client_ca: None,
            public_port: None,
            reload_interval: Duration::from_secs(10),
        }
    }
}

impl TlsSettings {
    /// Returns whether the listeners speak TLS.
    pub(crate) fn is_on(&self) -> bool {
        self.files().is_some()
    }

    /// Returns the files of the certificate and its key, if TLS is on, and that of the authorities, if
    /// clients are asked for certificates.
    pub(crate) fn files(&self) -> Option<(&Path, &Path, Option<&Path>)> {
        let client_ca = self.client_ca.as_deref().filter(|_| self.client_auth != ClientAuth::None);
        Some((self.certificate.as_deref()?, self.key.as_deref()?, client_ca))
    }

    /// Refuses settings that contradict each other, and files that TLS cannot use.
    fn check(&self, reader: &mut config::Reader<'_>) {
        let incomplete = self.incomplete();
        for (name, why, fix) in &incomplete {
            reader.refuse(name, *why, *fix);
        }
        if incomplete.is_empty() {
            for (name, why, fix) in tls::problems(self) {
                reader.refuse(name, why, fix);
            }
        }
    }

    /// Returns the settings that lack another one.
    fn incomplete(&self) -> Vec<(&'static str, &'static str, &'static str)> {
        let mut problems = Vec::new();
        let asks = self.client_auth != ClientAuth::None;
        match (&self.certificate, &self.key) {
            (Some(_), None) => problems.push((
                "certificate",
                "a certificate needs its private key",
                "http.tls.key=FILE as well",
            )),
            (None, Some(_)) => problems.push((
                "key",
                "a private key needs its certificate",
                "http.tls.certificate=FILE as well",
            )),
            (None, None) if asks => problems.push((
                "client_auth",
                "clients show certificates over TLS only",
                "http.tls.certificate=FILE and http.tls.key=FILE as well",
            )),
            _ => {}
        }
        if asks && self.client_ca.is_none() {
            problems.push((
                "client_auth",
                "no authority is named whose certificates are accepted",
                "http.tls.client_ca=FILE as well",
            ));
        }
        if !asks && self.client_ca.is_some() {
            problems.push((
                "client_ca",
                "clients are not asked for certificates",
                "http.tls.client_auth=required, or optional",
            ));
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_lack_another_are_refused_by_name() {
        let some = || Some(PathBuf::from("x.pem"));
        let names = |settings: TlsSettings| {
            settings.incomplete().iter().map(|problem| problem.0).collect::<Vec<_>>()
        };
        let off = TlsSettings::default;
        assert_eq!(names(off()), [""; 0]);
        assert_eq!(names(TlsSettings { certificate: some(), ..off() }), ["certificate"]);
        assert_eq!(names(TlsSettings { key: some(), ..off() }), ["key"]);
        let asks = TlsSettings { client_auth: ClientAuth::Optional, ..off() };
        assert_eq!(names(asks), ["client_auth", "client_auth"]);
        assert_eq!(names(TlsSettings { client_ca: some(), ..off() }), ["client_ca"]);
    }
}
