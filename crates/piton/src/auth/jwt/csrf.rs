//! The protection of tokens in cookies against cross-site requests, by double submit: the request
//! carries a CSRF token in a header or a field of its form, and the JWT has the same in its claim `csrf`.

use std::borrow::Cow;

use http::request::Parts;
use http::{HeaderName, Method, header};
use subtle::ConstantTimeEq;

use super::claims::TokenType;
use super::found_token::NotFound;
use super::identity::Identity;
use super::refusal::{Refusal, RefusalKind};
use super::settings::JwtSettings;
use super::token_in_body::{self, BufferedBody};

/// The requests that must carry a CSRF token when their JWT is in a cookie, and where they carry it. The
/// first entry of a pair is for access tokens, the second for refresh tokens.
#[derive(Debug)]
pub(super) struct CsrfRules {
    methods: Vec<Method>,
    headers: [HeaderName; 2],
    /// The fields of a form that may carry the CSRF token; `None` if forms are not read.
    fields: Option<[String; 2]>,
}

impl CsrfRules {
    /// Reads the rules from the settings, which have been checked.
    pub fn from_settings(settings: &JwtSettings) -> Self {
        let header =
            |name: &str| HeaderName::from_bytes(name.as_bytes()).unwrap_or(header::AUTHORIZATION);
        Self {
            methods: settings.csrf_methods.0.clone(),
            headers: [
                header(&settings.access_csrf_header_name),
                header(&settings.refresh_csrf_header_name),
            ],
            fields: settings.csrf_check_form.then(|| {
                [settings.access_csrf_field_name.clone(), settings.refresh_csrf_field_name.clone()]
            }),
        }
    }

    /// Returns whether the CSRF token may be in a form, so that the body has to be read.
    pub const fn checks_form(&self) -> bool {
        self.fields.is_some()
    }

    /// Returns the CSRF token of a request that must carry one, by its method.
    ///
    /// # Errors
    /// The request has none, or its body has to be read first.
    pub fn required_token<'a>(
        &self,
        head: &'a Parts,
        wanted: TokenType,
    ) -> Result<Option<Cow<'a, str>>, NotFound> {
        match self.methods.contains(&head.method) {
            true => self.csrf_token(head, wanted).map(Some),
            false => Ok(None),
        }
    }

    /// Returns the CSRF token of the request, which proves that its page may read the cookies.
    fn csrf_token<'a>(&self, head: &'a Parts, wanted: TokenType) -> Result<Cow<'a, str>, NotFound> {
        let csrf_token = head.headers.get(&self.headers[wanted as usize]);
        let csrf_token =
            csrf_token.and_then(|value| value.to_str().ok()).filter(|value| !value.is_empty());
        if let Some(csrf_token) = csrf_token {
            return Ok(Cow::Borrowed(csrf_token));
        }
        let missing = || NotFound::Refused(Refusal::new(RefusalKind::Csrf, "Missing CSRF token"));
        let field = self.fields.as_ref().filter(|_| token_in_body::is_form(&head.headers));
        let field = &field.ok_or_else(missing)?[wanted as usize];
        let BufferedBody(body) = head.extensions.get::<BufferedBody>().ok_or(NotFound::InBody)?;
        let csrf_token =
            token_in_body::find_pair(body, field).filter(|csrf_token| !csrf_token.is_empty());
        csrf_token.map(Cow::Owned).ok_or_else(missing)
    }
}

/// Compares the CSRF token of the request with the claim `csrf` of its JWT.
pub(super) fn check_csrf(identity: &Identity, csrf_token: &str) -> Result<(), Refusal> {
    let csrf = csrf_claim(identity)?;
    match bool::from(csrf.as_bytes().ct_eq(csrf_token.as_bytes())) {
        true => Ok(()),
        false => Err(Refusal::new(RefusalKind::Csrf, "CSRF double submit tokens do not match")),
    }
}

/// Returns the claim `csrf`, which tokens made for cookies have.
pub(super) fn csrf_claim(identity: &Identity) -> Result<&str, Refusal> {
    identity.csrf().ok_or_else(|| Refusal::invalid("Missing claim: csrf"))
}
