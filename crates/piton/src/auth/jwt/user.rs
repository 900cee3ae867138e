//! The user of a token, as a handler's argument.

use std::ops::Deref;
use std::sync::Arc;

use axum::extract::{FromRef, FromRequestParts, OptionalFromRequestParts};
use http::request::Parts;

use super::guard::Protected;
use super::identity;
use crate::handle::Handle;
use crate::http::{Error, Guard, Input, Operation};

/// The user that [`App::token_user`](crate::App::token_user) has loaded for the token of the
/// request. As a handler's argument it requires a token; `Option<CurrentUser<U>>` does not.
#[derive(Debug)]
pub struct CurrentUser<U>(pub(super) Arc<U>);

impl<U> Clone for CurrentUser<U> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<U> Deref for CurrentUser<U> {
    type Target = U;

    fn deref(&self) -> &U {
        &self.0
    }
}

impl<U> Input for CurrentUser<U> {
    fn describe(operation: &mut Operation) {
        Protected::new().describe(operation);
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
        identity::of_request(head, state, false).await?;
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
        identity::of_request(head, state, true).await?;
        Ok(head.extensions.get::<Self>().cloned())
    }
}
