//! The reasons why a token is refused, with the messages of Flask-JWT-Extended and PyJWT, which clients
//! match on.

use std::borrow::Cow;
use std::fmt;

use axum::response::IntoResponse;
use http::{HeaderValue, StatusCode, header};
use serde_json::json;

use super::identity::Identity;
use crate::http::Error;

/// The reason why a token is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    kind: RefusalKind,
    message: Cow<'static, str>,
    token: RefusedToken,
}

/// The refused token, kept only for services with a hook that answers refusals.
#[derive(Clone, Debug, Default)]
struct RefusedToken(Option<Identity>);

// Refusals are compared by kind and message: tests do so, and the token makes no difference to the client.
impl PartialEq for RefusedToken {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for RefusedToken {}

/// The kinds of refusal, by what the client can do about them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalKind {
    /// The request has no token: send one.
    Missing,
    /// The token was not made for this service or this route: send another.
    Invalid,
    /// The token has expired: refresh it, or log in.
    Expired,
    /// The token is valid, but was not made by a recent login: log in.
    NotFresh,
    /// The token has been revoked.
    Revoked,
    /// Cookies were made although no location reads them: a fault of the service.
    Misplaced,
    /// The token came in a cookie without a valid CSRF token.
    Csrf,
    /// `App::token_verified` refused the token.
    NotVerified,
    /// `App::token_user` knows no user of this name.
    UnknownUser,
}

impl Refusal {
    pub(super) fn new(kind: RefusalKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, message: message.into(), token: RefusedToken::default() }
    }

    pub(super) fn invalid(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(RefusalKind::Invalid, message)
    }

    pub(super) fn missing(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(RefusalKind::Missing, message)
    }

    pub(super) fn of_token(self, token: Option<Identity>) -> Self {
        Self { token: RefusedToken(token), ..self }
    }

    pub(super) fn token(&self) -> Option<Identity> {
        self.token.0.clone()
    }

    /// Returns the kind of refusal.
    #[must_use]
    pub fn kind(&self) -> RefusalKind {
        self.kind
    }

    /// Returns the response with its challenge (RFC 6750). `key` is `jwt.error_message_key`.
    pub(super) fn into_error(self, realm: &str, key: Option<&str>) -> Error {
        let challenge = match self.kind {
            // RFC 6750, section 3.1: no error code if the request has no credentials at all.
            RefusalKind::Missing => format!("Bearer realm=\"{realm}\""),
            _ => {
                let message = self.message.replace(['"', '\\'], "'");
                format!(
                    "Bearer realm=\"{realm}\", error=\"invalid_token\", error_description=\"{message}\""
                )
            }
        };
        let challenge = HeaderValue::from_str(&challenge)
            .unwrap_or_else(|_| HeaderValue::from_static("Bearer error=\"invalid_token\""));
        let status = self.status(key.is_some());
        let body = key.map(|key| axum::Json(json!({ (key): self.message })));
        let error = Error::new(status, self.message).plain();
        let error = match status {
            StatusCode::UNAUTHORIZED => error.header(header::WWW_AUTHENTICATE, challenge),
            _ => error,
        };
        match body {
            Some(body) => error.with_response((status, body).into_response()),
            None => error,
        }
    }

    /// Returns the status: 401, or in the style of Flask-JWT-Extended 422 for an invalid token.
    pub(super) fn status(&self, of_flask: bool) -> StatusCode {
        match self.kind {
            RefusalKind::NotVerified => StatusCode::BAD_REQUEST,
            RefusalKind::Invalid if of_flask => StatusCode::UNPROCESSABLE_ENTITY,
            _ => StatusCode::UNAUTHORIZED,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Refusal {}

crate::map_error!(|error| {
    let refusal: &Refusal = error.downcast_ref()?;
    (refusal.kind != RefusalKind::Misplaced).then(|| refusal.status(false))
});
