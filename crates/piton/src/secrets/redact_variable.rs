//! Redacts the value of an environment variable, of which nothing is known but its name.

use serde_json::Value;

use super::find_secret::matches_pattern;
use super::redact_setting::redact_setting;
use super::redact_text::redact_text;
use super::redacted::REDACTED;
use super::secret_names::name_is_secret;

/// Returns the value of a variable for display: [`REDACTED`] if its name or its value marks a secret, an
/// address without its user and password, and any other value unchanged.
pub(crate) fn redact_variable(name: &str, value: &str) -> String {
    if name_is_secret(name) || matches_pattern(value) {
        return REDACTED.to_owned();
    }
    let safe = redact_as_setting(value);
    // A value in which a sentence's patterns find more is hidden as a whole, because where a secret
    // ends is a guess there: half of one would be shown if the guess is wrong.
    if redact_as_setting(&redact_text(value)) == safe { safe } else { REDACTED.to_owned() }
}

/// Redacts the text as the value of a setting whose name marks no secret.
fn redact_as_setting(text: &str) -> String {
    match redact_setting(false, &Value::from(text)) {
        Value::String(safe) => safe,
        _ => REDACTED.to_owned(),
    }
}
