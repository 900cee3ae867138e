//! `Identity` and `CurrentUser` as arguments of handlers.

use axum::extract::{FromRef, FromRequestParts, OptionalFromRequestParts};
use http::request::Parts;

use super::current_caller;
use super::guard::{NoTokenFound, TokenGuard};
use super::identity::{CurrentUser, Identity};
use super::tokens::Tokens;
use crate::handle::Handle;
use crate::http::{Error, Guard, Input, Operation};

impl Input for Identity {
    fn describe(operation: &mut Operation) {
        TokenGuard::new().describe(operation);
    }
}

crate::argument_from!(Tokens: Identity, Option<Identity>);

/// Returns the token that the route's guard has accepted. Without a guard, reads an access token.
async fn of_request<S>(
    head: &mut Parts,
    state: &S,
    optional: bool,
) -> Result<Option<Identity>, Error>
where
    Handle: FromRef<S>,
{
    if let Some(known) = current_caller::current() {
        return Ok(Some(known));
    }
    let tokens: Tokens = Handle::from_ref(state).try_part()?;
    let asked = head.extensions.get::<NoTokenFound>().map(|asked| asked.0);
    let guard = asked.unwrap_or_default().with_optional(optional);
    tokens.admit(head, &guard).await
}

impl<S> FromRequestParts<S> for Identity
where
    S: Send + Sync,
    Handle: FromRef<S>,
{
    type Rejection = Error;

    async fn from_request_parts(head: &mut Parts, state: &S) -> Result<Self, Error> {
        let identity = of_request(head, state, false).await?;
        identity.ok_or_else(|| Error::unauthorized("Missing Authorization Header"))
    }
}

impl<S> OptionalFromRequestParts<S> for Identity
where
    S: Send + Sync,
    Handle: FromRef<S>,
{
    type Rejection = Error;

    async fn from_request_parts(head: &mut Parts, state: &S) -> Result<Option<Self>, Error> {
        of_request(head, state, true).await
    }
}

impl<U> Input for CurrentUser<U> {
    fn describe(operation: &mut Operation) {
        TokenGuard::new().describe(operation);
    }
}

impl<U, S> FromRequestParts<S> for CurrentUser<U>
where
    U: Send + Sync + 'static,
    S: Send + Sync,
    Handle: FromRef<S>,
{
    type Rejection = Error;

    async fn from_request_parts(head: &mut Parts, state: &S) -> Result<Self, Error> {
        of_request(head, state, false).await?;
        head.extensions.get::<Self>().cloned().ok_or_else(|| {
            let user = std::any::type_name::<U>();
            Error::internal(format!(
                "no user for `CurrentUser<{user}>`: `App::token_user` loads none of this type, or \
                 the route lets requests without a token in"
            ))
        })
    }
}

impl<U, S> OptionalFromRequestParts<S> for CurrentUser<U>
where
    U: Send + Sync + 'static,
    S: Send + Sync,
    Handle: FromRef<S>,
{
    type Rejection = Error;

    async fn from_request_parts(head: &mut Parts, state: &S) -> Result<Option<Self>, Error> {
        of_request(head, state, true).await?;
        Ok(head.extensions.get::<Self>().cloned())
    }
}
