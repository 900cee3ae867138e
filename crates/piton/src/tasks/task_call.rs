//! [`TaskCall`]: the arguments of one run of a task, and the parts that it needs.

use std::time::Duration;

use piton_celery::Parameter;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::error::{Error, Result};
use super::task::argument_error;
use crate::handle::Handle;
use crate::runtime::from_handle::FromHandle;

/// The time after which a task is tried again that needs a part which is not connected yet.
const PART_RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// One run of a task: its arguments, and the parts of the app.
pub struct TaskCall {
    handle: Handle,
    arguments: Vec<(&'static str, Option<Value>)>,
}

impl TaskCall {
    /// Makes a call of the values of all parameters, in their order.
    pub(super) fn new(
        handle: Handle,
        parameters: &'static [Parameter<'static>],
        values: Vec<Option<Value>>,
    ) -> Self {
        let arguments = parameters.iter().map(|parameter| parameter.name).zip(values).collect();
        Self { handle, arguments }
    }

    /// Returns a part, or the [`Handle`].
    ///
    /// # Errors
    /// The part is not connected yet: the task is run again a second later, and no attempt is counted.
    pub fn part<P: FromHandle>(&self) -> Result<P> {
        P::extract(&self.handle)
            .map_err(|error| Error::snooze(PART_RETRY_INTERVAL).caused_by(error.to_string()))
    }

    /// Returns the value of a parameter that is required.
    ///
    /// # Errors
    /// The value does not fit the type. The task fails with Python's `TypeError`.
    pub fn argument<T: DeserializeOwned>(&mut self, name: &str) -> Result<T> {
        let value = self.take(name).unwrap_or(Value::Null);
        decode(name, value)
    }

    /// Returns the value of a parameter, or `None` if the message has none.
    ///
    /// # Errors
    /// Those of [`argument`](Self::argument).
    pub fn optional<T: DeserializeOwned>(&mut self, name: &str) -> Result<Option<T>> {
        self.take(name).map(|value| decode(name, value)).transpose()
    }

    fn take(&mut self, name: &str) -> Option<Value> {
        let mut arguments = self.arguments.iter_mut();
        arguments.find(|(known, _)| *known == name).and_then(|(_, value)| value.take())
    }
}

impl std::fmt::Debug for TaskCall {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Without the values, which may be secret.
        let names = self.arguments.iter().map(|(name, _)| name);
        f.debug_tuple("TaskCall").field(&names.collect::<Vec<_>>()).finish()
    }
}

fn decode<T: DeserializeOwned>(name: &str, value: Value) -> Result<T> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = error.path().to_string();
        let at = if path == "." { String::new() } else { format!("at `{path}`: ") };
        argument_error(name, format!("{at}{}", error.inner()))
    })
}
