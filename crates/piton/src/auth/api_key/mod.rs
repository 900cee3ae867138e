//! Keys that programs call with.
//!
//! The simple form is one key, `API_KEY`, that may do everything. With a database there are named keys:
//! each with scopes, perhaps an end, made, replaced and revoked by the verb `keys`. Of a key only its
//! SHA-256 is kept.
//!
//! ```
//! use piton::auth::api_key::ApiKey;
//! use piton::prelude::*;
//!
//! /// Who is calling.
//! #[get("/whoami")]
//! async fn whoami(key: ApiKey) -> Result<String> {
//!     key.require_scope("companies:read")?;
//!     Ok(key.name().unwrap_or("the one key").to_owned())
//! }
//! # fn main() {}
//! ```

mod api_keys;
mod guard;
mod key;
mod metrics;
mod settings;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod stored_keys;
#[cfg(not(any(feature = "sqlite", feature = "postgres")))]
#[path = "stored_keys_disabled.rs"]
mod stored_keys;
#[cfg(test)]
mod tests;

pub use api_keys::ApiKeys;
pub use guard::ApiKeyGuard;
pub use key::ApiKey;
pub use settings::{AnonymousLocalAccess, ApiKeySettings, key_required};
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub use stored_keys::{KeyError, KeyErrorKind, KeyInfo, KeyState, NewKey};
