//! `#[protected]`: the guard that requires a token.

use std::sync::Arc;

use http::request::Parts;

use super::claims::TokenType;
use super::csrf::check_csrf;
use super::current_caller;
use super::found_token::NotFound;
use super::identity::Identity;
use super::openapi;
use super::refusal::{Refusal, RefusalKind};
use super::setting_types::{FlaskVersion, TokenLocation};
use super::settings::JwtSettings;
use super::token_in_body::BufferedBody;
use super::token_lookup::{TokenLookup, note_cookie_guard};
use super::tokens::{Inner, Tokens};
use crate::config::{Config, Problems};
use crate::handle::Handle;
use crate::http::{
    ArgumentBodyFirst, BodyFirst, BodyFirstRule, Error, Guard, GuardFuture, Operation,
};
use crate::part::Part;

/// Marks a request in which an optional guard has found no token, so that an argument does not look
/// in locations that the guard excludes.
#[derive(Clone, Copy)]
pub(super) struct NoTokenFound(pub TokenGuard);

/// Lets only requests with a valid token pass: `#[protected]`.
///
/// ```
/// use piton::prelude::*;
/// use piton::auth::jwt::TokenGuard;
/// use piton::http::delete;
///
/// async fn close_account() -> &'static str { "closed" }
///
/// let app = App::new("bank").route(delete("/account", close_account).guard(TokenGuard::new().fresh()));
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct TokenGuard {
    fresh: bool,
    refresh: bool,
    optional: bool,
    any_type: bool,
    skip_revocation_check: bool,
    locations: Option<&'static [TokenLocation]>,
}

impl TokenGuard {
    /// The module of the argument types that require an access token.
    const MODULE: &str = "piton::auth::jwt";

    /// Requires an access token, fresh or not.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Requires a token that was made by a login: `#[protected(fresh)]`.
    #[must_use]
    pub fn fresh(self) -> Self {
        Self { fresh: true, ..self }
    }

    /// Requires a refresh token: `#[protected(refresh)]`.
    #[must_use]
    pub fn refresh(self) -> Self {
        Self { refresh: true, ..self }
    }

    /// Lets requests without a token pass too. A token that is not valid is still refused:
    /// `#[protected(optional)]`.
    #[must_use]
    pub fn optional(self) -> Self {
        Self { optional: true, ..self }
    }

    /// Looks for a token in these locations, instead of those of `jwt.location`:
    /// `#[protected(locations = ["headers", "cookies"])]`.
    ///
    /// An unknown location does not compile:
    ///
    /// ```compile_fail
    /// use piton::prelude::*;
    ///
    /// #[get("/me")]
    /// #[protected(locations = ["headers", "body"])]
    /// async fn me(who: Identity) -> String {
    ///     who.subject().to_owned()
    /// }
    /// ```
    #[must_use]
    pub fn locations(self, locations: &'static [TokenLocation]) -> Self {
        Self { locations: Some(locations), ..self }
    }

    /// Sets whether the type of the token is checked. With `false`, both types are accepted: `#[protected(verify_type = false)]`.
    #[must_use]
    pub fn verify_type(self, verify: bool) -> Self {
        Self { any_type: !verify, ..self }
    }

    /// Skips the deny-list: `#[protected(skip_revocation_check)]`.
    #[must_use]
    pub fn skip_revocation_check(self) -> Self {
        Self { skip_revocation_check: true, ..self }
    }

    /// Returns the same guard, with the token made optional or required.
    pub(super) const fn with_optional(mut self, optional: bool) -> Self {
        self.optional = optional;
        self
    }

    pub(super) const fn is_fresh(&self) -> bool {
        self.fresh
    }

    pub(super) const fn is_optional(&self) -> bool {
        self.optional
    }

    pub(super) const fn checks_deny_list(&self) -> bool {
        !self.skip_revocation_check
    }

    pub(super) const fn token_type(&self) -> TokenType {
        if self.refresh { TokenType::Refresh } else { TokenType::Access }
    }

    pub(super) fn accepts(&self, token: &Identity) -> bool {
        self.any_type || token.token_type() == self.token_type()
    }

    pub(super) fn locations_or<'a>(&self, others: &'a [TokenLocation]) -> &'a [TokenLocation] {
        self.locations.unwrap_or(others)
    }

    async fn admit(&self, head: &mut Parts, tokens: &Tokens) -> Result<Option<Identity>, Error> {
        // A middleware of the service may have authenticated the caller before the guard runs.
        let known = current_caller::current().filter(|known| self.accepts(known));
        let is_enough = |known: &Identity| !self.fresh || known.is_fresh();
        match known {
            Some(known) if is_enough(&known) => Ok(Some(known)),
            _ => tokens.admit(head, self).await,
        }
    }
}

impl Guard for TokenGuard {
    fn describe(&self, operation: &mut Operation) {
        operation.needs::<Tokens>();
        operation.body_first(*self);
        let scheme = openapi::scheme(self.locations, self.refresh);
        match self.optional {
            true => operation.optionally(|operation| operation.security(scheme)),
            false => operation.security(scheme),
        }
    }

    fn explain(&self) -> Option<String> {
        let options = [
            (self.fresh, ".fresh()"),
            (self.refresh, ".refresh()"),
            (self.optional, ".optional()"),
            (self.any_type, ".verify_type(false)"),
            (self.skip_revocation_check, ".skip_revocation_check()"),
        ];
        let options = options.iter().filter_map(|(is_set, call)| is_set.then_some(*call));
        let mut made =
            format!("piton::auth::jwt::TokenGuard::new(){}", options.collect::<String>());
        if let Some(locations) = self.locations {
            let name =
                |location: &TokenLocation| format!("piton::auth::jwt::TokenLocation::{location:?}");
            let names: Vec<_> = locations.iter().map(name).collect();
            made += &format!(".locations(&[{}])", names.join(", "));
        }
        Some(made)
    }

    fn reads_headers_only(&self, app: &Handle) -> bool {
        let Ok(tokens) = app.try_part::<Tokens>() else { return true };
        let locations = self.locations_or(&tokens.0.lookup.locations);
        locations.iter().all(|it| matches!(it, TokenLocation::Headers | TokenLocation::Cookies))
    }

    fn check<'a>(&'a self, head: &'a mut Parts, app: &'a Handle) -> GuardFuture<'a> {
        Box::pin(async move {
            if self.admit(head, &app.try_part()?).await?.is_none() {
                head.extensions.insert(NoTokenFound(*self));
            }
            Ok(())
        })
    }
}

inventory::submit! {
    ArgumentBodyFirst {
        is_argument: |name| {
            ["identity::Identity", "identity::CurrentUser<"]
                .iter()
                .any(|it| name.contains(&format!("{}::{it}", TokenGuard::MODULE)))
        },
        rule: || BodyFirstRule(Arc::new(TokenGuard::new())),
    }
}

impl BodyFirst for TokenGuard {
    fn applies(&self, config: &Config) -> bool {
        if self.locations.is_some_and(|own| own.contains(&TokenLocation::Cookies)) {
            note_cookie_guard();
        }
        let settings: JwtSettings = config.read(Tokens::NAME, &mut Problems::new());
        let sources = TokenLookup::new(&settings, FlaskVersion::Version3);
        sources.need_body(self.locations_or(&sources.locations))
    }

    fn wants(&self, head: &Parts, app: &Handle) -> bool {
        let Ok(tokens) = app.try_part::<Tokens>() else { return false };
        let sources = &tokens.0.lookup;
        let locations = self.locations_or(&sources.locations);
        let found = sources.find(head, locations, self.token_type());
        matches!(found, Err(NotFound::InBody))
    }

    fn keep(&self, head: &mut Parts, body: bytes::Bytes) {
        head.extensions.insert(BufferedBody(body));
    }
}

impl Tokens {
    /// Returns the caller of the request. `Ok(None)` only if the guard is optional.
    pub(super) async fn admit(
        &self,
        head: &mut Parts,
        guard: &TokenGuard,
    ) -> Result<Option<Identity>, Error> {
        let Some(identity) = self.authenticate(head, guard)? else { return Ok(None) };
        let refused =
            |kind, message: String| Err(self.refused(Refusal::new(kind, message), Some(&identity)));
        let Inner { hooks, validation, .. } = &*self.0;
        if !guard.accepts(&identity) {
            let only = match (guard.token_type(), validation.messages) {
                (TokenType::Access, FlaskVersion::Version4) => "non-refresh",
                (wanted, _) => wanted.name(),
            };
            return refused(RefusalKind::Invalid, format!("Only {only} tokens are allowed"));
        }
        if guard.is_fresh() && !identity.is_fresh() {
            return refused(RefusalKind::NotFresh, "Fresh token required".into());
        }
        if guard.checks_deny_list() && hooks.is_revoked(&identity).await? {
            return refused(RefusalKind::Revoked, "Token has been revoked".into());
        }
        if !hooks.is_verified(&identity).await? {
            return refused(RefusalKind::NotVerified, "User claims verification failed".into());
        }
        if !hooks.load_user(&identity, &mut head.extensions).await? {
            let message = format!("Error loading the user {}", identity.subject());
            return refused(RefusalKind::UnknownUser, message);
        }
        current_caller::remember(&identity, self);
        Ok(Some(identity))
    }

    /// Finds, reads and validates the token of the request, with its CSRF token. `Ok(None)` if there is no
    /// token and the guard is optional.
    fn authenticate(&self, head: &Parts, guard: &TokenGuard) -> Result<Option<Identity>, Error> {
        let lookup = &self.0.lookup;
        let locations = guard.locations_or(&lookup.locations);
        let found = match lookup.find(head, locations, guard.token_type()) {
            Ok(found) => found,
            Err(NotFound::Absent(_)) if guard.is_optional() => return Ok(None),
            Err(NotFound::Absent(refusal) | NotFound::Refused(refusal)) => {
                return Err(self.refused(refusal, None));
            }
            Err(NotFound::InBody) => {
                return Err(Error::internal("the body was not read before the token"));
            }
        };
        let identity = match self.read(&found.token) {
            Ok(identity) => identity.found_in(found.location),
            Err(refusal) => {
                let expired = refusal.token();
                return Err(self.refused(refusal, expired.as_ref()));
            }
        };
        if let Some(csrf) = &found.csrf
            && let Err(refusal) = check_csrf(&identity, csrf)
        {
            return Err(self.refused(refusal, Some(&identity)));
        }
        Ok(Some(identity))
    }
}
