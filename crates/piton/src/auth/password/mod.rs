//! Passwords, hashed as argon2-cffi hashes them.
//!
//! Hashes that a Flask service made with argon2-cffi are checked here, and those made here are checked
//! there: Argon2id, Argon2i and Argon2d, of any costs. The work is done by few threads of low priority
//! within a budget of memory, never on the event loop.
//!
//! ```
//! use piton::auth::password::Passwords;
//! use piton::prelude::*;
//!
//! #[derive(Deserialize, JsonSchema)]
//! struct Login { name: String, password: String }
//!
//! /// Tells whether the password is that of the user.
//! #[post("/login")]
//! async fn login(passwords: Passwords, Json(login): Json<Login>) -> Result<NoContent> {
//!     let found: Option<String> = stored_hash(&login.name);
//!     match passwords.login(found.as_deref(), &login.password).await {
//!         Ok(()) => Ok(NoContent),
//!         Err(error) if error.is_wrong_password() => {
//!             Err(Error::unauthorized("name or password is wrong"))
//!         }
//!         Err(error) => Err(error.into()), // too many wait: 503
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
