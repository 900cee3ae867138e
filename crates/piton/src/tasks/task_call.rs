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

/// Maximum number of characters of the reason why an argument is not valid.
const MAX_REASON_CHARS: usize = 200;

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
        argument_error(name, format!("{at}{}", without_value(&error.inner().to_string())))
    })
}

/// Returns a message of serde without the value that it quotes, which may be secret or large: `invalid type: string,
/// expected i64`.
fn without_value(message: &str) -> String {
    let expected = |rest: &str| match rest.rsplit_once(", expected ") {
        Some((_, expected)) => format!(", expected {expected}"),
        None => String::new(),
    };
    if let Some((what, rest)) = message.split_once(": ")
        && what.starts_with("invalid ")
    {
        let kind = rest.split(['"', '`', ',']).next().unwrap_or_default().trim_end();
        return format!("{what}: {kind}{}", expected(rest));
    }
    if let Some((what, rest)) = message.split_once(" `")
        && what.starts_with("unknown ")
    {
        return format!("{what}{}", expected(rest));
    }
    message.chars().take(MAX_REASON_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_of_a_wrong_argument_has_no_value_of_it() {
        for (message, expected) in [
            (
                r#"invalid type: string "a, expected b", expected i64"#,
                "invalid type: string, expected i64",
            ),
            ("invalid value: integer `300`, expected u8", "invalid value: integer, expected u8"),
            ("invalid type: null, expected a sequence", "invalid type: null, expected a sequence"),
            (
                "unknown variant `secret`, expected `a` or `b`",
                "unknown variant, expected `a` or `b`",
            ),
            ("unknown field `secret`, there are no fields", "unknown field"),
            (
                "invalid length 3, expected a tuple of size 2",
                "invalid length 3, expected a tuple of size 2",
            ),
            ("missing field `name`", "missing field `name`"),
        ] {
            assert_eq!(without_value(message), expected);
        }
        assert_eq!(without_value(&"x".repeat(5000)).len(), MAX_REASON_CHARS);
        let decoded = decode::<i64>("n", Value::from("hunter2")).unwrap_err();
        assert!(!decoded.to_string().contains("hunter2"), "{decoded}");
    }
}
