//! Reads tokens, and checks their claims.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::algorithm::JwtAlgorithm;
use super::exact::{self, ExactClaims};
use super::keys::Keys;
use super::refusal::{Refusal, RefusalKind};
use super::values::{FlaskVersion, IdentityClaim};
use crate::compat::python_decoders;
use crate::compat::python_values::{self, whole_seconds};
use crate::json_text;

/// The claims of a token, by name. A number that no [`Value`] holds exactly, such as an integer
/// beyond 64 bits, appears as text with the token's digits.
pub type Claims = Map<String, Value>;

/// The two types of token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenType {
    /// Opens routes.
    Access,
    /// Is exchanged for another access token.
    Refresh,
}

impl TokenType {
    /// Returns the name that stands in the claim `type`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Refresh => "refresh",
        }
    }
}

/// The rules by which the claims of a token are validated.
pub(super) struct Validation {
    pub leeway: u64,
    pub required: Vec<String>,
    pub issuer: Option<String>,
    /// One of these is required, if there are any.
    pub audience: Vec<String>,
    /// The audience of the tokens made here, accepted if no audience is required: otherwise the service
    /// would refuse its own tokens.
    pub own_audience: Vec<String>,
    pub identity: IdentityClaim,
    pub verify_sub: bool,
    /// Accepts tokens whose `iat` is in the future.
    pub future_iat: bool,
    /// Takes an empty `aud` for none, as PyJWT 2 does. PyJWT 1 takes only a missing one for none.
    pub null_audience: bool,
    pub messages: FlaskVersion,
}

/// The content of a token that was accepted.
pub(super) struct Accepted {
    pub header: Arc<Claims>,
    pub claims: Claims,
    /// The text of claims with numbers that no `Value` holds.
    pub exact: ExactClaims,
}

/// Returns the current time in seconds since 1970.
pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs()
}

/// Reads a token. Checks run in the order of Flask-JWT-Extended, so that the same one of several
/// faults is named.
pub(super) fn read(
    token: &str,
    keys: &Keys,
    validation: &Validation,
    allow_expired: bool,
) -> Result<Accepted, Refusal> {
    let (message, signature) = token.rsplit_once('.').ok_or_else(not_enough_segments)?;
    let (head, payload) = message.split_once('.').ok_or_else(not_enough_segments)?;
    let padding = |part: &str| Refusal::invalid(format!("Invalid {part} padding"));
    let usual = keys.usual(head);
    let header = match usual {
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
    let (algorithm, key_id) = match usual {
        Some(_) => (keys.algorithm(), keys.key_id()),
        None => (algorithm_of(&header, keys)?, header.get("kid").and_then(Value::as_str)),
    };
    let is_signed =
        |signature: Vec<u8>| keys.check(algorithm, key_id, &signature, message.as_bytes());
    if !written.is_some_and(is_signed) {
        return Err(Refusal::invalid("Signature verification failed"));
    }
    validation.check(&claims, now(), allow_expired)?;
    let exact = exact::exact(&payload, &mut claims);
    let exact =
        exact.map_err(|_| Refusal::invalid("Invalid payload string: not JSON (RFC 8259)"))?;
    validation.check_identities(&claims)?;
    Ok(Accepted { header, claims, exact })
}

/// Checks a header that is not the usual one, and returns its algorithm.
fn algorithm_of(header: &Claims, keys: &Keys) -> Result<JwtAlgorithm, Refusal> {
    if header.get("kid").is_some_and(|kid| !kid.is_string()) {
        return Err(Refusal::invalid("Key ID header parameter must be a string"));
    }
    let algorithm = header.get("alg").and_then(Value::as_str).and_then(JwtAlgorithm::of);
    let algorithm = algorithm.filter(|algorithm| keys.accepts(*algorithm));
    let algorithm =
        algorithm.ok_or_else(|| Refusal::invalid("The specified alg value is not allowed"))?;
    // Extensions that a reader must know, and none is known here (RFC 7515, 4.1.11).
    if header.contains_key("crit") {
        return Err(Refusal::invalid("Critical header parameters are not supported"));
    }
    // The payload would stand unencoded (RFC 7797): what is signed is not what was decoded.
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
        // serde_json would show the content of the mark's text as claims.
        Ok(_) if json_text::has_private_name(bytes) => {
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

impl Validation {
    fn check(&self, claims: &Claims, now: u64, allow_expired: bool) -> Result<(), Refusal> {
        let (now, leeway) = (i128::from(now), i128::from(self.leeway));
        if let Some(issued) = claims.get("iat") {
            let issued = whole_seconds(issued)
                .ok_or_else(|| Refusal::invalid("Issued At claim (iat) must be an integer."))?;
            if !self.future_iat && issued > now + leeway {
                return Err(Refusal::invalid("The token is not yet valid (iat)"));
            }
        }
        if let Some(from) = claims.get("nbf") {
            let from = whole_seconds(from)
                .ok_or_else(|| Refusal::invalid("Not Before claim (nbf) must be an integer."))?;
            if from > now + leeway {
                return Err(Refusal::invalid("The token is not yet valid (nbf)"));
            }
        }
        let end = claims.get("exp").map(|end| {
            whole_seconds(end)
                .ok_or_else(|| Refusal::invalid("Expiration Time claim (exp) must be an integer."))
        });
        let end = end.transpose()?;
        self.check_issuer(claims)?;
        self.check_audience(claims)?;
        if self.verify_sub && claims.get("sub").is_some_and(|sub| !sub.is_string()) {
            return Err(Refusal::invalid("Subject must be a string"));
        }
        // A deny-list looks tokens up by their `jti` as text, and would miss any other.
        if claims.get("jti").is_some_and(|id| !id.is_string()) {
            return Err(Refusal::invalid("JWT ID must be a string"));
        }
        let (first, second) = self.identity.names();
        if !claims.contains_key(first) && !second.is_some_and(|it| claims.contains_key(it)) {
            return Err(Refusal::invalid(format!("Missing claim: {first}")));
        }
        let known = |value: &Value| value == "access" || value == "refresh";
        if claims.get("type").is_some_and(|value| !known(value)) {
            return Err(Refusal::invalid("Missing or invalid claim: type"));
        }
        if let Some(missing) = self.required.iter().find(|name| !claims.contains_key(*name)) {
            return Err(Refusal::invalid(format!("Token is missing the \"{missing}\" claim")));
        }
        // PyJWT 2 compares with fractions of a second: `exp` is the first second that is too late.
        if !allow_expired && end.is_some_and(|end| end <= now - leeway) {
            return Err(Refusal::new(RefusalKind::Expired, "Token has expired"));
        }
        Ok(())
    }

    fn check_issuer(&self, claims: &Claims) -> Result<(), Refusal> {
        let Some(expected) = &self.issuer else { return Ok(()) };
        match claims.get("iss") {
            None => Err(Refusal::invalid("Token is missing the \"iss\" claim")),
            Some(issuer) if issuer == expected => Ok(()),
            Some(Value::String(_)) => Err(Refusal::invalid("Invalid issuer")),
            Some(_) => Err(Refusal::invalid(match self.messages {
                FlaskVersion::Version3 => "Invalid issuer",
                FlaskVersion::Version4 => "Payload Issuer (iss) must be a string",
            })),
        }
    }

    fn check_audience(&self, claims: &Claims) -> Result<(), Refusal> {
        let is_given = |given: &&Value| !self.null_audience || python_values::is_truthy(given);
        let Some(given) = claims.get("aud").filter(is_given) else {
            return match self.audience.is_empty() {
                true => Ok(()),
                false => Err(Refusal::invalid("Token is missing the \"aud\" claim")),
            };
        };
        let given = match given {
            Value::Array(several) => several.as_slice(),
            one => std::slice::from_ref(one),
        };
        let accepted = match self.audience.as_slice() {
            [] => &self.own_audience,
            _ => &self.audience,
        };
        // Neither version looks at the form of an audience where it expects none.
        if !self.audience.is_empty() && !given.iter().all(Value::is_string) {
            return Err(Refusal::invalid("Invalid claim format in token"));
        }
        let ours = |one: &Value| accepted.iter().any(|name| one == name);
        if given.iter().any(ours) {
            return Ok(());
        }
        Err(Refusal::invalid(match self.messages {
            FlaskVersion::Version4 if !self.audience.is_empty() => "Audience doesn't match",
            _ => "Invalid audience",
        }))
    }

    /// With `both`, refuses a token whose `identity` and `sub` name different callers: version 4
    /// writes a claim of the user's own as `identity`, and version 3 one as `sub`.
    fn check_identities(&self, claims: &Claims) -> Result<(), Refusal> {
        if self.identity != IdentityClaim::Both {
            return Ok(());
        }
        let (Some(identity), Some(sub)) = (claims.get("identity"), claims.get("sub")) else {
            return Ok(());
        };
        match identity == sub || as_text(identity).is_some_and(|text| as_text(sub) == Some(text)) {
            true => Ok(()),
            false => Err(Refusal::invalid("Claims identity and sub differ")),
        }
    }
}

/// Returns the text of a name: of a number its digits, as a `sub` has to be text.
fn as_text(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(Cow::Borrowed(text)),
        Value::Number(number) => Some(Cow::Owned(number.to_string())),
        _ => None,
    }
}
