//! Exceptions as results carry them, from which Python raises an exception of the class named.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::python_repr::python_repr;

/// An exception of Python, by name.
///
/// Python raises the class `exc_type` of the module `exc_module`, called with `exc_message`, if that module is
/// imported where the result is read. Otherwise it makes up a class of this name, which only `except Exception`
/// catches. It refuses a result whose names are not those of an exception class.
///
/// Its text is that of Python's `repr`: `ValueError('msg', 42)`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Exception {
    /// The name of the class, such as `ValueError`. Nested classes are separated by dots.
    pub exc_type: String,
    /// The arguments of the class. A single text that stands for a list is read, too.
    #[serde(default, deserialize_with = "arguments")]
    pub exc_message: Vec<Value>,
    /// The module of the class, such as `builtins`.
    #[serde(default)]
    pub exc_module: Option<String>,
}

fn arguments<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Value>, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::Array(arguments) => arguments,
        argument => vec![argument],
    })
}

/// The module of Python's own exceptions.
const BUILTINS: &str = "builtins";
const CELERY: &str = "celery.exceptions";
const BILLIARD: &str = "billiard.exceptions";

impl Exception {
    /// Returns an exception of a module, with the arguments of its class.
    #[must_use]
    pub fn new(module: impl Into<String>, class: impl Into<String>, arguments: Vec<Value>) -> Self {
        Self { exc_type: class.into(), exc_message: arguments, exc_module: Some(module.into()) }
    }

    fn with_message(module: &str, class: &str, message: impl Into<String>) -> Self {
        Self::new(module, class, vec![message.into().into()])
    }

    /// Returns one of Python's own exceptions, such as `ValueError`, with its message.
    #[must_use]
    pub fn builtin(class: &str, message: impl Into<String>) -> Self {
        Self::with_message(BUILTINS, class, message)
    }

    /// Returns the exception of wrong arguments.
    #[must_use]
    pub fn type_error(message: impl Into<String>) -> Self {
        Self::builtin("TypeError", message)
    }

    /// Returns the exception of a task that no worker knows.
    #[must_use]
    pub fn not_registered(task: impl Into<String>) -> Self {
        Self::with_message(CELERY, "NotRegistered", task)
    }

    /// Returns the exception of a task that was not run. Celery's reasons are `expired`, `revoked` and
    /// `terminated`.
    #[must_use]
    pub fn task_revoked(reason: impl Into<String>) -> Self {
        Self::with_message(CELERY, "TaskRevokedError", reason)
    }

    /// Returns the exception of a task that rejected its message.
    #[must_use]
    pub fn reject(reason: impl Into<Value>, requeue: bool) -> Self {
        Self::new(CELERY, "Reject", vec![reason.into(), requeue.into()])
    }

    /// Returns the exception of a task that is to be run again. A result of the state RETRY carries the cause
    /// instead, where there is one.
    #[must_use]
    pub fn retry(message: impl Into<String>) -> Self {
        Self::with_message(CELERY, "Retry", message)
    }

    /// Returns the exception of a task that has failed as often as it may.
    #[must_use]
    pub fn max_retries_exceeded(message: impl Into<String>) -> Self {
        Self::with_message(CELERY, "MaxRetriesExceededError", message)
    }

    /// Returns the exception of a chord.
    #[must_use]
    pub fn chord_error(message: impl Into<String>) -> Self {
        Self::with_message(CELERY, "ChordError", message)
    }

    /// Returns the exception of a chord whose part `task_id` has failed with `cause`.
    #[must_use]
    pub fn chord_dependency(task_id: &str, cause: &Self) -> Self {
        Self::chord_error(format!("Dependency {task_id} raised {cause}"))
    }

    /// Returns the exception of a task that ran longer than its soft time limit.
    #[must_use]
    pub fn soft_time_limit_exceeded() -> Self {
        Self::new(BILLIARD, "SoftTimeLimitExceeded", Vec::new())
    }

    /// Returns the exception of a task that was killed at its hard time limit, which Python has in seconds.
    #[must_use]
    pub fn time_limit_exceeded(limit_seconds: impl Into<Value>) -> Self {
        Self::new(BILLIARD, "TimeLimitExceeded", vec![limit_seconds.into()])
    }

    /// Returns the exception of a task whose worker vanished.
    #[must_use]
    pub fn worker_lost(message: impl Into<String>) -> Self {
        Self::with_message(BILLIARD, "WorkerLostError", message)
    }
}

impl fmt::Display for Exception {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.exc_type.rsplit('.').next().unwrap_or_default();
        let arguments: Vec<_> = self.exc_message.iter().map(python_repr).collect();
        write!(f, "{name}({})", arguments.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_message_may_be_one_text() {
        for (message, expected) in [
            (json!("plain"), json!(["plain"])),
            (json!(["a", 1]), json!(["a", 1])),
            (json!(null), json!([null])),
        ] {
            let exception: Exception =
                serde_json::from_value(json!({"exc_type": "ValueError", "exc_message": message}))
                    .unwrap();
            let expected =
                json!({"exc_type": "ValueError", "exc_message": expected, "exc_module": null});
            assert_eq!(json!(exception), expected);
        }
    }

    #[test]
    fn its_text_is_that_of_python() {
        let cause = Exception::new("builtins", "ValueError", vec![json!("hdr"), json!(42)]);
        assert_eq!(cause.to_string(), "ValueError('hdr', 42)");
        assert_eq!(Exception::new("m", "Outer.Inner", vec![]).to_string(), "Inner()");
        let chord = Exception::chord_dependency("57aa", &cause);
        assert_eq!(chord.exc_message, [json!("Dependency 57aa raised ValueError('hdr', 42)")]);
    }
}
