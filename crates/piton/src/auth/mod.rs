//! Authentication: tokens, passwords, API keys; one folder for each method.

#[cfg(feature = "api-key")]
pub mod api_key;
#[cfg(feature = "jwt")]
pub mod jwt;
#[cfg(feature = "password")]
pub mod password;
