//! Arguments of functions that serve no request, such as the handlers of messages and tasks.

use std::future::Future;
use std::time::Duration;

use tokio::time::timeout;

use super::handle::Handle;
use super::part::{Dependencies, Health, Part};
use crate::error::Error;

/// The types of arguments that come from the running app: a [`Part`], or the [`Handle`].
pub trait FromHandle: Sized + Send {
    /// Adds the part to `dependencies`, if the argument is one.
    fn dependencies(dependencies: &mut Dependencies);

    /// Returns the argument.
    ///
    /// # Errors
    /// The part is not connected yet.
    fn extract(handle: &Handle) -> Result<Self, Error>;

    /// Checks that the argument is available, and healthy if it is a part.
    ///
    /// # Errors
    /// The reason why it is not.
    fn ready(handle: &Handle) -> impl Future<Output = Result<(), String>> + Send {
        std::future::ready(Self::extract(handle).map(drop).map_err(|error| reason(&error)))
    }
}

/// Returns the error without the status that it would have in a response.
fn reason(error: &Error) -> String {
    error.detail().map_or_else(|| error.to_string(), str::to_owned)
}

/// Maximum time for a part to report its health.
const HEALTH_TIMEOUT: Duration = Duration::from_secs(1);

impl<P: Part> FromHandle for P {
    fn dependencies(dependencies: &mut Dependencies) {
        dependencies.add::<P>();
    }

    fn extract(handle: &Handle) -> Result<Self, Error> {
        handle.try_part()
    }

    async fn ready(handle: &Handle) -> Result<(), String> {
        let part = handle.try_part::<P>().map_err(|error| reason(&error))?;
        match timeout(HEALTH_TIMEOUT, part.health()).await {
            Ok(Health::Up | Health::Degraded(_)) => Ok(()),
            Ok(Health::Down(why)) => Err(format!("`{}` is down: {why}", P::NAME)),
            Err(_) => Err(format!("`{}` is down: its health check timed out", P::NAME)),
        }
    }
}

impl FromHandle for Handle {
    fn dependencies(_: &mut Dependencies) {}

    fn extract(handle: &Handle) -> Result<Self, Error> {
        Ok(handle.clone())
    }
}
