//! Connections to Redis servers: their addresses in the settings, TLS, Sentinels, and the reasons why a command fails.
//!
//! What is stored there belongs to the modules that use it.

#[cfg(feature = "redis")]
mod redis_failure;
#[cfg(feature = "redis")]
mod redis_server;
mod redis_tls;
mod redis_url;
#[cfg(all(feature = "redis", not(feature = "tasks")))]
mod without_tasks;

#[cfg(feature = "redis")]
pub(crate) use redis_failure::RedisFailure;
#[cfg(feature = "redis")]
pub(crate) use redis_server::{RedisServer, ServerSettings, SettingNames};
pub use redis_tls::RedisTls;
pub use redis_url::RedisUrl;
