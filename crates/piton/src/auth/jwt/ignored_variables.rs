//! Warns of variables that look like settings of tokens and have no effect.

use super::settings::JwtSettings;
use crate::config::{Config, Origin, Section};

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
    let unread = config.unused_variables(&section, "JWT_").into_iter().map(|unread| {
        let name = &unread.name;
        let place = match &unread.origin {
            origin @ Origin::DotEnv { .. } => format!(" at {origin}"),
            _ => String::new(),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn warned(variables: &[(&'static str, &'static str)]) -> Vec<String> {
        let section = Section::of::<JwtSettings>("jwt");
        let (config, problems) =
            Config::loader("PITON").env(variables.iter().copied()).load(&[&section]);
        assert!(problems.is_empty());
        warnings(&config)
    }

    #[test]
    fn variables_without_effect_are_warned_of_with_what_to_do() {
        for (name, said) in [
            ("JWT_CSRF_HEADER_NAME", "set JWT_ACCESS_CSRF_HEADER_NAME"),
            ("JWT_BLACKLIST_ENABLED", "`App::token_revoked`"),
            ("JWT_BLACKLIST_TOKEN_CHECKS", "skip_revocation_check"),
            ("JWT_HEADERNAME", "did you mean JWT_HEADER_NAME?"),
            ("JWT_HEADER_NAMES", "did you mean JWT_HEADER_NAME?"),
            ("JWT_ISSUER", "did you mean PITON_JWT_ISSUER?"),
            ("JWT_KUBERNETES_CLUSTER_OF_OURS", "`config jwt` lists the settings"),
        ] {
            let warned = warned(&[(name, "hunter2")]);
            assert_eq!(warned.len(), 1, "{name}");
            assert!(warned[0].starts_with(name) && warned[0].contains(said), "{warned:?}");
            assert!(!warned[0].contains("hunter2"), "{warned:?}");
        }
        for (name, value) in [
            ("JWT_SECRET_KEY", "s"),
            ("JWT_SECRET_KEY_FILE", "/none"),
            ("JWT_HEADER_NAME", "X"),
            ("PITON_JWT_ISSUER", "us"),
            ("JWT_PORT", "tcp://10.0.0.1:80"),
            ("JWTS", "x"),
        ] {
            assert_eq!(warned(&[(name, value)]), [""; 0], "{name}");
        }
    }

    #[test]
    fn a_secret_that_another_outranks_is_warned_of() {
        let two = [("PITON_JWT_SECRET_KEY", "hunter1"), ("JWT_SECRET_KEY", "hunter2")];
        let said = warned(&two);
        assert_eq!(said.len(), 1);
        assert!(said[0].starts_with("PITON_JWT_SECRET_KEY and JWT_SECRET_KEY have"), "{said:?}");
        assert!(!said[0].contains("hunter"), "{said:?}");
        let same = [("PITON_JWT_SECRET_KEY", "hunter1"), ("JWT_SECRET_KEY", "hunter1")];
        assert_eq!(warned(&same), [""; 0]);
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "hunter2\n").unwrap();
        let path: &'static str = Box::leak(file.path().display().to_string().into_boxed_str());
        let said = warned(&[("PITON_JWT_SECRET_KEY", "hunter1"), ("JWT_SECRET_KEY_FILE", path)]);
        assert!(said[0].contains("have different secrets"), "{said:?}");
        let said = warned(&[("PITON_JWT_SECRET_KEY", "hunter2"), ("JWT_SECRET_KEY_FILE", path)]);
        assert_eq!(said, [""; 0]);
    }
}
