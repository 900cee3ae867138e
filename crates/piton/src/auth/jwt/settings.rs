//! The section `[jwt]`.

use std::path::PathBuf;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use super::algorithm::JwtAlgorithm;
use super::setting_types::{
    CsrfMethods, FlaskVersion, IdentityClaim, KeyText, Leeway, Lifetime, SameSite, TokenLocation,
};

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Returns whether a variable may be one of Flask-JWT-Extended's, so that those without an effect can be
/// reported.
fn is_flask_variable(name: &str) -> bool {
    name.starts_with("JWT_")
}

/// Settings of the tokens that identify callers: JSON Web Tokens, as in Flask-JWT-Extended. Its
/// variables (`JWT_HEADER_NAME`, ..) are read too where they mean the same.
#[derive(Clone, Debug, piton_macros::Settings)]
#[setting(check = Self::check, uses_variable = is_flask_variable)]
pub struct JwtSettings {
    /// Secret that signs tokens (HS256, HS384, HS512), the same in every service that accepts them: at
    /// least 32 characters from a random source (48 for HS384, 64 for HS512). Production refuses fewer
    /// than 32.
    /// **Default: in development one is made and stored in the data folder; production requires one.**
    #[setting(alias = "JWT_SECRET_KEY")]
    pub secret_key: Option<SecretString>,

    /// Earlier secrets whose tokens are still accepted. Keep the old `secret_key` here until the last
    /// token signed with it has expired. **Default: none.**
    pub previous_secret_keys: Vec<SecretString>,

    /// Allows secrets of less than 32 bytes in production. Such a secret can be found by trying, from one
    /// token. Set it only during a migration, while services with the old secret still run.
    /// **Default: `false`.**
    pub allow_short_secret: bool,

    /// Algorithm that signs tokens: `HS256`, `HS384`, `HS512` with the secret; `RS256` to `RS512`, `PS256` to
    /// `PS512`, `ES256`, `ES384`, `ES512`, `EdDSA` with a private key. Tokens signed otherwise are
    /// refused, unless `decode_algorithms` names their algorithm. **Default: `HS256`.**
    #[setting(alias = "JWT_ALGORITHM")]
    pub algorithm: JwtAlgorithm,

    /// Further algorithms whose tokens are accepted, each with a key of its kind: the secrets, or one of
    /// the public keys. **Default: none.**
    #[setting(alias = "JWT_DECODE_ALGORITHMS")]
    pub decode_algorithms: Vec<JwtAlgorithm>,

    /// File with the private key (PEM) that signs tokens, for the asymmetric algorithms. Without a
    /// private key the service accepts tokens and makes none. **Default: none.**
    #[setting(alias = "JWT_PRIVATE_KEY_FILE")]
    pub private_key_file: Option<PathBuf>,

    /// Private key itself (PEM), instead of its file. In a variable of one line, write `\n` for line ends.
    /// **Default: none.**
    #[setting(alias = "JWT_PRIVATE_KEY")]
    pub private_key: Option<KeyText>,

    /// File with the public key (PEM) that verifies tokens. **Default: that of the private key.**
    #[setting(alias = "JWT_PUBLIC_KEY_FILE")]
    pub public_key_file: Option<PathBuf>,

    /// Public key itself (PEM), instead of its file. **Default: that of the private key.**
    #[setting(alias = "JWT_PUBLIC_KEY")]
    pub public_key: Option<KeyText>,

    /// Further public keys whose tokens are accepted, each a path (PEM) or `kid=path`: earlier keys, the
    /// next one, or those of other services. A token whose `kid` is one of these, or `key_id`, is
    /// checked with that key and those without a name. At most 16. **Default: none.**
    pub previous_public_key_files: Vec<String>,

    /// Name of the signing key, written into the header `kid` of new tokens. **Default: none.**
    pub key_id: Option<String>,

    /// Lifetime of access tokens: a duration, a number of seconds, or `never` (also `false`).
    /// **Default: `15m`.**
    #[setting(alias = "JWT_ACCESS_TOKEN_EXPIRES")]
    pub access_token_expires: Lifetime,

    /// Lifetime of access tokens in minutes, as Gnar Gear services set it; outranks
    /// `access_token_expires`. **Default: none.**
    #[setting(max = 52_560_000)]
    pub access_token_expires_minutes: Option<u32>,

    /// Lifetime of refresh tokens: a duration, a number of seconds, or `never`. **Default: `30days`.**
    #[setting(alias = "JWT_REFRESH_TOKEN_EXPIRES")]
    pub refresh_token_expires: Lifetime,

    /// Maximum difference between clocks when `exp`, `nbf` and `iat` are checked: a number of seconds, or
    /// a duration of up to `1day`. **Default: `0s`.**
    #[setting(alias = "JWT_DECODE_LEEWAY")]
    pub leeway: Leeway,

    /// Writes the claim `nbf` into new tokens. **Default: `true`.**
    #[setting(alias = "JWT_ENCODE_NBF")]
    pub encode_nbf: bool,

    /// Refuses tokens whose `sub` is not text, as Flask-JWT-Extended 4.7 does. Version 3 writes numbers.
    /// **Default: `false`.**
    #[setting(alias = "JWT_VERIFY_SUB")]
    pub verify_sub: bool,

    /// Claim that identifies the caller: `sub` (Flask-JWT-Extended 4), `identity` (3), any other name, or
    /// `both`, which writes `sub` and `identity`, reads either, and refuses a token in which they differ.
    /// **Default: `both`.**
    #[setting(alias = "JWT_IDENTITY_CLAIM")]
    pub identity_claim: IdentityClaim,

    /// Claim that contains the further claims, as in version 3 of Flask-JWT-Extended (`user_claims`).
    /// **Default: none; they are next to the others, as in version 4.**
    #[setting(alias = "JWT_USER_CLAIMS")]
    pub user_claims: Option<String>,

    /// Writes the claims of `App::token_claims` into refresh tokens too. **Default: `true`, as in
    /// version 4; `false` with `user_claims`, as in version 3.**
    #[setting(alias = "JWT_CLAIMS_IN_REFRESH_TOKEN")]
    pub claims_in_refresh_token: Option<bool>,

    /// Claims without which a token is refused, besides the one that identifies the caller; `[]` for none.
    /// **Default: `exp` (unless tokens never expire), `jti`, `type`; with `http.error_style` `gnar` none,
    /// as Gnar Gear requires none.**
    pub required_claims: Option<Vec<String>>,

    /// Issuer: the `iss` of new tokens, and the only one that is accepted. **Default: none.**
    pub issuer: Option<String>,

    /// `iss` of new tokens, if it differs from the accepted one. **Default: `issuer`.**
    #[setting(alias = "JWT_ENCODE_ISSUER")]
    pub encode_issuer: Option<String>,

    /// `iss` that is accepted, if it differs from that of new tokens. **Default: `issuer`.**
    #[setting(alias = "JWT_DECODE_ISSUER")]
    pub decode_issuer: Option<String>,

    /// Audience: the `aud` of new tokens. Tokens for other audiences are refused. **Default: none.**
    pub audience: Vec<String>,

    /// `aud` of new tokens, if it differs from the accepted one. **Default: `audience`.**
    #[setting(alias = "JWT_ENCODE_AUDIENCE")]
    pub encode_audience: Vec<String>,

    /// `aud` that is accepted and required, if it differs from that of new tokens. If only
    /// `encode_audience` is set, tokens with that audience and tokens without any are accepted.
    /// **Default: `audience`.**
    #[setting(alias = "JWT_DECODE_AUDIENCE")]
    pub decode_audience: Vec<String>,

    /// Locations of tokens in requests, tried in this order: `headers`, `cookies`, `query_string`,
    /// `json`. `#[protected(locations = [..])]` sets them for one route. **Default: `headers`.**
    #[setting(alias = "JWT_TOKEN_LOCATION")]
    pub location: Vec<TokenLocation>,

    /// Header that carries tokens. **Default: `Authorization`.**
    #[setting(alias = "JWT_HEADER_NAME")]
    pub header_name: String,

    /// Word before the token in its header; empty if the header has only the token.
    /// **Default: `Bearer`.**
    #[setting(alias = "JWT_HEADER_TYPE")]
    pub header_type: String,

    /// Query parameter that carries tokens. Queries are not logged, but browsers store them in their
    /// history: prefer the other locations. **Default: `jwt`.**
    #[setting(alias = "JWT_QUERY_STRING_NAME")]
    pub query_string_name: String,

    /// Text before the token in the query parameter. **Default: none.**
    #[setting(alias = "JWT_QUERY_STRING_VALUE_PREFIX")]
    pub query_string_value_prefix: String,

    /// Member of JSON bodies that carries the access token. **Default: `access_token`.**
    #[setting(alias = "JWT_JSON_KEY")]
    pub json_key: String,

    /// Member of JSON bodies that carries the refresh token. **Default: `refresh_token`.**
    #[setting(alias = "JWT_REFRESH_JSON_KEY")]
    pub refresh_json_key: String,

    /// Renews tokens: the response to a request with a valid token in its header carries a new token in
    /// the same header, with the same lifetime, so that active users stay logged in. Without it clients
    /// use refresh tokens.
    /// **Default: `true` with `http.error_style` `gnar`, as Gnar Gear does, otherwise `false`.**
    pub renew: Option<bool>,

    /// Member of the body with the message of a refusal, such as `msg`: refusals then have the form and
    /// the statuses of Flask-JWT-Extended 4, with 422 for invalid tokens.
    /// **Default: none; refusals are problem documents with 401.**
    #[setting(alias = "JWT_ERROR_MESSAGE_KEY")]
    pub error_message_key: Option<String>,

    /// Version of Flask-JWT-Extended whose messages refusals use where `3` and `4` differ, such as
    /// "Only access tokens are allowed". With `error_message_key` the statuses follow it too: an
    /// `Authorization` header of another scheme is 422 in `3` and 401 in `4`.
    /// **Default: `4` with `error_message_key`, else `3`.**
    pub flask_version: Option<FlaskVersion>,

    /// Name of the cookie with the access token. **Default: `access_token_cookie`.**
    #[setting(alias = "JWT_ACCESS_COOKIE_NAME")]
    pub access_cookie_name: String,

    /// Name of the cookie with the refresh token. **Default: `refresh_token_cookie`.**
    #[setting(alias = "JWT_REFRESH_COOKIE_NAME")]
    pub refresh_cookie_name: String,

    /// Path below which browsers send the access token. **Default: `/`.**
    #[setting(alias = "JWT_ACCESS_COOKIE_PATH")]
    pub access_cookie_path: String,

    /// Path below which browsers send the refresh token. **Default: `/`.**
    #[setting(alias = "JWT_REFRESH_COOKIE_PATH")]
    pub refresh_cookie_path: String,

    /// Restricts the cookies to HTTPS (`Secure`). **Default: `false` in development, `true` in
    /// production.**
    #[setting(alias = "JWT_COOKIE_SECURE")]
    pub cookie_secure: Option<bool>,

    /// Requests from other sites that carry the cookies (`SameSite`): `strict`, `lax`, `none`; `unset`
    /// leaves the attribute out, as by default in Flask-JWT-Extended.
    /// **Default: `lax`.**
    #[setting(alias = "JWT_COOKIE_SAMESITE")]
    pub cookie_samesite: SameSite,

    /// Domain of the cookies. **Default: none, which means this host alone.**
    #[setting(alias = "JWT_COOKIE_DOMAIN")]
    pub cookie_domain: Option<String>,

    /// Drops the cookies when the browser is closed, instead of when their token expires.
    /// **Default: `true`.**
    #[setting(alias = "{prefix}_JWT_COOKIE_SESSION", alias = "JWT_SESSION_COOKIE")]
    pub session_cookie: bool,

    /// Requires a CSRF token of requests with a token in a cookie, for the methods of `csrf_methods`:
    /// the value of the cookie `csrf_access_token`, in the header `X-CSRF-TOKEN`. **Default: `true`.**
    #[setting(alias = "{prefix}_JWT_COOKIE_CSRF", alias = "JWT_COOKIE_CSRF_PROTECT")]
    pub cookie_csrf_protect: bool,

    /// Sets cookies with the CSRF tokens. Without them a login must hand out `Tokens::csrf_token` some
    /// other way. **Default: `true`.**
    #[setting(alias = "JWT_CSRF_IN_COOKIES")]
    pub csrf_in_cookies: bool,

    /// Accepts the CSRF token in a field of a form (`application/x-www-form-urlencoded`), instead of the
    /// header. **Default: `false`.**
    #[setting(alias = "JWT_CSRF_CHECK_FORM")]
    pub csrf_check_form: bool,

    /// Methods whose requests need a CSRF token. An empty variable means the default; to switch the
    /// protection off, set `cookie_csrf_protect = false`. **Default: `POST`, `PUT`, `PATCH`, `DELETE`.**
    #[setting(alias = "JWT_CSRF_METHODS")]
    pub csrf_methods: CsrfMethods,

    /// Name of the cookie with the CSRF token of an access token. **Default: `csrf_access_token`.**
    #[setting(alias = "JWT_ACCESS_CSRF_COOKIE_NAME")]
    pub access_csrf_cookie_name: String,

    /// Name of the cookie with the CSRF token of a refresh token. **Default: `csrf_refresh_token`.**
    #[setting(alias = "JWT_REFRESH_CSRF_COOKIE_NAME")]
    pub refresh_csrf_cookie_name: String,

    /// Path of the pages that read `access_csrf_cookie_name`. **Default: `/`.**
    #[setting(alias = "JWT_ACCESS_CSRF_COOKIE_PATH")]
    pub access_csrf_cookie_path: String,

    /// Path of the pages that read `refresh_csrf_cookie_name`. **Default: `/`.**
    #[setting(alias = "JWT_REFRESH_CSRF_COOKIE_PATH")]
    pub refresh_csrf_cookie_path: String,

    /// Header with the CSRF token of an access token. **Default: `X-CSRF-TOKEN`.**
    #[setting(alias = "JWT_ACCESS_CSRF_HEADER_NAME")]
    pub access_csrf_header_name: String,

    /// Header with the CSRF token of a refresh token. **Default: `X-CSRF-TOKEN`.**
    #[setting(alias = "JWT_REFRESH_CSRF_HEADER_NAME")]
    pub refresh_csrf_header_name: String,

    /// Field of a form with the CSRF token of an access token. **Default: `csrf_token`.**
    #[setting(alias = "JWT_ACCESS_CSRF_FIELD_NAME")]
    pub access_csrf_field_name: String,

    /// Field of a form with the CSRF token of a refresh token. **Default: `csrf_token`.**
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
            csrf_methods: CsrfMethods::default(),
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

    /// Returns the audience of the tokens that are accepted and required.
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
