//! API keys: programs that call a service identify themselves by a key in a header.
//!
//! The simple form is one key, `API_KEY`, with every scope. A service with a database has named keys
//! too, each with scopes and perhaps an expiry; the command `keys` creates, rotates and revokes them.
//! Only the SHA-256 of a key is stored.
//!
//! ```
//! use piton::auth::api_key::ApiKey;
//! use piton::prelude::*;
//!
//! /// Returns the name of the caller.
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
