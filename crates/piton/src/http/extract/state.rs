//! The argument `State`: a value that the service provides.

use axum::extract::{FromRef, FromRequestParts};
use http::request::Parts;

use crate::error::handler_error::Error;
use crate::handle::{Handle, short_type_name};
use crate::http::extract::deref_macro::deref_to_contents;
use crate::http::routing::operation::{Input, Operation};
use crate::part::Dependencies;
use crate::runtime::from_handle::FromHandle;

/// A value of the service, which `App::state` provides. An app whose routes use a type without such a value does not
/// start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct State<T>(pub T);

deref_to_contents!(State);

impl<T, S> FromRequestParts<S> for State<T>
where
    T: Clone + Send + Sync + 'static,
    S: Send + Sync,
    Handle: FromRef<S>,
{
    type Rejection = Error;

    async fn from_request_parts(_: &mut Parts, state: &S) -> Result<Self, Error> {
        state_of(&Handle::from_ref(state))
    }
}

fn state_of<T: Clone + Send + Sync + 'static>(handle: &Handle) -> Result<State<T>, Error> {
    handle.state::<T>().map(State).ok_or_else(|| {
        Error::internal(format!(
            "there is no state of this type: call `App::state(..)` with a `{}`",
            short_type_name::<T>()
        ))
    })
}

/// Handlers of messages and tasks may take it, too.
impl<T: Clone + Send + Sync + 'static> FromHandle for State<T> {
    fn dependencies(_: &mut Dependencies) {}

    fn extract(handle: &Handle) -> Result<Self, Error> {
        state_of(handle)
    }
}

impl<T: 'static> Input for State<T> {
    fn describe(operation: &mut Operation) {
        operation.needs_state::<T>();
    }
}
