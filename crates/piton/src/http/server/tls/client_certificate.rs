//! The argument `ClientCert`: the certificate that the client of a TLS connection has shown.

use std::fmt;
use std::sync::Arc;

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use chrono::{DateTime, Utc};
use http::request::Parts;
use rustls::pki_types::CertificateDer;

use super::certificate_fields::{CertificateFields, hex};
use crate::error::Error;
use crate::http::routing::operation::{Input, Operation};

/// The certificate of the client, verified against the authorities of `http.tls.client_ca`.
///
/// ```
/// use piton::prelude::*;
/// use piton::http::ClientCert;
///
/// #[get("/whoami")]
/// async fn whoami(client: ClientCert) -> String {
///     client.common_name().unwrap_or("nameless").to_owned()
/// }
/// # fn main() {}
/// ```
///
/// Without a certificate the client gets 403; `Option<ClientCert>` is `None` then. Cheap to clone.
///
/// A certificate says who the client is, not what it may do: compare its names with those that you
/// expect. Certificates that were revoked are accepted until their end, so keep them short-lived.
#[derive(Clone)]
pub struct ClientCert(Arc<ClientCertificate>);

struct ClientCertificate {
    chain: Vec<CertificateDer<'static>>,
    fields: CertificateFields,
}

impl ClientCert {
    /// Returns the certificate at the head of a verified chain.
    pub(super) fn of_chain(chain: &[CertificateDer<'static>]) -> Option<Self> {
        let fields = CertificateFields::parse(chain.first()?)?;
        Some(Self(Arc::new(ClientCertificate { chain: chain.to_vec(), fields })))
    }

    /// Returns the certificate in DER.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        self.chain().next().unwrap_or_default()
    }

    /// Returns the certificates that the client has sent, in DER: its own, then those of intermediate
    /// authorities.
    pub fn chain(&self) -> impl Iterator<Item = &[u8]> {
        self.0.chain.iter().map(|certificate| &**certificate)
    }

    /// Returns the SHA-256 of the certificate in lower-case hexadecimal, as `openssl x509 -fingerprint
    /// -sha256` prints it with colons.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        hex(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, self.der()).as_ref())
    }

    /// Returns the serial number in lower-case hexadecimal. Authorities number their own certificates,
    /// so it identifies one together with its authority only.
    #[must_use]
    pub fn serial(&self) -> &str {
        &self.0.fields.serial
    }

    /// Returns the common name of the subject.
    #[must_use]
    pub fn common_name(&self) -> Option<&str> {
        self.0.fields.common_name.as_deref()
    }

    /// Returns the DNS names of `subjectAltName`.
    #[must_use]
    pub fn dns_names(&self) -> &[String] {
        &self.0.fields.dns_names
    }

    /// Returns the email addresses of `subjectAltName`.
    #[must_use]
    pub fn emails(&self) -> &[String] {
        &self.0.fields.emails
    }

    /// Returns the URIs of `subjectAltName`, such as an identity of SPIFFE.
    #[must_use]
    pub fn uris(&self) -> &[String] {
        &self.0.fields.uris
    }

    /// Returns the end of the certificate's validity.
    #[must_use]
    pub fn not_after(&self) -> DateTime<Utc> {
        self.0.fields.not_after
    }
}

impl fmt::Debug for ClientCert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientCert")
            .field("common_name", &self.common_name())
            .field("dns_names", &self.dns_names())
            .field("serial", &self.serial())
            .finish_non_exhaustive()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for ClientCert {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        let shown = parts.extensions.get::<Self>().cloned();
        shown.ok_or_else(|| Error::forbidden("this needs a client certificate"))
    }
}

impl<S: Send + Sync> OptionalFromRequestParts<S> for ClientCert {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Error> {
        Ok(parts.extensions.get::<Self>().cloned())
    }
}

impl Input for ClientCert {
    fn describe(operation: &mut Operation) {
        operation.error(http::StatusCode::FORBIDDEN, "no client certificate was shown");
    }
}
