//! Who is calling: a way in a folder.

#[cfg(feature = "api-key")]
pub mod api_key;
#[cfg(feature = "jwt")]
pub mod jwt;
#[cfg(feature = "password")]
pub mod password;
