//! The reasons why a token is refused, in the words of Flask-JWT-Extended and PyJWT, which clients
//! know.

use std::borrow::Cow;
use std::fmt;

use axum::response::IntoResponse;
use http::{HeaderValue, StatusCode, header};
use serde_json::json;

use super::{Identity, Tokens};
use crate::context;
use crate::http::{Error, WholeError};

/// The reason why a token is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    kind: RefusalKind,
    said: Cow<'static, str>,
    token: Refused,
}

/// The token that is refused, if the service has a hook that answers refusals.
#[derive(Clone, Debug, Default)]
struct Refused(Option<Identity>);

// Two refusals are equal if they say the same, whichever token it is of.
impl PartialEq for Refused {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Refused {}

/// The kinds of refusal, by what the client can do about them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalKind {
    /// There is no token: show one.
    Missing,
    /// The token is not one of this service, or not for this route: show another.
    Invalid,
    /// The token has expired: refresh it, or log in.
    Expired,
    /// The token is valid, but the password was not given lately: log in.
    NotFresh,
    /// The token has been revoked.
    Revoked,
    /// The cookies would go where no location looks for them: a fault of the service.
    Misplaced,
    /// The token came in a cookie, and nothing proves that the page that sent it may read the cookies.
    Csrf,
    /// `App::token_verified` refused the token.
    NotVerified,
    /// `App::token_user` knows no user of this name.
    UnknownUser,
}

/// The version of Flask-JWT-Extended whose messages are used where the two differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Words {
    /// 3.25, as Gnar Gear.
    Version3,
    /// 4.7.
    Version4,
}

impl Refusal {
    pub(super) fn new(kind: RefusalKind, said: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, said: said.into(), token: Refused::default() }
    }

    pub(super) fn invalid(said: impl Into<Cow<'static, str>>) -> Self {
        Self::new(RefusalKind::Invalid, said)
    }

    pub(super) fn missing(said: impl Into<Cow<'static, str>>) -> Self {
        Self::new(RefusalKind::Missing, said)
    }

    pub(super) fn of_token(self, token: Option<Identity>) -> Self {
        Self { token: Refused(token), ..self }
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
            // A client that shows nothing is told no more than what to show.
            RefusalKind::Missing => format!("Bearer realm=\"{realm}\""),
            _ => {
                let said = self.said.replace(['"', '\\'], "'");
                format!(
                    "Bearer realm=\"{realm}\", error=\"invalid_token\", error_description=\"{said}\""
                )
            }
        };
        let challenge = HeaderValue::from_str(&challenge)
            .unwrap_or_else(|_| HeaderValue::from_static("Bearer error=\"invalid_token\""));
        let status = self.status(key.is_some());
        let body = key.map(|key| axum::Json(json!({ (key): self.said })));
        let error = Error::new(status, self.said).plain();
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
    fn status(&self, of_flask: bool) -> StatusCode {
        match self.kind {
            RefusalKind::NotVerified => StatusCode::BAD_REQUEST,
            RefusalKind::Invalid if of_flask => StatusCode::UNPROCESSABLE_ENTITY,
            _ => StatusCode::UNAUTHORIZED,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.said)
    }
}

impl std::error::Error for Refusal {}

// A refusal that a handler returns is answered as a guard's.
inventory::submit! { WholeError(|error| {
    let refusal: &Refusal = error.downcast_ref()?;
    let tokens: Tokens = context::try_app()?.try_part().ok()?;
    let is_client_s = refusal.kind != RefusalKind::Misplaced;
    is_client_s.then(|| tokens.refused(refusal.clone(), refusal.token().as_ref()))
}) }

crate::recognise!(|error| {
    let refusal: &Refusal = error.downcast_ref()?;
    (refusal.kind != RefusalKind::Misplaced).then(|| refusal.status(false))
});
