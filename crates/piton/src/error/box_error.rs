//! The error type of code whose caller only shows or logs the error.

/// An error of any type, with its message and its causes.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
