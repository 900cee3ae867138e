//! Password hashing with Argon2, compatible with argon2-cffi.
//!
//! Hashes of argon2-cffi are verified here, and hashes made here are verified there: Argon2id, Argon2i
//! and Argon2d, with any costs. A few threads of low priority compute them within a memory budget,
//! never the event loop.
//!
//! ```
//! use piton::auth::password::Passwords;
//! use piton::prelude::*;
//!
//! #[derive(Deserialize, JsonSchema)]
//! struct Login { name: String, password: String }
//!
//! /// Checks the user's password.
//! #[post("/login")]
//! async fn login(passwords: Passwords, Json(login): Json<Login>) -> Result<NoContent> {
//!     let found: Option<String> = stored_hash(&login.name);
//!     match passwords.login(found.as_deref(), &login.password).await {
//!         Ok(()) => Ok(NoContent),
//!         Err(error) if error.is_wrong_password() => {
//!             Err(Error::unauthorized("name or password is wrong"))
//!         }
//!         Err(error) => Err(error.into()), // too many are waiting: 503
//!     }
//! }
//! # fn stored_hash(_: &str) -> Option<String> { None }
//! # fn main() {}
//! ```

mod argon2_parameters;
mod error;
mod hash_pool;
mod metrics;
mod passwords;
mod phc_string;
mod settings;
#[cfg(test)]
mod tests;
mod thread_priority;

pub use argon2_parameters::Argon2Variant;
pub use error::{Error, Kind};
pub use passwords::Passwords;
pub use settings::{Argon2Profile, PasswordEncoding, PasswordSettings};
