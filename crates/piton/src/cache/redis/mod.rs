//! Values in Redis, shared by all processes of the service.

mod connection;
mod scripts;
mod server;
mod store;

pub(super) use store::Store;

/// True: this build can connect to Redis.
pub(super) const ENABLED: bool = true;
