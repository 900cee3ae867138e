//! The section `[jwt]`.

use std::path::PathBuf;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use super::algorithm::JwtAlgorithm;
use super::values::{
    FlaskVersion, IdentityClaim, KeyText, Leeway, Lifetime, SameSite, TokenLocation,
};

/// Minimum length of a secret in production: 256 random bits cannot be found by trying, whatever
/// the hash.
pub(super) const MIN_SECRET_BYTES: usize = 32;

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Tokens that name the caller: JSON Web Tokens, as Flask-JWT-Extended's. Its variables
/// (`JWT_HEADER_NAME`, ..) are read too where they mean the same.
#[derive(Clone, Debug, piton_macros::Settings)]
#[setting(check = Self::check)]
pub struct JwtSettings {
    /// The secret that tokens are signed with (HS256, HS384, HS512), the same in every service that
    /// takes them; at least 32 characters from a random source (48 for HS384, 64 for HS512). Production
    /// refuses a shorter one than 32.
    /// **Default: in development one that is made and kept in the data folder; production needs one.**
    #[setting(alias = "JWT_SECRET_KEY")]
    pub secret_key: Option<SecretString>,

    /// Secrets of before, whose tokens are still taken: what `secret_key` was, until the last token
    /// signed with it has expired. **Default: none.**
    pub previous_secret_keys: Vec<SecretString>,

    /// Whether production takes secrets of less than 32 bytes. Such a secret can be found by trying, from
    /// one token. Set it only for the time of a migration, while services that have the old secret still
    /// run. **Default: `false`.**
    pub allow_short_secret: bool,

    /// How tokens are signed: `HS256`, `HS384`, `HS512` with the secret; `RS256` to `RS512`, `PS256` to
    /// `PS512`, `ES256`, `ES384`, `ES512`, `EdDSA` with a private key. Tokens signed otherwise are
    /// refused, unless `decode_algorithms` names their algorithm. **Default: `HS256`.**
    #[setting(alias = "JWT_ALGORITHM")]
    pub algorithm: JwtAlgorithm,

    /// Further algorithms whose tokens are accepted, each with a key of its kind: the secrets, or one of
    /// the public keys. **Default: none.**
    #[setting(alias = "JWT_DECODE_ALGORITHMS")]
    pub decode_algorithms: Vec<JwtAlgorithm>,

    /// The file with the private key (PEM) to sign with, for the algorithms that have two keys. Without
    /// a private key the service accepts tokens and makes none. **Default: none.**
    #[setting(alias = "JWT_PRIVATE_KEY_FILE")]
    pub private_key_file: Option<PathBuf>,

    /// The private key itself (PEM), instead of its file. In a variable of one line, `\n` ends a line.
    /// **Default: none.**
    #[setting(alias = "JWT_PRIVATE_KEY")]
    pub private_key: Option<KeyText>,

    /// The file with the public key (PEM) to check with. **Default: none; the private key's own.**
    #[setting(alias = "JWT_PUBLIC_KEY_FILE")]
    pub public_key_file: Option<PathBuf>,

    /// The public key itself (PEM), instead of its file. **Default: none; the private key's own.**
    #[setting(alias = "JWT_PUBLIC_KEY")]
    pub public_key: Option<KeyText>,

    /// Public keys whose tokens are accepted too, each a path (PEM) or `kid=path`: those of before, of
    /// the next change of keys, or of other services. A token whose `kid` is one of these, or `key_id`,
    /// is checked with that key alone. At most 16. **Default: none.**
    pub previous_public_key_files: Vec<String>,

    /// The `kid` in the header of the tokens made here, which names their key. **Default: none.**
    pub key_id: Option<String>,

    /// How long an access token is valid: a duration, a number of seconds, or `never` (also `false`).
    /// **Default: `15m`.**
    #[setting(alias = "JWT_ACCESS_TOKEN_EXPIRES")]
    pub access_token_expires: Lifetime,

    /// The same in minutes, for the environment of a Gnar Gear service; it outranks the one above.
    /// **Default: none.**
    #[setting(max = 52_560_000)]
    pub access_token_expires_minutes: Option<u32>,

    /// How long a refresh token is valid, as above. **Default: `30days`.**
    #[setting(alias = "JWT_REFRESH_TOKEN_EXPIRES")]
    pub refresh_token_expires: Lifetime,

    /// By how much clocks may differ when `exp`, `nbf` and `iat` are looked at: a number of seconds, or
    /// a duration of up to `1day`. **Default: `0s`.**
    #[setting(alias = "JWT_DECODE_LEEWAY")]
    pub leeway: Leeway,

    /// Whether the tokens made here have the claim `nbf`. **Default: `true`.**
    #[setting(alias = "JWT_ENCODE_NBF")]
    pub encode_nbf: bool,

    /// Whether a `sub` that is no text is refused, as Flask-JWT-Extended 4.7 does. Version 3 writes
    /// numbers. **Default: `false`.**
    #[setting(alias = "JWT_VERIFY_SUB")]
    pub verify_sub: bool,

    /// The claim that names the caller: `sub` (Flask-JWT-Extended 4), `identity` (3), any other name, or
    /// `both`, which writes `sub` and `identity`, reads either, and refuses a token in which they differ.
    /// **Default: `both`.**
    #[setting(alias = "JWT_IDENTITY_CLAIM")]
    pub identity_claim: IdentityClaim,

    /// The claim under which further claims stand, as in version 3 of Flask-JWT-Extended (`user_claims`).
    /// **Default: none; they stand beside the others, as in version 4.**
    #[setting(alias = "JWT_USER_CLAIMS")]
    pub user_claims: Option<String>,

    /// Whether refresh tokens have the claims of `App::token_claims` too. **Default: `true`, as in
    /// version 4; `false` with `user_claims`, as in version 3.**
    #[setting(alias = "JWT_CLAIMS_IN_REFRESH_TOKEN")]
    pub claims_in_refresh_token: Option<bool>,

    /// Claims without which a token is refused, besides the one that names the caller; `[]` for none.
    /// **Default: `exp` (unless tokens never expire), `jti`, `type`; with `http.error_style` `gnar` none,
    /// as Gnar Gear requires none.**
    pub required_claims: Option<Vec<String>>,

    /// The `iss` of the tokens made here, and the only one that is accepted. **Default: none.**
    pub issuer: Option<String>,

    /// The `iss` of the tokens made here, where it is not `issuer`. **Default: `issuer`.**
    #[setting(alias = "JWT_ENCODE_ISSUER")]
    pub encode_issuer: Option<String>,

    /// The `iss` that is accepted, where it is not `issuer`. **Default: `issuer`.**
    #[setting(alias = "JWT_DECODE_ISSUER")]
    pub decode_issuer: Option<String>,

    /// The `aud` of the tokens made here; a token for others is refused. **Default: none.**
    pub audience: Vec<String>,

    /// The `aud` of the tokens made here, where it is not `audience`. **Default: `audience`.**
    #[setting(alias = "JWT_ENCODE_AUDIENCE")]
    pub encode_audience: Vec<String>,

    /// The `aud` that is accepted, where it is not `audience`. **Default: `audience`.**
    #[setting(alias = "JWT_DECODE_AUDIENCE")]
    pub decode_audience: Vec<String>,

    /// Where a token is looked for, in this order: `headers`, `cookies`, `query_string`, `json`.
    /// `#[protected(locations = [..])]` says it for one route. **Default: `headers`.**
    #[setting(alias = "JWT_TOKEN_LOCATION")]
    pub location: Vec<TokenLocation>,

    /// The header that a token is looked for in. **Default: `Authorization`.**
    #[setting(alias = "JWT_HEADER_NAME")]
    pub header_name: String,

    /// The word before the token in its header; empty for a token that stands alone.
    /// **Default: `Bearer`.**
    #[setting(alias = "JWT_HEADER_TYPE")]
    pub header_type: String,

    /// The parameter of the query that a token is looked for in. Queries are not logged, but browsers
    /// keep them: prefer the other locations. **Default: `jwt`.**
    #[setting(alias = "JWT_QUERY_STRING_NAME")]
    pub query_string_name: String,

    /// The text before the token in the query. **Default: none.**
    #[setting(alias = "JWT_QUERY_STRING_VALUE_PREFIX")]
    pub query_string_value_prefix: String,

    /// The member of a JSON body that an access token is looked for in. **Default: `access_token`.**
    #[setting(alias = "JWT_JSON_KEY")]
    pub json_key: String,

    /// The member of a JSON body that a refresh token is looked for in. **Default: `refresh_token`.**
    #[setting(alias = "JWT_REFRESH_JSON_KEY")]
    pub refresh_json_key: String,

    /// Whether the response to a request with a valid token in its header has a new token in the same
    /// header, so that whoever goes on working stays logged in. It is valid for as long as the one that
    /// was shown. Without it clients use refresh tokens.
    /// **Default: `true` with `http.error_style` `gnar`, as Gnar Gear does, otherwise `false`.**
    pub renew: Option<bool>,

    /// The member of the body in which refusals have their message, such as `msg`: refusals then have
    /// the form and the statuses of Flask-JWT-Extended 4, with 422 for invalid tokens.
    /// **Default: none; refusals are problem documents with 401.**
    #[setting(alias = "JWT_ERROR_MESSAGE_KEY")]
    pub error_message_key: Option<String>,

    /// The version of Flask-JWT-Extended whose messages refusals have where `3` and `4` differ, such as
    /// "Only access tokens are allowed". With `error_message_key` the status goes along: an
    /// `Authorization` header of another scheme is 422 in `3` and 401 in `4`.
    /// **Default: `4` with `error_message_key`, else `3`.**
    pub flask_version: Option<FlaskVersion>,

    /// The name of the cookie with the access token. **Default: `access_token_cookie`.**
    #[setting(alias = "JWT_ACCESS_COOKIE_NAME")]
    pub access_cookie_name: String,

    /// The name of the cookie with the refresh token. **Default: `refresh_token_cookie`.**
    #[setting(alias = "JWT_REFRESH_COOKIE_NAME")]
    pub refresh_cookie_name: String,

    /// The path below which browsers send the access token. **Default: `/`.**
    #[setting(alias = "JWT_ACCESS_COOKIE_PATH")]
    pub access_cookie_path: String,

    /// The path below which browsers send the refresh token. **Default: `/`.**
    #[setting(alias = "JWT_REFRESH_COOKIE_PATH")]
    pub refresh_cookie_path: String,

    /// Whether browsers send the cookies by HTTPS only. **Default: `false` in development, `true` in
    /// production.**
    #[setting(alias = "JWT_COOKIE_SECURE")]
    pub cookie_secure: Option<bool>,

    /// Whether browsers send the cookies when another site leads to this one: `strict`, `lax`,
    /// `none`; `unset` leaves it to the browser, as Flask-JWT-Extended's default does.
    /// **Default: `lax`.**
    #[setting(alias = "JWT_COOKIE_SAMESITE")]
    pub cookie_samesite: SameSite,

    /// The domain of the cookies. **Default: none, which means this host alone.**
    #[setting(alias = "JWT_COOKIE_DOMAIN")]
    pub cookie_domain: Option<String>,

    /// Whether the cookies end with the browser, and not with their token. **Default: `true`.**
    #[setting(alias = "{prefix}_JWT_COOKIE_SESSION", alias = "JWT_SESSION_COOKIE")]
    pub session_cookie: bool,

    /// Whether a request that changes something and has its token in a cookie must show, in its
    /// header `X-CSRF-TOKEN`, what stands in the cookie `csrf_access_token`. **Default: `true`.**
    #[setting(alias = "{prefix}_JWT_COOKIE_CSRF", alias = "JWT_COOKIE_CSRF_PROTECT")]
    pub cookie_csrf_protect: bool,

    /// Whether there are cookies with what pages have to show. Without them a login hands out
    /// `Tokens::csrf_token` some other way. **Default: `true`.**
    #[setting(alias = "JWT_CSRF_IN_COOKIES")]
    pub csrf_in_cookies: bool,

    /// Whether a form (`application/x-www-form-urlencoded`) may show it in a field instead of the
    /// header. **Default: `false`.**
    #[setting(alias = "JWT_CSRF_CHECK_FORM")]
    pub csrf_check_form: bool,

    /// The methods that change something. **Default: `POST`, `PUT`, `PATCH`, `DELETE`.**
    #[setting(alias = "JWT_CSRF_METHODS")]
    pub csrf_methods: Vec<String>,

    /// The name of the cookie with what pages show with an access token. **Default: `csrf_access_token`.**
    #[setting(alias = "JWT_ACCESS_CSRF_COOKIE_NAME")]
    pub access_csrf_cookie_name: String,

    /// The name of the cookie with what pages show with a refresh token.
    /// **Default: `csrf_refresh_token`.**
    #[setting(alias = "JWT_REFRESH_CSRF_COOKIE_NAME")]
    pub refresh_csrf_cookie_name: String,

    /// The path of the pages that read `access_csrf_cookie_name`. **Default: `/`.**
    #[setting(alias = "JWT_ACCESS_CSRF_COOKIE_PATH")]
    pub access_csrf_cookie_path: String,

    /// The path of the pages that read `refresh_csrf_cookie_name`. **Default: `/`.**
    #[setting(alias = "JWT_REFRESH_CSRF_COOKIE_PATH")]
    pub refresh_csrf_cookie_path: String,

    /// The header in which a page shows it with an access token. **Default: `X-CSRF-TOKEN`.**
    #[setting(alias = "JWT_ACCESS_CSRF_HEADER_NAME")]
    pub access_csrf_header_name: String,

    /// The header in which a page shows it with a refresh token. **Default: `X-CSRF-TOKEN`.**
    #[setting(alias = "JWT_REFRESH_CSRF_HEADER_NAME")]
    pub refresh_csrf_header_name: String,

    /// The field of a form that shows it with an access token. **Default: `csrf_token`.**
    #[setting(alias = "JWT_ACCESS_CSRF_FIELD_NAME")]
    pub access_csrf_field_name: String,

    /// The field of a form that shows it with a refresh token. **Default: `csrf_token`.**
    #[setting(alias = "JWT_REFRESH_CSRF_FIELD_NAME")]
    pub refresh_csrf_field_name: String,
}

impl Default for JwtSettings {
    fn default() -> Self {
        Self {
            secret_key: None,
            previous_secret_keys: Vec::new(),
            allow_short_secret: false,
            algorithm: JwtAlgorithm::default(),
            decode_algorithms: Vec::new(),
            private_key_file: None,
            private_key: None,
            public_key_file: None,
            public_key: None,
            previous_public_key_files: Vec::new(),
            key_id: None,
            access_token_expires: Lifetime::Expires(15 * MINUTE),
            access_token_expires_minutes: None,
            refresh_token_expires: Lifetime::Expires(30 * DAY),
            leeway: Leeway::default(),
            encode_nbf: true,
            verify_sub: false,
            identity_claim: IdentityClaim::default(),
            user_claims: None,
            claims_in_refresh_token: None,
            required_claims: None,
            issuer: None,
            encode_issuer: None,
            decode_issuer: None,
            audience: Vec::new(),
            encode_audience: Vec::new(),
            decode_audience: Vec::new(),
            location: vec![TokenLocation::Headers],
            header_name: "Authorization".into(),
            header_type: "Bearer".into(),
            query_string_name: "jwt".into(),
            query_string_value_prefix: String::new(),
            json_key: "access_token".into(),
            refresh_json_key: "refresh_token".into(),
            renew: None,
            error_message_key: None,
            flask_version: None,
            access_cookie_name: "access_token_cookie".into(),
            refresh_cookie_name: "refresh_token_cookie".into(),
            access_cookie_path: "/".into(),
            refresh_cookie_path: "/".into(),
            cookie_secure: None,
            cookie_samesite: SameSite::default(),
            cookie_domain: None,
            session_cookie: true,
            cookie_csrf_protect: true,
            csrf_in_cookies: true,
            csrf_check_form: false,
            csrf_methods: ["POST", "PUT", "PATCH", "DELETE"].map(String::from).into(),
            access_csrf_cookie_name: "csrf_access_token".into(),
            refresh_csrf_cookie_name: "csrf_refresh_token".into(),
            access_csrf_cookie_path: "/".into(),
            refresh_csrf_cookie_path: "/".into(),
            access_csrf_header_name: "X-CSRF-TOKEN".into(),
            refresh_csrf_header_name: "X-CSRF-TOKEN".into(),
            access_csrf_field_name: "csrf_token".into(),
            refresh_csrf_field_name: "csrf_token".into(),
        }
    }
}

impl JwtSettings {
    /// Returns how long an access token is valid.
    #[must_use]
    pub fn access_expires(&self) -> Lifetime {
        self.access_token_expires_minutes
            .map_or(self.access_token_expires, |minutes| Lifetime::Expires(minutes * MINUTE))
    }

    /// Returns the algorithms of the tokens that are accepted, each once.
    pub(super) fn algorithms(&self) -> Vec<JwtAlgorithm> {
        let mut all = vec![self.algorithm];
        for algorithm in &self.decode_algorithms {
            if !all.contains(algorithm) {
                all.push(*algorithm);
            }
        }
        all
    }

    /// Returns the audience of the tokens made here.
    pub(super) fn audience_to_write(&self) -> &[String] {
        let own = &self.encode_audience;
        if own.is_empty() { &self.audience } else { own }
    }

    /// Returns the audience of the tokens that are accepted.
    pub(super) fn audience_to_accept(&self) -> &[String] {
        let own = &self.decode_audience;
        if own.is_empty() { &self.audience } else { own }
    }

    /// Returns the issuer of the tokens made here.
    pub(super) fn issuer_to_write(&self) -> Option<&str> {
        self.encode_issuer.as_deref().or(self.issuer.as_deref())
    }

    /// Returns the setting that holds the private key.
    pub(super) const fn private_setting(&self) -> &'static str {
        match (&self.private_key_file, &self.private_key) {
            (None, Some(_)) => "jwt.private_key",
            _ => "jwt.private_key_file",
        }
    }

    /// Returns the setting that holds the public key.
    pub(super) const fn public_setting(&self) -> &'static str {
        match (&self.public_key_file, &self.public_key) {
            (Some(_), _) => "jwt.public_key_file",
            (None, Some(_)) => "jwt.public_key",
            (None, None) => self.private_setting(),
        }
    }

    /// Returns each secret, with the setting that holds it.
    pub(super) fn secrets(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let current = self.secret_key.iter().map(|secret| ("secret_key", secret));
        let previous = self.previous_secret_keys.iter();
        let all = current.chain(previous.map(|secret| ("previous_secret_keys", secret)));
        all.map(|(key, secret)| (key, secret.expose_secret()))
    }
}
