//! The routes: those that ASHIRT calls, and those to try the worker with.

pub mod ashirt;
pub(crate) mod dev;
mod shared_secret;

pub(crate) use shared_secret::Expected;
pub use shared_secret::SharedSecret;
