//! Keeps secrets out of log lines, error messages and pages.
//!
//! A secret is recognised by its name ([`name_is_secret`]), by its form ([`contains_secret`]), or because
//! the process knows its value ([`remember_secret`]: every secret setting is remembered when it is read).
//! The `redact_…` functions put `***` in place of it, each in another kind of text.

mod command_lines;
mod find_secret;
mod homoglyphs;
mod known_values;
#[cfg(feature = "panel")]
pub(crate) mod mounted_secret;
mod redact_credentials;
mod redact_setting;
mod redact_text;
mod redact_url;
#[cfg(feature = "panel")]
mod redact_variable;
mod redacted;
pub(crate) mod secret_file;
mod secret_names;
mod token_formats;

pub use self::find_secret::{contains_secret, contains_token};
pub use self::known_values::remember_secret;
pub(crate) use self::known_values::{redact_known_values, remember_setting};
pub(crate) use self::redact_credentials::redact_credentials;
pub(crate) use self::redact_setting::{
    redact_rejected_address, redact_repeated_value, redact_setting,
};
pub(crate) use self::redact_text::redact_text;
pub use self::redact_url::redact_url;
#[cfg(feature = "panel")]
pub(crate) use self::redact_variable::redact_variable;
pub(crate) use self::redacted::REDACTED;
pub use self::secret_names::name_is_secret;
pub(crate) use self::secret_names::{field_is_secret, key_is_secret};
