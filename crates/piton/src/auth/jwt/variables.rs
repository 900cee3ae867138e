//! Warns of variables that look like settings of tokens and have no effect.

use super::settings::JwtSettings;
use crate::config::{Config, Section};

/// The variables of Flask-JWT-Extended that no setting is read from, each with what to do instead.
const UNSUPPORTED: [(&str, &str); 6] = [
    ("JWT_CSRF_HEADER_NAME", "set JWT_ACCESS_CSRF_HEADER_NAME and JWT_REFRESH_CSRF_HEADER_NAME"),
    ("JWT_BLACKLIST_ENABLED", "`App::token_revoked` sets the deny-list"),
    (
        "JWT_BLACKLIST_TOKEN_CHECKS",
        "`App::token_revoked` checks both types; `skip_revocation_check` excepts a route",
    ),
    ("JWT_BLACKLIST_STORE", "`App::token_revoked` sets the deny-list"),
    ("JWT_JSON_ENCODER", "tokens are written as JSON, and no encoder can be set"),
    ("JWT_ALLOW_NONE", "tokens without a signature are always refused"),
];

/// Returns a warning for each variable that begins with `JWT_` and has no effect, and for each secret
/// that another variable outranks.
pub(super) fn warnings(config: &Config) -> Vec<String> {
    let section = Section::of::<JwtSettings>("jwt");
    let unread = config.unread_variables(&section, "JWT_").into_iter().map(|unread| {
        let name = &unread.name;
        let place = match unread.origin.variable() {
            Some(variable) if unread.origin.to_string() == variable => String::new(),
            _ => format!(" ({})", unread.origin),
        };
        let unsupported = UNSUPPORTED.iter().find(|(known, _)| known == name);
        match (unsupported, unread.suggestion) {
            (Some((_, instead)), _) => format!("{name}{place} has no effect: {instead}"),
            (None, Some(near)) => {
                format!("{name}{place} is no setting and has no effect: did you mean {near}?")
            }
            (None, None) => format!(
                "{name}{place} is no setting and has no effect: `config jwt` lists the settings"
            ),
        }
    });
    let outranked = config.outranked_variables(&section, "jwt.secret_key").into_iter();
    let outranked = outranked.map(|[first, other]| {
        format!(
            "{first} and {other} have different secrets, and {first} is used: remove one of them, or \
             list the earlier secret in `jwt.previous_secret_keys`"
        )
    });
    unread.chain(outranked).collect()
}
