//! The routes: those that ASHIRT calls, and those for development.

pub(crate) mod dev_routes;
pub mod process;
mod shared_secret;

pub(crate) use shared_secret::ExpectedSecret;
pub use shared_secret::SharedSecretGuard;
