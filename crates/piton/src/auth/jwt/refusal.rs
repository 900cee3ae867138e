//! Why a token is not taken, in the words of Flask-JWT-Extended and PyJWT: clients know them.

use std::borrow::Cow;
use std::fmt;

use http::{HeaderValue, header};

use crate::http::Error;

/// Why a token is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    kind: RefusalKind,
    said: Cow<'static, str>,
}

/// What to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalKind {
    /// There is no token: show one.
    Missing,
    /// It is no token of ours, or not for this: show another.
    Invalid,
    /// Its time is over: refresh it, or log in.
    Expired,
    /// It is valid, but the password was not given lately: log in.
    NotFresh,
    /// It has been taken back.
    Revoked,
    /// It is to go where nobody looks for it: a fault of ours.
    Misplaced,
    /// It came in a cookie, and nothing proves that the page that sent it may read the cookies.
    Csrf,
}

impl Refusal {
    pub(super) fn new(kind: RefusalKind, said: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, said: said.into() }
    }

    pub(super) fn invalid(said: impl Into<Cow<'static, str>>) -> Self {
        Self::new(RefusalKind::Invalid, said)
    }

    /// What to do about it.
    #[must_use]
    pub fn kind(&self) -> RefusalKind {
        self.kind
    }

    /// The answer: 401, with the header that says how to come in (RFC 6750).
    pub(super) fn into_error(self, realm: &str) -> Error {
        let challenge = match self.kind {
            // Who shows nothing is told no more than what to show.
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
        Error::unauthorized(self.said).header(header::WWW_AUTHENTICATE, challenge).plain()
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.said)
    }
}

impl std::error::Error for Refusal {}

crate::recognise!(|error| {
    let refusal: &Refusal = error.downcast_ref()?;
    (refusal.kind != RefusalKind::Misplaced).then_some(http::StatusCode::UNAUTHORIZED)
});
