//! Authenticates callers by a shared secret in a header, because ASHIRT does not sign its requests
//! to workers.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{Digest, SHA256, digest};
use piton::axum::http::HeaderName;
use piton::axum::http::request::Parts;
use piton::http::{Guard, GuardFuture, Operation};
use piton::prelude::*;

use crate::evidence_queue::EvidenceQueue;
use crate::worker_settings::WorkerSettings;

/// Guard that requires the shared secret, if one is configured.
pub struct SharedSecretGuard;

impl Guard for SharedSecretGuard {
    fn describe(&self, operation: &mut Operation) {
        operation.needs::<EvidenceQueue>();
    }

    fn explain(&self) -> Option<String> {
        Some("ashirt_worker::apis::SharedSecretGuard".to_owned())
    }

    fn check<'a>(&'a self, head: &'a mut Parts, app: &'a Handle) -> GuardFuture<'a> {
        Box::pin(async move {
            let queue = app.try_part::<EvidenceQueue>()?;
            let Some(expected) = queue.expected_secret() else { return Ok(()) };
            let name = &expected.header;
            let sent = head.headers.get(name).map_or(&[][..], |value| value.as_bytes());
            if expected.matches(sent) {
                return Ok(());
            }
            let why = if sent.is_empty() { "missing" } else { "wrong" };
            warn!("Rejected a caller: the header {name} is {why}");
            Err(Error::unauthorized(format!("the header {name} is {why}")))
        })
    }
}

/// The header and the secret that callers have to send.
pub(crate) struct ExpectedSecret {
    header: HeaderName,
    /// SHA-256 of the secret.
    hash: Digest,
}

impl ExpectedSecret {
    /// Creates the expectation of the settings. Returns `None` without a shared secret.
    pub fn from_settings(settings: &WorkerSettings) -> Option<Self> {
        let hash = digest(&SHA256, settings.shared_secret.get()?.as_bytes());
        let header = settings.header().expect("the settings have been checked");
        Some(Self { header, hash })
    }

    /// Compares by hashes in constant time, so that the duration reveals neither content nor
    /// length.
    fn matches(&self, sent: &[u8]) -> bool {
        verify_slices_are_equal(digest(&SHA256, sent).as_ref(), self.hash.as_ref()).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_secret_is_the_secret() {
        let header = HeaderName::from_static("x-shared-secret");
        let expected = ExpectedSecret { header, hash: digest(&SHA256, b"s3cr3t-of-ours") };
        assert!(expected.matches(b"s3cr3t-of-ours"));
        for other in ["", "s3cr3t-of-our", "s3cr3t-of-ours ", "S3cr3t-of-ours"] {
            assert!(!expected.matches(other.as_bytes()), "{other}");
        }
    }
}
