//! Checks the section `[jwt]` across its fields.

use std::time::Duration;

use http::HeaderName;

use super::algorithm::MIN_SECRET_BYTES;
use super::claims::{FAMILY, RESERVED};
use super::pem;
use super::set_cookies::{is_domain, is_host_cookie, is_secure_cookie};
use super::setting_types::{IdentityClaim, Lifetime, SameSite, TokenLocation};
use super::settings::JwtSettings;
use crate::app::AppSettings;
use crate::config::{self, Origin, Problems, Reader};

/// Headers that HTTP itself, clients or proxies read or write: a token there would be lost, or the
/// request with it.
const HTTP_HEADERS: [&str; 26] = [
    "accept",
    "accept-encoding",
    "age",
    "allow",
    "cache-control",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "cookie",
    "date",
    "etag",
    "expect",
    "host",
    "keep-alive",
    "location",
    "proxy-connection",
    "server",
    "set-cookie",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "vary",
    "via",
    "www-authenticate",
];

/// Maximum number of previous public keys: a token that names none is checked with all of them.
const MAX_PREVIOUS_KEYS: usize = 16;

/// Returns how to replace the secret where it is configured: set in another place, it would be given twice or
/// be outranked.
fn replacement(origin: &Origin) -> String {
    const NEW: &str = "the output of `openssl rand -base64 48`";
    match origin {
        Origin::ValueFile { path, .. } => format!("write {NEW} into {}", path.display()),
        Origin::File { path, .. } => {
            format!("set `jwt.secret_key` in {} to {NEW}", path.display())
        }
        Origin::Flag(flag) if flag == "--set" => {
            format!("pass with `--set jwt.secret_key=` {NEW}")
        }
        Origin::Flag(flag) => format!("pass with {flag} {NEW}"),
        origin => match origin.variable() {
            Some(variable) => format!("set {variable} to {NEW}"),
            None => format!("set `jwt.secret_key` to {NEW}"),
        },
    }
}

impl JwtSettings {
    pub(super) fn check(&self, reader: &mut Reader<'_>) {
        self.check_secrets(reader);
        self.check_keys(reader);
        self.check_times(reader);
        self.check_claims(reader);
        self.check_required_claims(reader);
        self.check_names(reader);
        self.check_cookies(reader);
    }

    fn uses_secret(&self) -> bool {
        self.algorithms().iter().any(|algorithm| algorithm.is_symmetric())
    }

    /// Refuses production without a secret, or with one that can be found by trying. Previous secrets
    /// are checked too, because tokens signed with them are accepted.
    fn check_secrets(&self, from: &mut Reader<'_>) {
        if self.secrets().any(|(key, secret)| key != "secret_key" && secret.trim().is_empty()) {
            let why = "one of them is empty: anybody could sign with it";
            let fix = "remove the extra comma, or write a list in a file";
            from.refuse("previous_secret_keys", why, fix);
        }
        if !self.uses_secret() {
            return;
        }
        let public = self.secrets().find(|(_, secret)| pem::is_pem(secret)).map(|(key, _)| key);
        if let Some(key) = public {
            let why = "the text of a key (PEM): whoever has the public key could sign";
            from.refuse(key, why, "set `jwt.algorithm` to the algorithm of the key");
        }
        let config = from.config();
        let app: AppSettings = config.read("", &mut Problems::new());
        if !app.in_production() {
            return;
        }
        let variable = |key: &str| config::variable(config.prefix(), key);
        if self.secret_key.is_none() && !from.has_problem("secret_key") {
            let variable = variable("jwt.secret_key");
            let why = format!(
                "Environment variable \"{variable}\" does not exist. Production makes no secret of its own"
            );
            let fix = format!(
                "{variable} or JWT_SECRET_KEY, 32 random characters as `openssl rand -base64 32` prints them"
            );
            from.refuse("secret_key", why, fix);
        }
        if self.allow_short_secret {
            return;
        }
        let allow = variable("jwt.allow_short_secret");
        let replace = replacement(&config.origin("jwt.secret_key"));
        for (key, secret) in self.secrets().filter(|(_, it)| it.len() < MIN_SECRET_BYTES) {
            let length = secret.len();
            let why = format!(
                "a secret of {length} bytes: production needs at least {MIN_SECRET_BYTES}, as a shorter \
                 one can be found by trying"
            );
            let fix = match key {
                "secret_key" => format!(
                    "{replace}; while other services still have the old one, set {allow}=true"
                ),
                _ => format!(
                    "remove it, or set {allow}=true until the tokens signed with it have expired"
                ),
            };
            from.refuse(key, why, fix);
        }
    }

    fn check_keys(&self, reader: &mut Reader<'_>) {
        let keys = [
            ("private_key_file", self.private_key_file.is_some()),
            ("private_key", self.private_key.is_some()),
            ("public_key_file", self.public_key_file.is_some()),
            ("public_key", self.public_key.is_some()),
            ("previous_public_key_files", !self.previous_public_key_files.is_empty()),
        ];
        let signs_with_secret = self.algorithm.is_symmetric();
        let only_secrets = self.algorithms().iter().all(|algorithm| algorithm.is_symmetric());
        for (key, _) in keys.into_iter().filter(|(_, is_set)| *is_set) {
            if only_secrets || (signs_with_secret && key.starts_with("private")) {
                let why = format!("{} signs with `jwt.secret_key`", self.algorithm);
                let fix = "remove it, or set `jwt.algorithm` to the algorithm of the key";
                reader.refuse(key, why, fix);
            }
        }
        for (file, text) in [(0, 1), (2, 3)] {
            if keys[file].1 && keys[text].1 {
                let why = format!("`jwt.{}` is set too", keys[file].0);
                reader.refuse(keys[text].0, why, "set one of them");
            }
        }
        if !signs_with_secret && !keys.iter().any(|(_, is_set)| *is_set) {
            let why = format!("{} needs a key, and none is configured", self.algorithm);
            reader.refuse("private_key_file", why, "set it to the path of a PEM file");
        }
        self.check_previous_keys(reader);
    }

    fn check_previous_keys(&self, reader: &mut Reader<'_>) {
        const KEY: &str = "previous_public_key_files";
        if self.previous_public_key_files.len() > MAX_PREVIOUS_KEYS {
            let why = format!(
                "at most {MAX_PREVIOUS_KEYS} are allowed, as a token without `kid` is checked with each of them"
            );
            reader.refuse(KEY, why, "remove keys whose tokens have expired");
        }
        let mut ids: Vec<&str> = self.key_id.iter().map(String::as_str).collect();
        for entry in &self.previous_public_key_files {
            let (id, path) = entry.split_once('=').unwrap_or(("-", entry));
            if id.trim().is_empty() || path.trim().is_empty() {
                let why = "an entry has no name or no path";
                reader.refuse(KEY, why, "write a path, or `kid=path`");
            } else if entry.contains('=') && ids.contains(&id.trim()) {
                let why = format!("two keys have the `kid` {}", id.trim());
                reader.refuse(KEY, why, "give each key its own");
            } else if entry.contains('=') {
                ids.push(id.trim());
            }
        }
    }

    fn check_times(&self, reader: &mut Reader<'_>) {
        let access = match self.access_token_expires_minutes {
            Some(_) => "access_token_expires_minutes",
            None => "access_token_expires",
        };
        let lifetimes = [
            (access, self.access_expires()),
            ("refresh_token_expires", self.refresh_token_expires),
        ];
        for (key, lifetime) in lifetimes {
            let Lifetime::Expires(duration) = lifetime else { continue };
            if duration.is_zero() {
                let why = "tokens would expire at once";
                reader.refuse(key, why, "set a duration such as `15m`, or `never`");
            } else if duration < Duration::from_secs(1) {
                let why = "times in tokens are whole seconds";
                reader.refuse(key, why, "set a duration such as `15m`");
            }
        }
    }

    fn check_claims(&self, reader: &mut Reader<'_>) {
        let fix = "choose another name";
        if let IdentityClaim::Named(name) = &self.identity_claim
            && RESERVED.contains(&name.as_str())
        {
            reader.refuse("identity_claim", "this claim is reserved", fix);
        }
        if let Some(name) = &self.user_claims {
            let (first, second) = self.identity_claim.names();
            // Refused, because PyJWT refuses a `sub` that is not text, and version 3 reads the caller from
            // `identity`.
            let is_taken = RESERVED.contains(&name.as_str())
                || ["sub", "identity"].contains(&name.as_str())
                || name == first
                || second.is_some_and(|second| name == second);
            if is_taken {
                reader.refuse("user_claims", "this claim is reserved", fix);
            }
        }
    }

    /// Refuses claims that no token made here has: the service would refuse its own tokens.
    fn check_required_claims(&self, reader: &mut Reader<'_>) {
        // Not checked, because a service with only a public key makes no tokens.
        let has_private = self.private_key_file.is_some() || self.private_key.is_some();
        if !(self.algorithm.is_symmetric() || has_private) {
            return;
        }
        let never = [self.access_expires(), self.refresh_token_expires].contains(&Lifetime::Never);
        let has_issuer = self.issuer_to_write().is_some() || self.decode_issuer.is_some();
        let has_audience =
            !(self.audience_to_write().is_empty() && self.decode_audience.is_empty());
        for name in self.required_claims.iter().flatten() {
            let (why, fix) = match name.as_str() {
                "exp" if never => (
                    "`exp` is required, and tokens that never expire have none",
                    "leave `exp` out, or set `jwt.access_token_expires` and `jwt.refresh_token_expires`",
                ),
                "iss" if !has_issuer => (
                    "`iss` is required, and no issuer is set",
                    "set `jwt.issuer`, or leave `iss` out",
                ),
                "aud" if !has_audience => (
                    "`aud` is required, and no audience is set",
                    "set `jwt.audience`, or leave `aud` out",
                ),
                "nbf" if !self.encode_nbf => (
                    "`nbf` is required, and `jwt.encode_nbf` is off",
                    "set `jwt.encode_nbf` to `true`, or leave `nbf` out",
                ),
                "csrf" if !self.cookie_csrf_protect => (
                    "`csrf` is required, and `jwt.cookie_csrf_protect` is off",
                    "set `jwt.cookie_csrf_protect` to `true`, or leave `csrf` out",
                ),
                FAMILY => ("only renewed tokens have `piton_family`", "leave `piton_family` out"),
                _ => continue,
            };
            let why = format!("{why}: the service would refuse its own tokens");
            reader.refuse("required_claims", why, fix);
        }
    }

    /// Returns the fix that switches the protection against cross-site requests off.
    fn no_csrf_fix(&self, reader: &Reader<'_>) -> String {
        let variable = config::variable(reader.config().prefix(), "jwt.cookie_csrf_protect");
        format!(
            "list methods such as `POST`, or, to switch the protection off, set \
             `jwt.cookie_csrf_protect=false` ({variable}=false)"
        )
    }

    fn check_names(&self, reader: &mut Reader<'_>) {
        if self.location.is_empty() {
            reader.refuse(
                "location",
                "the list is empty, so no token would be found",
                "location = [\"headers\"]",
            );
        }
        if (1..self.location.len()).any(|at| self.location[..at].contains(&self.location[at])) {
            reader.refuse("location", "a location is listed twice", "remove one");
        }
        for (key, name) in [
            ("header_name", &self.header_name),
            ("access_csrf_header_name", &self.access_csrf_header_name),
            ("refresh_csrf_header_name", &self.refresh_csrf_header_name),
        ] {
            let fix = "write a name such as `X-Token`";
            if HeaderName::from_bytes(name.as_bytes()).is_err() {
                reader.refuse(key, "not the name of a header", fix);
            } else if HTTP_HEADERS.iter().any(|own| name.eq_ignore_ascii_case(own)) {
                reader.refuse(key, "this header has a meaning of its own in HTTP", fix);
            }
        }
        let scheme = self.header_type.as_str();
        if !(scheme.is_empty() || is_token(scheme)) {
            let why = "not a single word";
            reader.refuse("header_type", why, "set `Bearer`, or leave it empty");
        }
        for (key, name) in [
            ("query_string_name", &self.query_string_name),
            ("json_key", &self.json_key),
            ("refresh_json_key", &self.refresh_json_key),
            ("access_csrf_field_name", &self.access_csrf_field_name),
            ("refresh_csrf_field_name", &self.refresh_csrf_field_name),
        ] {
            if name.is_empty() || name.chars().any(char::is_control) {
                reader.refuse(key, "not a name", "write a name such as `token`");
            }
        }
        for (key, text) in [
            ("error_message_key", &self.error_message_key),
            ("key_id", &self.key_id),
            ("user_claims", &self.user_claims),
        ] {
            if text.as_ref().is_some_and(|text| text.chars().any(char::is_control)) {
                reader.refuse(key, "it has control characters", "write a plain name");
            }
        }
        if self.cookie_csrf_protect && self.csrf_methods.0.is_empty() {
            let why = "without methods no request is protected";
            reader.refuse("csrf_methods", why, self.no_csrf_fix(reader));
        }
    }

    fn check_cookies(&self, reader: &mut Reader<'_>) {
        self.check_cookie_names(reader);
        self.check_cookie_paths(reader);
        let domain = self.cookie_domain.as_deref().unwrap_or_default();
        if ["none", "null", "false"].iter().any(|it| domain.eq_ignore_ascii_case(it)) {
            let why = "this is a word of Python's or JSON's, and would be sent as a domain";
            reader.refuse("cookie_domain", why, "remove it: without it there is no domain");
        } else if !self.cookie_domain.as_ref().is_none_or(|domain| is_domain(domain)) {
            reader.refuse("cookie_domain", "not a domain", "cookie_domain = \"example.org\"");
        }
        if self.cookie_samesite == SameSite::None && self.cookie_secure == Some(false) {
            let why = "browsers refuse cookies with SameSite=None that are not Secure";
            reader.refuse("cookie_secure", why, "cookie_secure = true");
        }
    }

    fn check_cookie_names(&self, reader: &mut Reader<'_>) {
        let cookies = [
            ("access_cookie_name", &self.access_cookie_name, &self.access_cookie_path),
            ("refresh_cookie_name", &self.refresh_cookie_name, &self.refresh_cookie_path),
            (
                "access_csrf_cookie_name",
                &self.access_csrf_cookie_name,
                &self.access_csrf_cookie_path,
            ),
            (
                "refresh_csrf_cookie_name",
                &self.refresh_csrf_cookie_name,
                &self.refresh_csrf_cookie_path,
            ),
        ];
        for (index, (key, name, path)) in cookies.iter().enumerate() {
            if !is_token(name) {
                reader.refuse(key, "not the name of a cookie", "write a name such as `token`");
            } else if cookies[..index].iter().any(|(_, other, _)| other == name) {
                reader.refuse(key, "another cookie has this name", "choose different names");
            }
            // Refused here because browsers drop such cookies silently (RFC 6265bis, section 4.1.3), whatever
            // the case of the prefix (section 5.7).
            if is_host_cookie(name) && (self.cookie_domain.is_some() || path.as_str() != "/") {
                let why = "a cookie with this prefix must have the path `/` and no domain";
                reader.refuse(key, why, "remove `__Host-`, or set the path `/` and no domain");
            }
            if is_secure_cookie(name) && self.cookie_secure == Some(false) {
                let why = "a cookie with this prefix must be Secure";
                reader.refuse(key, why, "cookie_secure = true");
            }
        }
    }

    fn check_cookie_paths(&self, reader: &mut Reader<'_>) {
        for (key, path) in [
            ("access_cookie_path", &self.access_cookie_path),
            ("refresh_cookie_path", &self.refresh_cookie_path),
            ("access_csrf_cookie_path", &self.access_csrf_cookie_path),
            ("refresh_csrf_cookie_path", &self.refresh_csrf_cookie_path),
        ] {
            let is_plain = |byte: u8| byte.is_ascii_graphic() && byte != b';';
            if !path.starts_with('/') || !path.bytes().all(is_plain) {
                reader.refuse(key, "not a path", "write a path such as `/`");
            }
        }
    }

    /// Returns whether `jwt.location` includes cookies.
    pub(super) fn in_cookies(&self) -> bool {
        self.location.contains(&TokenLocation::Cookies)
    }
}

/// Returns whether the text is a token of HTTP (RFC 9110, section 5.6.2), as names of cookies are.
fn is_token(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(is_plain)
}
