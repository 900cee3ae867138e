//! Encodes and signs tokens.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

use super::checks::FAMILY;
use super::claims::Claims;
use super::exact::{ClaimOut, ExactClaims};
use super::keys::Keys;
use super::values::IdentityClaim;
use crate::part::BoxError;

/// The claims of a new token, serialized in the order of Flask-JWT-Extended 3.
pub(super) struct ClaimsOut<'a> {
    pub iat: u64,
    pub nbf: Option<u64>,
    pub jti: &'a str,
    pub exp: Option<u64>,
    /// The claims that name the caller.
    pub identities: [Option<(&'a str, ClaimOut<'a>)>; 2],
    pub fresh: &'a Value,
    pub r#type: &'static str,
    pub csrf: Option<&'a str>,
    pub iss: Option<&'a str>,
    pub aud: &'a [String],
    pub family: Option<&'a str>,
    pub more: &'a Claims,
    pub exact: &'a ExactClaims,
}

impl Serialize for ClaimsOut<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("iat", &self.iat)?;
        if let Some(nbf) = self.nbf {
            map.serialize_entry("nbf", &nbf)?;
        }
        map.serialize_entry("jti", self.jti)?;
        if let Some(exp) = self.exp {
            map.serialize_entry("exp", &exp)?;
        }
        for (name, value) in self.identities.iter().flatten() {
            map.serialize_entry(name, value)?;
        }
        map.serialize_entry("fresh", self.fresh)?;
        map.serialize_entry("type", self.r#type)?;
        for (name, value) in [("csrf", self.csrf), ("iss", self.iss), (FAMILY, self.family)] {
            if let Some(value) = value {
                map.serialize_entry(name, value)?;
            }
        }
        match self.aud {
            [] => {}
            [one] => map.serialize_entry("aud", one)?,
            several => map.serialize_entry("aud", several)?,
        }
        for (name, value) in self.more {
            map.serialize_entry(name, value)?;
        }
        for (name, value) in self.exact {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl ClaimsOut<'_> {
    /// Signs the token. `header` has further members of the token's header.
    pub fn sign(&self, keys: &Keys, header: &Claims) -> Result<String, BoxError> {
        let mut token = String::with_capacity(512);
        keys.begin(header, &mut token);
        URL_SAFE_NO_PAD.encode_string(serde_json::to_vec(self)?, &mut token);
        keys.sign(&mut token)?;
        Ok(token)
    }
}

/// Returns the claims that name the caller. `exact` is the text of an identity that no `Value`
/// holds.
pub(super) fn identities<'a>(
    identity: &'a Value,
    exact: Option<&'a RawValue>,
    claim: &'a IdentityClaim,
) -> [Option<(&'a str, ClaimOut<'a>)>; 2] {
    let whole = || match exact {
        Some(text) => ClaimOut::Text(text),
        None => ClaimOut::Value(Cow::Borrowed(identity)),
    };
    // `sub` has to be text (RFC 7519, section 4.1.2), and PyJWT refuses any other.
    let text = match (exact, identity) {
        (Some(text), Value::String(_)) if is_number(text) => {
            Some(ClaimOut::Value(Cow::Borrowed(identity)))
        }
        (_, Value::Number(number)) => {
            Some(ClaimOut::Value(Cow::Owned(Value::String(number.to_string()))))
        }
        (None, Value::String(_)) => Some(ClaimOut::Value(Cow::Borrowed(identity))),
        _ => None,
    };
    match claim {
        IdentityClaim::Named(name) if name == "sub" => {
            [Some(("sub", text.unwrap_or_else(whole))), None]
        }
        IdentityClaim::Named(name) => [Some((name, whole())), None],
        // An object or a list has no text that could be a `sub`.
        IdentityClaim::Both => [Some(("identity", whole())), text.map(|text| ("sub", text))],
    }
}

fn is_number(text: &RawValue) -> bool {
    text.get().starts_with(|first: char| first == '-' || first.is_ascii_digit())
}
