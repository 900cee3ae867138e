//! Validates the claims of a token, in the order and with the messages of Flask-JWT-Extended.

use std::borrow::Cow;

use serde_json::Value;

use super::claims::Claims;
use super::refusal::{Refusal, RefusalKind};
use super::setting_types::{FlaskVersion, IdentityClaim};
use crate::compat::python_values::{self, whole_seconds};

/// The rules by which the claims of a token are validated.
pub(super) struct Validation {
    pub leeway: u64,
    pub required: Vec<String>,
    pub issuer: Option<String>,
    /// Accepted audiences. If there are any, a token must have one of them.
    pub audience: Vec<String>,
    /// The audience of the tokens made here, accepted if no audience is required: otherwise the service
    /// would refuse its own tokens.
    pub own_audience: Vec<String>,
    pub identity: IdentityClaim,
    pub verify_sub: bool,
    /// Accepts tokens whose `iat` is in the future.
    pub future_iat: bool,
    /// Treats an empty `aud` as missing, as PyJWT 2 does. PyJWT 1 treats only a missing one so.
    pub null_audience: bool,
    pub messages: FlaskVersion,
}

impl Validation {
    pub fn check(&self, claims: &Claims, now: u64, allow_expired: bool) -> Result<(), Refusal> {
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
        // Refused, because a deny-list looks tokens up by their `jti` as text, and would miss any other.
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
        // Checked only here, because neither version checks the form of an audience it does not expect.
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

    /// Refuses a token whose `identity` and `sub` name different callers, with the setting `both`: in version 4
    /// `identity` may be a claim of the service, and in version 3 `sub`.
    pub fn check_identities(&self, claims: &Claims) -> Result<(), Refusal> {
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
