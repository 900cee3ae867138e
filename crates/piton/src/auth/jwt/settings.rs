//! The section `[jwt]`.

use std::path::PathBuf;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use crate::app::AppSettings;
use crate::config::address::is_host;
use crate::config::{self, Origin, Problems, Reader};

/// Minimum length of a secret in production: 256 random bits cannot be found by trying, whatever
/// the hash.
pub(super) const MIN_SECRET_BYTES: usize = 32;

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Tokens that say who is calling: JSON Web Tokens, as Flask-JWT-Extended's.
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
    /// `PS512`, `ES256`, `ES384`, `EdDSA` with the key files. Tokens signed otherwise are refused.
    /// **Default: `HS256`.**
    pub algorithm: JwtAlgorithm,

    /// The file with the private key (PEM) to sign with, for the algorithms that have two keys. Without
    /// it the service takes tokens and makes none. **Default: none.**
    pub private_key_file: Option<PathBuf>,

    /// The file with the public key (PEM) to check with. **Default: none; the private key's own.**
    pub public_key_file: Option<PathBuf>,

    /// How long an access token is valid. **Default: `15m`.**
    #[setting(max = "36500days")]
    pub access_token_expires: Duration,

    /// The same in minutes, for the environment of a Gnar Gear service; it outranks the one above.
    /// **Default: none.**
    #[setting(max = 52_560_000)]
    pub access_token_expires_minutes: Option<u32>,

    /// How long a refresh token is valid. **Default: `30days`.**
    #[setting(max = "36500days")]
    pub refresh_token_expires: Duration,

    /// By how much clocks may differ when `exp` and `nbf` are looked at. **Default: `0s`.**
    #[setting(max = "1day")]
    pub leeway: Duration,

    /// The claim that names who is calling in the tokens made here: `sub` (Flask-JWT-Extended 4),
    /// `identity` (3), or `both`, which either reads. Both are read in any case. **Default: `both`.**
    pub identity_claim: IdentityClaim,

    /// Claims without which a token is refused, beside the one that names who is calling.
    /// **Default: `exp`, `jti`, `type`; with `http.error_style` `gnar` none, as Gnar Gear asks for none.**
    pub required_claims: Option<Vec<String>>,

    /// The `iss` of the tokens made here, and the only one that is taken. **Default: none.**
    pub issuer: Option<String>,

    /// The `aud` of the tokens made here; a token for others is refused. **Default: none.**
    pub audience: Vec<String>,

    /// Where a token is looked for, in this order: `headers` (`Authorization: Bearer`), `cookies`.
    /// **Default: `headers`.**
    pub location: Vec<TokenLocation>,

    /// Whether the answer to a request with a valid token in its header has a fresh one in its
    /// header `Authorization`, so that who goes on working stays in. Without it clients use refresh
    /// tokens. **Default: `true`.**
    pub renew: bool,

    /// Whether browsers send the cookies by HTTPS only. **Default: `false` in development, `true` in
    /// production.**
    pub cookie_secure: Option<bool>,

    /// Whether browsers send the cookies when another site leads to this one: `strict`, `lax`,
    /// `none`. **Default: `lax`.**
    pub cookie_samesite: SameSite,

    /// The domain of the cookies. **Default: none, which means this host alone.**
    pub cookie_domain: Option<String>,

    /// Whether the cookies end with the browser, and not with their token. **Default: `true`.**
    pub cookie_session: bool,

    /// Whether a request that changes something and has its token in a cookie must show, in its
    /// header `X-CSRF-TOKEN`, what stands in the cookie `csrf_access_token`. **Default: `true`.**
    pub cookie_csrf: bool,
}

impl Default for JwtSettings {
    fn default() -> Self {
        Self {
            secret_key: None,
            previous_secret_keys: Vec::new(),
            allow_short_secret: false,
            algorithm: JwtAlgorithm::default(),
            private_key_file: None,
            public_key_file: None,
            access_token_expires: 15 * MINUTE,
            access_token_expires_minutes: None,
            refresh_token_expires: 30 * DAY,
            leeway: Duration::ZERO,
            identity_claim: IdentityClaim::default(),
            required_claims: None,
            issuer: None,
            audience: Vec::new(),
            location: vec![TokenLocation::Headers],
            renew: true,
            cookie_secure: None,
            cookie_samesite: SameSite::default(),
            cookie_domain: None,
            cookie_session: true,
            cookie_csrf: true,
        }
    }
}

/// Returns how to replace the secret where it is written: in another place it would be given twice, or
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

crate::setting_enum! {
    /// How tokens are signed (RFC 7518, RFC 8037).
    pub enum JwtAlgorithm: default Hs256 {
        /// HMAC with SHA-256.
        Hs256 = "HS256",
        /// HMAC with SHA-384.
        Hs384 = "HS384",
        /// HMAC with SHA-512.
        Hs512 = "HS512",
        /// RSA (PKCS #1) with SHA-256.
        Rs256 = "RS256",
        /// RSA (PKCS #1) with SHA-384.
        Rs384 = "RS384",
        /// RSA (PKCS #1) with SHA-512.
        Rs512 = "RS512",
        /// RSA (PSS) with SHA-256.
        Ps256 = "PS256",
        /// RSA (PSS) with SHA-384.
        Ps384 = "PS384",
        /// RSA (PSS) with SHA-512.
        Ps512 = "PS512",
        /// ECDSA on P-256.
        Es256 = "ES256",
        /// ECDSA on P-384.
        Es384 = "ES384",
        /// Ed25519.
        EdDsa = "EdDSA",
    }
}

crate::setting_enum! {
    /// Which claim names who is calling.
    pub enum IdentityClaim: default Both {
        /// `sub` and `identity`.
        Both = "both",
        /// `sub`, as Flask-JWT-Extended 4.
        Sub = "sub",
        /// `identity`, as Flask-JWT-Extended 3.
        Identity = "identity",
    }
}

crate::setting_enum! {
    /// Where a token is looked for.
    pub enum TokenLocation: default Headers {
        /// In the header `Authorization`.
        Headers = "headers",
        /// In the cookie `access_token_cookie` (or `refresh_token_cookie`).
        Cookies = "cookies",
    }
}

crate::setting_enum! {
    /// Which requests of other sites a browser adds cookies to.
    pub enum SameSite: default Lax {
        /// None.
        Strict = "strict",
        /// Those that lead to a page.
        Lax = "lax",
        /// All: needs `cookie_secure`.
        None = "none",
    }
}

impl JwtSettings {
    /// How long an access token is valid.
    #[must_use]
    pub fn access_expires(&self) -> Duration {
        self.access_token_expires_minutes
            .map_or(self.access_token_expires, |minutes| minutes * MINUTE)
    }

    /// Returns the length in bytes of each secret, with the setting that holds it.
    pub(super) fn secret_lengths(&self) -> impl Iterator<Item = (&'static str, usize)> {
        let current = self.secret_key.iter().map(|secret| ("secret_key", secret));
        let previous = self.previous_secret_keys.iter();
        let all = current.chain(previous.map(|secret| ("previous_secret_keys", secret)));
        all.map(|(key, secret)| (key, secret.expose_secret().len()))
    }

    /// Refuses a production without a secret, or with one that can be found by trying. Previous secrets
    /// count, because tokens signed with them are accepted.
    fn check_secrets(&self, from: &mut Reader<'_>) {
        let config = from.config();
        let app: AppSettings = config.read("", &mut Problems::new());
        if !app.in_production() || !self.algorithm.is_symmetric() {
            return;
        }
        let variable = |key: &str| config::variable(config.prefix(), key);
        if self.secret_key.is_none() && !from.is_refused("secret_key") {
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
        for (key, length) in self.secret_lengths().filter(|(_, it)| *it < MIN_SECRET_BYTES) {
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

    fn check(&self, reader: &mut Reader<'_>) {
        self.check_secrets(reader);
        if self.access_expires().is_zero() {
            let key = match self.access_token_expires_minutes {
                Some(_) => "access_token_expires_minutes",
                None => "access_token_expires",
            };
            reader.refuse(
                key,
                "tokens that are never valid, or always, are of no use",
                "say how long, such as 15 minutes",
            );
        }
        let shortest = self.access_expires().min(self.refresh_token_expires);
        if !self.access_expires().is_zero() && shortest < Duration::from_secs(1) {
            let why = "moments in tokens are whole seconds";
            let key = match self.refresh_token_expires < Duration::from_secs(1) {
                true => "refresh_token_expires",
                false => "access_token_expires",
            };
            reader.refuse(key, why, "say how long, such as `15m`");
        }
        let empty = |secret: &SecretString| secret.expose_secret().trim().is_empty();
        if self.previous_secret_keys.iter().any(empty) {
            // A key without a byte is everybody's.
            let why = "one of them is empty, and anybody could sign with it";
            reader.refuse(
                "previous_secret_keys",
                why,
                "take the comma away, or write a list in a file",
            );
        }
        let is_domain = |domain: &String| is_host(domain.strip_prefix('.').unwrap_or(domain));
        if !self.cookie_domain.as_ref().is_none_or(is_domain) {
            reader.refuse("cookie_domain", "not a domain", "cookie_domain = \"example.org\"");
        }
        if self.location.is_empty() {
            reader.refuse("location", "nothing says where tokens are", "location = [\"headers\"]");
        }
        if self.algorithm.is_symmetric() {
            for (key, file) in [
                ("private_key_file", &self.private_key_file),
                ("public_key_file", &self.public_key_file),
            ] {
                if file.is_some() {
                    let why = format!("{} signs with `jwt.secret_key`", self.algorithm);
                    reader.refuse(
                        key,
                        why,
                        "leave it out, or set `jwt.algorithm` to what the key is for",
                    );
                }
            }
        } else if self.private_key_file.is_none() && self.public_key_file.is_none() {
            let why =
                format!("{} needs a key, and neither of the key files is named", self.algorithm);
            reader.refuse("private_key_file", why, "name a PEM file");
        }
        if self.cookie_samesite == SameSite::None && self.cookie_secure == Some(false) {
            let why = "browsers refuse cookies with SameSite=None that are not Secure";
            reader.refuse("cookie_secure", why, "cookie_secure = true");
        }
    }
}

impl JwtAlgorithm {
    /// The minimum length of a secret in bytes: that of the hash (RFC 7518, section 3.2).
    #[must_use]
    pub(super) const fn min_secret_bytes(self) -> usize {
        match self {
            Self::Hs384 => 48,
            Self::Hs512 => 64,
            _ => MIN_SECRET_BYTES,
        }
    }

    /// Whether the same secret signs and checks.
    #[must_use]
    pub const fn is_symmetric(self) -> bool {
        matches!(self, Self::Hs256 | Self::Hs384 | Self::Hs512)
    }
}
