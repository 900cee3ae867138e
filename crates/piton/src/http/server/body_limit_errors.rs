//! The errors of bodies that are too large, or that the memory budget has no room for.

use std::fmt;
use std::time::Duration;

use http::StatusCode;

use crate::config::ByteSize;
use crate::error::Error;

/// The error of a body for which `http.memory_budget` has no room.
#[derive(Debug)]
pub(crate) struct BudgetExhausted;

impl fmt::Display for BudgetExhausted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("http.memory_budget is used up")
    }
}

impl std::error::Error for BudgetExhausted {}

/// The error of a body that takes more than all of `http.memory_budget`, so that a retry would
/// fail too.
#[derive(Debug)]
pub(crate) struct BodyExceedsBudget;

impl fmt::Display for BodyExceedsBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the body takes more than http.memory_budget allows for one request")
    }
}

impl std::error::Error for BodyExceedsBudget {}

/// The error of a body that is not what its `Content-Encoding` says.
#[derive(Debug)]
pub(crate) struct InvalidCoding(pub std::io::Error);

impl fmt::Display for InvalidCoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "decode the body by its `content-encoding`: {}", self.0)
    }
}

impl std::error::Error for InvalidCoding {}

/// Returns the 503 for a request that finds `http.memory_budget` used up.
#[cold]
pub(crate) fn budget_exhausted() -> Error {
    Error::unavailable("the service has no memory left for this request; try again")
        .retry_after(Duration::from_secs(1))
        .caused_by(BudgetExhausted)
}

/// Returns the 413 for a body above the limit of its route: `http.body_limit`, or that of `#[limits]`.
#[cold]
pub(crate) fn body_above_limit(limit: ByteSize) -> Error {
    let detail = format!("the body is larger than this service accepts: at most {limit}");
    Error::new(StatusCode::PAYLOAD_TOO_LARGE, detail)
}

/// Returns the 413 for a body that takes more than all of `http.memory_budget`.
#[cold]
pub(crate) fn body_too_large() -> Error {
    Error::new(StatusCode::PAYLOAD_TOO_LARGE, "the body is larger than this service accepts")
}
