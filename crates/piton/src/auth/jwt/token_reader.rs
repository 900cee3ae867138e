//! Reads tokens: decodes them, verifies the signature, validates the claims.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::algorithm::JwtAlgorithm;
use super::claims::{Claims, now};
use super::claims_validation::Validation;
use super::csrf::{check_csrf, csrf_claim};
use super::exact_number_claims;
use super::identity::{AcceptedToken, Identity};
use super::keys::TokenKeys;
use super::refusal::{Refusal, RefusalKind};
use super::tokens::Tokens;
use crate::compat::python_decoders;
use crate::json_scanner;

/// A reader of tokens with options: `tokens.reader().allow_expired().read(&token)`.
#[derive(Clone, Debug)]
#[must_use = "`read` reads the token"]
pub struct TokenReader<'a> {
    tokens: &'a Tokens,
    allow_expired: bool,
    csrf: Option<&'a str>,
}

impl<'a> TokenReader<'a> {
    pub(super) const fn new(tokens: &'a Tokens) -> Self {
        Self { tokens, allow_expired: false, csrf: None }
    }

    /// Accepts an expired token, as for a logout.
    pub const fn allow_expired(mut self) -> Self {
        self.allow_expired = true;
        self
    }

    /// Requires the token's claim `csrf` to be `value`.
    pub const fn csrf(mut self, value: &'a str) -> Self {
        self.csrf = Some(value);
        self
    }

    /// Reads a token of either type. The hooks of the service, such as the deny-list, are not called.
    ///
    /// # Errors
    /// The reason why it is refused; `?` in a handler makes 401 of it.
    pub fn read(&self, token: &str) -> Result<Identity, Refusal> {
        let inner = &self.tokens.0;
        let accepted = read(token, &inner.keys, &inner.validation, self.allow_expired);
        let accepted = accepted.map_err(|refusal| self.with_expired(refusal, token))?;
        let identity = Identity::new(accepted, &inner.settings.identity_claim);
        match self.csrf {
            Some(csrf_token) => check_csrf(&identity, csrf_token).map(|()| identity),
            None => Ok(identity),
        }
    }
}

impl TokenReader<'_> {
    /// Adds the token to the refusal, for a hook that answers refusals of expired tokens.
    fn with_expired(&self, refusal: Refusal, token: &str) -> Refusal {
        let wanted =
            refusal.kind() == RefusalKind::Expired && self.tokens.0.hooks.answers_refusals();
        let expired = wanted.then(|| Self { allow_expired: true, ..*self }.read(token).ok());
        refusal.of_token(expired.flatten())
    }
}

impl Tokens {
    /// Reads a token of either type. The hooks of the service, such as the deny-list, are not called.
    ///
    /// # Errors
    /// The reason why it is refused; `?` in a handler makes 401 of it.
    pub fn read(&self, token: &str) -> Result<Identity, Refusal> {
        self.reader().read(token)
    }

    /// Reads tokens with options: `tokens.reader().allow_expired().read(&token)`.
    pub const fn reader(&self) -> TokenReader<'_> {
        TokenReader::new(self)
    }

    /// Returns the CSRF token that a page has to send along with the cookie of `token`: for pages that
    /// do not get it in a cookie of its own.
    ///
    /// # Errors
    /// The token is not valid, or was not made for cookies.
    pub fn csrf_token(&self, token: &str) -> Result<String, Refusal> {
        let identity = self.read(token)?;
        csrf_claim(&identity).map(str::to_owned)
    }
}

/// Reads a token. Checks run in the order of Flask-JWT-Extended, so that the same one of several
/// faults is named.
fn read(
    token: &str,
    keys: &TokenKeys,
    validation: &Validation,
    allow_expired: bool,
) -> Result<AcceptedToken, Refusal> {
    let (message, signature) = token.rsplit_once('.').ok_or_else(not_enough_segments)?;
    let (head, payload) = message.split_once('.').ok_or_else(not_enough_segments)?;
    let padding = |part: &str| Refusal::invalid(format!("Invalid {part} padding"));
    let known_header = keys.known_header(head);
    let header = match known_header {
        Some(header) => Arc::clone(header),
        None => {
            let header = decoded(head).ok_or_else(|| padding("header"))?;
            Arc::new(object(&header, "header")?)
        }
    };
    let payload = decoded(payload).ok_or_else(|| padding("payload"))?;
    // A signature that Python decodes leniently is refused, but as a signature, not as its form.
    let written = URL_SAFE_NO_PAD.decode(signature.trim_end_matches('=')).ok();
    if written.is_none() && python_decoders::base64(signature.as_bytes()).is_none() {
        return Err(padding("crypto"));
    }
    let mut claims = object(&payload, "payload")?;
    let (algorithm, key_id) = match known_header {
        Some(_) => (keys.algorithm(), keys.key_id()),
        None => (algorithm_of(&header, keys)?, header.get("kid").and_then(Value::as_str)),
    };
    let is_signed =
        |signature: Vec<u8>| keys.check(algorithm, key_id, &signature, message.as_bytes());
    if !written.is_some_and(is_signed) {
        return Err(Refusal::invalid("Signature verification failed"));
    }
    validation.check(&claims, now(), allow_expired)?;
    let exact = exact_number_claims::extract(&payload, &mut claims);
    let exact =
        exact.map_err(|_| Refusal::invalid("Invalid payload string: not JSON (RFC 8259)"))?;
    validation.check_identities(&claims)?;
    Ok(AcceptedToken { header, claims, exact })
}

/// Checks a header that is not one of the known ones, and returns its algorithm.
fn algorithm_of(header: &Claims, keys: &TokenKeys) -> Result<JwtAlgorithm, Refusal> {
    if header.get("kid").is_some_and(|kid| !kid.is_string()) {
        return Err(Refusal::invalid("Key ID header parameter must be a string"));
    }
    let algorithm = header.get("alg").and_then(Value::as_str).and_then(JwtAlgorithm::of);
    let algorithm = algorithm.filter(|algorithm| keys.accepts(*algorithm));
    let algorithm =
        algorithm.ok_or_else(|| Refusal::invalid("The specified alg value is not allowed"))?;
    // Refused, because `crit` lists extensions that a reader must understand, and none is supported
    // (RFC 7515, section 4.1.11).
    if header.contains_key("crit") {
        return Err(Refusal::invalid("Critical header parameters are not supported"));
    }
    // Refused, because the payload would be unencoded (RFC 7797), so that the signed text would not be the one
    // that was decoded.
    if header.get("b64").is_some_and(|b64| *b64 != Value::Bool(true)) {
        return Err(Refusal::invalid("Payload segment must be empty when 'b64' is false."));
    }
    Ok(algorithm)
}

fn not_enough_segments() -> Refusal {
    Refusal::invalid("Not enough segments")
}

fn decoded(segment: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(segment).ok().or_else(|| python_decoders::base64(segment.as_bytes()))
}

fn object(bytes: &[u8], part: &str) -> Result<Claims, Refusal> {
    let wrong = |why: String| Refusal::invalid(format!("Invalid {part} string: {why}"));
    match serde_json::from_slice(bytes) {
        // Refused, because serde_json would parse the text of its private marker as claims.
        Ok(_) if json_scanner::has_private_name(bytes) => {
            Err(wrong("names that begin with `$serde_json::private::` are reserved".into()))
        }
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(wrong("must be a json object".into())),
        Err(error) => Err(wrong(unreadable(bytes, &error))),
    }
}

/// Describes the fault as Python does. What Python would accept is described by the limit that it
/// exceeds here.
#[cold]
fn unreadable(bytes: &[u8], error: &serde_json::Error) -> String {
    let message = error.to_string();
    if message.starts_with("number out of range") {
        return "a number is out of range".into();
    }
    if message.starts_with("recursion limit exceeded") {
        return "nested too deeply".into();
    }
    python_decoders::utf8(bytes).map_or_else(|why| why, python_decoders::json)
}
