//! Describes why the address of a database is refused.

/// The reason why an address is refused, and the fix.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct AddressFault {
    pub why: String,
    pub fix: String,
}

impl AddressFault {
    pub fn new(why: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { why: why.into(), fix: fix.into() }
    }
}
