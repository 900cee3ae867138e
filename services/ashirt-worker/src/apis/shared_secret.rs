//! Who may call: ASHIRT signs nothing, and shows a header if it is configured to.

use piton::axum::http::request::Parts;
use piton::http::{Guard, Operation, Passed};
use piton::prelude::*;

use crate::desk::Desk;

/// Asks for the shared secret, if there is one.
pub(super) struct SharedSecret;

impl Guard for SharedSecret {
    fn describe(&self, operation: &mut Operation) {
        operation.needs::<Desk>();
    }

    fn check<'a>(&'a self, head: &'a mut Parts, app: &'a Handle) -> Passed<'a> {
        Box::pin(async move {
            let desk = app.try_part::<Desk>()?;
            let settings = desk.settings();
            let Some(secret) = settings.shared_secret.get() else { return Ok(()) };
            let name = settings.header().expect("the settings have been checked");
            let shown = head.headers.get(&name).map_or(&[][..], |value| value.as_bytes());
            if is_same(shown, secret.as_bytes()) {
                return Ok(());
            }
            let why = if shown.is_empty() { "missing" } else { "wrong" };
            warn!("Refused a caller: the header {name} is {why}");
            Err(Error::unauthorized(format!("the header {name} is {why}")))
        })
    }
}

/// Compared by their hashes, so that the time it takes says nothing of either, not even of the length.
fn is_same(shown: &[u8], secret: &[u8]) -> bool {
    use aws_lc_rs::constant_time::verify_slices_are_equal;
    use aws_lc_rs::digest::{SHA256, digest};
    verify_slices_are_equal(digest(&SHA256, shown).as_ref(), digest(&SHA256, secret).as_ref())
        .is_ok()
}

#[cfg(test)]
mod tests {
    use super::is_same;

    #[test]
    fn only_the_whole_secret_is_the_secret() {
        assert!(is_same(b"s3cr3t-of-ours", b"s3cr3t-of-ours"));
        for other in ["", "s3cr3t-of-our", "s3cr3t-of-ours ", "S3cr3t-of-ours"] {
            assert!(!is_same(other.as_bytes(), b"s3cr3t-of-ours"), "{other}");
        }
    }
}
