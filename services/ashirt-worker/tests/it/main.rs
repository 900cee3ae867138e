//! The worker through the doors its users use.

#![expect(clippy::unwrap_used, reason = "a test that unwraps fails with the line")]

mod client;
