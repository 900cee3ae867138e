//! Tokens that identify the caller: JSON Web Tokens, as Flask-JWT-Extended 3 and 4 write and read them.
//!
//! A service of Python and one of Piton with the same secret take each other's tokens, so that a
//! route can move from one to the other while its clients keep what they have.
//!
//! ```
//! use piton::prelude::*;
//!
//! #[derive(Deserialize, JsonSchema)]
//! struct Login { email: String }
//!
//! #[derive(Serialize, JsonSchema)]
//! struct Token { token: String }
//!
//! #[post("/user/login")]
//! async fn login(tokens: Tokens, Json(login): Json<Login>) -> Result<Json<Token>> {
//!     // .. after the password has been checked
//!     let token = tokens.access(login.email).fresh().sign()?;
//!     Ok(Json(Token { token }))
//! }
//!
//! #[get("/user/me")]
//! async fn me(who: Identity) -> String {
//!     who.subject().to_owned()
//! }
//!
//! #[delete("/user/me")]
//! #[protected(fresh)] // only shortly after a login
//! async fn leave() -> NoContent { NoContent }
//! # fn main() {}
//! ```
//!
//! Refusals are 401 with `WWW-Authenticate` and the messages of Flask-JWT-Extended; with
//! `http.error_style` `gnar` with status 200 and `{"error": ".."}`, as Gnar Gear does.

mod algorithm;
mod claims;
mod claims_validation;
mod csrf;
mod current_caller;
mod development_secret;
mod exact_number_claims;
mod found_token;
mod guard;
mod handler_arguments;
mod identity;
mod ignored_variables;
mod keys;
mod new_token;
mod openapi;
mod pem;
mod refusal;
mod set_cookies;
mod setting_types;
mod settings;
mod settings_check;
#[cfg(test)]
mod tests;
mod token_hooks;
mod token_in_body;
mod token_lookup;
mod token_reader;
mod tokens;

pub use algorithm::JwtAlgorithm;
pub use claims::{Claims, TokenType};
pub use guard::TokenGuard;
pub use identity::{CurrentUser, Identity};
pub use new_token::NewToken;
pub use refusal::{Refusal, RefusalKind};
pub use set_cookies::TokenCookies;
pub use setting_types::{
    CsrfMethods, FlaskVersion, IdentityClaim, KeyText, Leeway, Lifetime, SameSite, TokenLocation,
};
pub use settings::JwtSettings;
pub use token_reader::TokenReader;
pub use tokens::Tokens;
