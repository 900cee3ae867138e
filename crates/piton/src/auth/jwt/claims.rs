//! What a token says, and how it is read and written.

use std::borrow::Cow;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::exact::{self, ClaimOut, ExactClaims};
use super::keys::Keys;
use super::python;
use super::refusal::{Refusal, RefusalKind};
use super::settings::IdentityClaim;
use crate::json_text;
use crate::part::BoxError;

/// The claims of a token, by name. A number that no [`Value`] holds exactly, such as an integer
/// beyond 64 bits, appears as text with the token's digits.
pub type Claims = Map<String, Value>;

/// What a token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenType {
    /// For calling.
    Access,
    /// For getting another access token.
    Refresh,
}

impl TokenType {
    /// As it stands in the claim `type`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Refresh => "refresh",
        }
    }
}

/// What tokens must be like to be taken.
pub(super) struct Expected {
    pub leeway: u64,
    pub required: Vec<String>,
    pub issuer: Option<String>,
    pub audience: Vec<String>,
}

/// Seconds since 1970.
pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs()
}

/// Reads a token, and the exact text of claims with numbers that no `Value` holds. Checks run in
/// the order of Flask-JWT-Extended, so that the same one of several faults is named.
pub(super) fn read(
    token: &str,
    keys: &Keys,
    expected: &Expected,
) -> Result<(Claims, ExactClaims), Refusal> {
    let (message, signature) = token.rsplit_once('.').ok_or_else(not_enough_segments)?;
    let (header, payload) = message.split_once('.').ok_or_else(not_enough_segments)?;
    let padding = |part: &str| Refusal::invalid(format!("Invalid {part} padding"));
    let header = match keys.knows(header) {
        true => None,
        false => {
            let header = decoded(header).ok_or_else(|| padding("header"))?;
            Some(object(&header, "header")?)
        }
    };
    let payload = decoded(payload).ok_or_else(|| padding("payload"))?;
    // What Python reads and is not as base64 should be is no signature of anybody's.
    let written = URL_SAFE_NO_PAD.decode(signature.trim_end_matches('=')).ok();
    if written.is_none() && python::base64(signature.as_bytes()).is_none() {
        return Err(padding("crypto"));
    }
    let mut claims = object(&payload, "payload")?;
    if let Some(header) = header {
        look_at_header(&header, keys)?;
    }
    if !written.is_some_and(|signature| keys.check(&signature, message.as_bytes())) {
        return Err(Refusal::invalid("Signature verification failed"));
    }
    expected.look_at(&claims, now())?;
    let exact = exact::exact(&payload, &mut claims);
    let exact =
        exact.map_err(|_| Refusal::invalid("Invalid payload string: not JSON (RFC 8259)"))?;
    Ok((claims, exact))
}

/// What a header says that is not the usual one.
fn look_at_header(header: &Claims, keys: &Keys) -> Result<(), Refusal> {
    if header.get("kid").is_some_and(|kid| !kid.is_string()) {
        return Err(Refusal::invalid("Key ID header parameter must be a string"));
    }
    if header.get("alg").and_then(Value::as_str) != Some(keys.name()) {
        return Err(Refusal::invalid("The specified alg value is not allowed"));
    }
    // Extensions that a reader must know, and none is known here (RFC 7515, 4.1.11).
    if header.contains_key("crit") {
        return Err(Refusal::invalid("Critical header parameters are not supported"));
    }
    Ok(())
}

fn not_enough_segments() -> Refusal {
    Refusal::invalid("Not enough segments")
}

fn decoded(segment: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(segment).ok().or_else(|| python::base64(segment.as_bytes()))
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
    let said = error.to_string();
    if said.starts_with("number out of range") {
        return "a number is out of range".into();
    }
    if said.starts_with("recursion limit exceeded") {
        return "nested too deeply".into();
    }
    python::utf8(bytes).map_or_else(|why| why, python::json)
}

impl Expected {
    fn look_at(&self, claims: &Claims, now: u64) -> Result<(), Refusal> {
        let (now, leeway) = (i128::from(now), i128::from(self.leeway));
        if let Some(issued) = claims.get("iat") {
            seconds(issued)
                .ok_or_else(|| Refusal::invalid("Issued At claim (iat) must be an integer."))?;
        }
        if let Some(from) = claims.get("nbf") {
            let from = seconds(from)
                .ok_or_else(|| Refusal::invalid("Not Before claim (nbf) must be an integer."))?;
            if from > now + leeway {
                return Err(Refusal::invalid("The token is not yet valid (nbf)"));
            }
        }
        let end = claims.get("exp").map(|end| {
            seconds(end)
                .ok_or_else(|| Refusal::invalid("Expiration Time claim (exp) must be an integer."))
        });
        let end = end.transpose()?;
        self.look_at_issuer(claims)?;
        self.look_at_audience(claims)?;
        if !claims.contains_key("sub") && !claims.contains_key("identity") {
            return Err(Refusal::invalid("Missing claim: identity"));
        }
        let known = |value: &Value| value == "access" || value == "refresh";
        if claims.get("type").is_some_and(|value| !known(value)) {
            return Err(Refusal::invalid("Missing or invalid claim: type"));
        }
        if let Some(missing) = self.required.iter().find(|name| !claims.contains_key(*name)) {
            return Err(Refusal::invalid(format!("Token is missing the \"{missing}\" claim")));
        }
        if end.is_some_and(|end| end <= now - leeway) {
            return Err(Refusal::new(RefusalKind::Expired, "Token has expired"));
        }
        Ok(())
    }

    fn look_at_issuer(&self, claims: &Claims) -> Result<(), Refusal> {
        let Some(expected) = &self.issuer else { return Ok(()) };
        match claims.get("iss") {
            None => Err(Refusal::invalid("Token is missing the \"iss\" claim")),
            Some(issuer) if issuer == expected => Ok(()),
            Some(_) => Err(Refusal::invalid("Invalid issuer")),
        }
    }

    fn look_at_audience(&self, claims: &Claims) -> Result<(), Refusal> {
        let Some(given) = claims.get("aud") else {
            return match self.audience.is_empty() {
                true => Ok(()),
                false => Err(Refusal::invalid("Token is missing the \"aud\" claim")),
            };
        };
        let given = match given {
            Value::Array(several) => several.as_slice(),
            one => std::slice::from_ref(one),
        };
        if !given.iter().all(Value::is_string) {
            return Err(Refusal::invalid("Invalid claim format in token"));
        }
        let ours = |one: &Value| self.audience.iter().any(|name| one == name);
        if given.iter().any(ours) { Ok(()) } else { Err(Refusal::invalid("Invalid audience")) }
    }
}

/// Reads a time as Python's `int(..)` does: whole seconds, however they are written. Times beyond
/// all bounds become the furthest one.
pub(super) fn seconds(value: &Value) -> Option<i128> {
    match value {
        Value::Number(number) => {
            number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from)).or_else(
                // Clamped so that adding the leeway cannot overflow.
                || number.as_f64().map(|float| float.clamp(-1e30, 1e30) as i128),
            )
        }
        Value::String(text) => text.trim().parse().ok(),
        Value::Bool(yes) => Some(i128::from(*yes)),
        _ => None,
    }
}

/// The claims of a token that is being made, in the order of Flask-JWT-Extended 3.
#[derive(Serialize)]
pub(super) struct Written<'a> {
    pub iat: u64,
    pub nbf: u64,
    pub jti: &'a str,
    pub exp: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<ClaimOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sub: Option<ClaimOut<'a>>,
    pub fresh: &'a Value,
    pub r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub csrf: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iss: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aud: Option<Value>,
    #[serde(flatten)]
    pub more: &'a Claims,
    #[serde(flatten)]
    pub exact: &'a ExactClaims,
}

impl Written<'_> {
    /// The token, signed.
    pub fn sign(&self, keys: &Keys) -> Result<String, BoxError> {
        let mut token = String::with_capacity(512);
        token.push_str(keys.head());
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(serde_json::to_vec(self)?, &mut token);
        keys.sign(&mut token)?;
        Ok(token)
    }
}

/// Returns the values of the claims `identity` and `sub`. `exact` is the text of an identity that
/// no `Value` holds.
pub(super) fn named<'a>(
    identity: &'a Value,
    exact: Option<&'a RawValue>,
    claim: IdentityClaim,
) -> (Option<ClaimOut<'a>>, Option<ClaimOut<'a>>) {
    let whole = || match exact {
        Some(text) => ClaimOut::Text(text),
        None => ClaimOut::Value(Cow::Borrowed(identity)),
    };
    let sub = || match identity {
        // It has to be text (RFC 7519, 4.1.2), and PyJWT insists.
        Value::Number(number) => ClaimOut::Value(Cow::Owned(Value::String(number.to_string()))),
        Value::String(_) => ClaimOut::Value(Cow::Borrowed(identity)),
        _ => whole(),
    };
    match claim {
        IdentityClaim::Identity => (Some(whole()), None),
        IdentityClaim::Sub => (None, Some(sub())),
        // An identity that is no name cannot be a `sub`.
        IdentityClaim::Both if identity.is_object() || identity.is_array() => (Some(whole()), None),
        IdentityClaim::Both => (Some(whole()), Some(sub())),
    }
}
