//! The hooks by which a service takes part in making and checking tokens: methods of [`App`].

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use http::Extensions;
use serde_json::Value;

use super::claims::Claims;
use super::identity::{CurrentUser, Identity};
use super::refusal::Refusal;
use crate::app::App;
use crate::http::Result;
use crate::part::Launch;

type HookFuture<T> = Pin<Box<dyn Future<Output = Result<T>> + Send>>;
type CheckToken = dyn Fn(Identity) -> HookFuture<bool> + Send + Sync;
type MakeClaims = dyn Fn(&Value) -> Result<Claims> + Send + Sync;
/// Puts the user into the extensions of the request.
type InsertUser = Box<dyn FnOnce(&mut Extensions) + Send>;
type LoadUser = dyn Fn(Identity) -> HookFuture<Option<InsertUser>> + Send + Sync;
type HandleRefusal = dyn Fn(&Refusal, Option<&Identity>) -> Option<Response> + Send + Sync;

#[derive(Clone)]
struct RevocationCheck(Arc<CheckToken>);

#[derive(Clone)]
struct ClaimsCheck(Arc<CheckToken>);

#[derive(Clone)]
struct MoreClaims(Arc<MakeClaims>);

#[derive(Clone)]
struct MoreHeaders(Arc<MakeClaims>);

#[derive(Clone)]
struct UserLoader(Arc<LoadUser>);

#[derive(Clone)]
struct RefusalHandler(Arc<HandleRefusal>);

impl App {
    /// Sets the deny-list: `ask` is called for every token that is otherwise valid, and returns whether
    /// it has been revoked. An error becomes the response, as a handler's does, and the token is not accepted.
    ///
    /// ```
    /// use piton::prelude::*;
    ///
    /// let app = App::new("bank").token_revoked(|token| async move {
    ///     // Renewed tokens have the family of the token that was shown first.
    ///     let revoked = token.family_id() == Some("stolen"); // look it up in the database
    ///     Ok(revoked)
    /// });
    /// ```
    #[must_use]
    pub fn token_revoked<F, Fut>(self, ask: F) -> Self
    where
        F: Fn(Identity) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<bool>> + Send + 'static,
    {
        self.provide(RevocationCheck(Arc::new(move |identity| Box::pin(ask(identity)))))
    }

    /// Adds claims to every token that is made, also to a renewed one. Claims of
    /// [`NewToken::claim`](super::NewToken::claim) outrank them. Flask-JWT-Extended's
    /// `additional_claims_loader`.
    ///
    /// ```
    /// use piton::prelude::*;
    /// use piton::auth::jwt::Claims;
    /// use piton::serde_json::json;
    ///
    /// let app = App::new("bank").token_claims(|identity| {
    ///     let role = if identity == "ada" { "admin" } else { "customer" };
    ///     Ok(Claims::from_iter([("role".to_owned(), json!(role))]))
    /// });
    /// ```
    #[must_use]
    pub fn token_claims<F>(self, claims: F) -> Self
    where
        F: Fn(&Value) -> Result<Claims> + Send + Sync + 'static,
    {
        self.provide(MoreClaims(Arc::new(claims)))
    }

    /// Adds members to the header of every token that is made. Those of
    /// [`NewToken::header`](super::NewToken::header) outrank them. Flask-JWT-Extended's
    /// `additional_headers_loader`.
    ///
    /// ```
    /// use piton::prelude::*;
    /// use piton::auth::jwt::Claims;
    /// use piton::serde_json::json;
    ///
    /// let app = App::new("bank")
    ///     .token_headers(|_| Ok(Claims::from_iter([("typ".to_owned(), json!("at+jwt"))])));
    /// ```
    #[must_use]
    pub fn token_headers<F>(self, headers: F) -> Self
    where
        F: Fn(&Value) -> Result<Claims> + Send + Sync + 'static,
    {
        self.provide(MoreHeaders(Arc::new(headers)))
    }

    /// Verifies the claims of every token that is otherwise valid. `false` becomes 400 "User claims
    /// verification failed". Flask-JWT-Extended's `token_verification_loader`.
    ///
    /// ```
    /// use piton::prelude::*;
    ///
    /// let app = App::new("bank").token_verified(|token| async move {
    ///     Ok(token.claim::<u32>("version").is_some_and(|version| version >= 2))
    /// });
    /// ```
    #[must_use]
    pub fn token_verified<F, Fut>(self, ask: F) -> Self
    where
        F: Fn(Identity) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<bool>> + Send + 'static,
    {
        self.provide(ClaimsCheck(Arc::new(move |identity| Box::pin(ask(identity)))))
    }

    /// Loads the user of every token that is otherwise valid, for handlers that take
    /// [`CurrentUser`]. `None` becomes 401. Flask-JWT-Extended's `user_lookup_loader`.
    ///
    /// ```
    /// use piton::prelude::*;
    /// use piton::auth::jwt::CurrentUser;
    ///
    /// struct User { name: String }
    ///
    /// #[get("/me")]
    /// async fn me(user: CurrentUser<User>) -> String {
    ///     user.name.clone()
    /// }
    ///
    /// # fn main() {
    /// let app = App::new("bank").token_user(|token| async move {
    ///     let user = User { name: token.subject().to_owned() }; // look it up in the database
    ///     Ok(Some(user))
    /// });
    /// # }
    /// ```
    #[must_use]
    pub fn token_user<U, F, Fut>(self, load: F) -> Self
    where
        U: Send + Sync + 'static,
        F: Fn(Identity) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Option<U>>> + Send + 'static,
    {
        let load = move |identity| {
            let user = load(identity);
            let insert = async move {
                let user = user.await?.map(|user| CurrentUser(Arc::new(user)));
                Ok(user.map(|user| {
                    let insert: InsertUser = Box::new(move |extensions: &mut Extensions| {
                        extensions.insert(user);
                    });
                    insert
                }))
            };
            let answer: HookFuture<Option<InsertUser>> = Box::pin(insert);
            answer
        };
        self.provide(UserLoader(Arc::new(load)))
    }

    /// Replaces the responses of refusals, by their kind; `None` leaves the usual response. The token
    /// is passed if it could be read. Flask-JWT-Extended's
    /// `expired_token_loader`, `invalid_token_loader` and their like.
    ///
    /// ```
    /// use piton::prelude::*;
    /// use piton::auth::jwt::RefusalKind;
    ///
    /// let app = App::new("bank").token_refused(|refusal, _| match refusal.kind() {
    ///     RefusalKind::Expired => Some(Error::new(piton::StatusCode::GONE, "log in again")),
    ///     _ => None,
    /// });
    /// ```
    #[must_use]
    pub fn token_refused<F, R>(self, answer: F) -> Self
    where
        F: Fn(&Refusal, Option<&Identity>) -> Option<R> + Send + Sync + 'static,
        R: IntoResponse,
    {
        let answer = move |refusal: &Refusal, token: Option<&Identity>| {
            answer(refusal, token).map(IntoResponse::into_response)
        };
        self.provide(RefusalHandler(Arc::new(answer)))
    }
}

/// The hooks of the service.
pub(super) struct TokenHooks {
    revoked: Option<RevocationCheck>,
    verified: Option<ClaimsCheck>,
    claims: Option<MoreClaims>,
    headers: Option<MoreHeaders>,
    user: Option<UserLoader>,
    refused: Option<RefusalHandler>,
}

impl TokenHooks {
    pub fn of(launch: &Launch) -> Self {
        Self {
            revoked: launch.provided().next().cloned(),
            verified: launch.provided().next().cloned(),
            claims: launch.provided().next().cloned(),
            headers: launch.provided().next().cloned(),
            user: launch.provided().next().cloned(),
            refused: launch.provided().next().cloned(),
        }
    }

    pub const fn has_deny_list(&self) -> bool {
        self.revoked.is_some()
    }

    pub const fn adds_claims(&self) -> bool {
        self.claims.is_some()
    }

    pub const fn answers_refusals(&self) -> bool {
        self.refused.is_some()
    }

    pub async fn is_revoked(&self, token: &Identity) -> Result<bool> {
        match &self.revoked {
            Some(revoked) => revoked.0(token.clone()).await,
            None => Ok(false),
        }
    }

    pub async fn is_verified(&self, token: &Identity) -> Result<bool> {
        match &self.verified {
            Some(verified) => verified.0(token.clone()).await,
            None => Ok(true),
        }
    }

    /// Loads the user if the service has that hook. Returns false if the user does not exist.
    pub async fn load_user(&self, token: &Identity, extensions: &mut Extensions) -> Result<bool> {
        let Some(user) = &self.user else { return Ok(true) };
        let insert = user.0(token.clone()).await?;
        Ok(insert.map(|insert| insert(extensions)).is_some())
    }

    pub fn claims(&self, identity: &Value) -> Result<Claims> {
        self.claims.as_ref().map_or_else(|| Ok(Claims::new()), |claims| claims.0(identity))
    }

    pub fn headers(&self, identity: &Value) -> Result<Claims> {
        self.headers.as_ref().map_or_else(|| Ok(Claims::new()), |headers| headers.0(identity))
    }

    pub fn answer(&self, refusal: &Refusal, token: Option<&Identity>) -> Option<Response> {
        self.refused.as_ref()?.0(refusal, token)
    }
}

impl fmt::Debug for TokenHooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHooks")
    }
}
