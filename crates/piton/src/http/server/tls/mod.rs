//! TLS of the public listeners, by rustls.
//!
//! Handshakes run in the task of their connection. The certificate is exchanged while connections
//! are open: each keeps the one of its handshake.

mod acceptor;
mod certificate_fields;
mod certificate_files;
pub(crate) mod client_certificate;
mod der;
mod expiry;
mod reload;

pub(crate) use acceptor::{TlsAcceptor, TlsHandshake, TlsStream, problems};
