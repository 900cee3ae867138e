//! The error of a task's work, which decides what happens next: a retry, a failure, or neither.

use std::fmt;
use std::panic::Location;
use std::time::Duration;

use piton_celery::Exception;

use crate::error::BoxError;
use crate::http;

/// The result of a task.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The error of a task.
///
/// Made by `?` from any error, or by one of its constructors. The task runs again as long as it has `retries`
/// left; [`Error::reject`], [`Error::ignore`] and [`Error::snooze`] decide otherwise.
///
/// ```
/// use std::time::Duration;
/// use piton::tasks::{Error, Result};
///
/// async fn charge(card: &str) -> Result<u64> {
///     if card.is_empty() {
///         return Err(Error::reject("the card has no number")); // another attempt would fail, too
///     }
///     if card == "busy" {
///         return Err(Error::retry("the bank is busy").after(Duration::from_secs(60)));
///     }
///     Ok(card.parse()?)
/// }
/// ```
pub struct Error(Box<Inner>);

struct Inner {
    verdict: Verdict,
    exception: Exception,
    source: Option<BoxError>,
    location: &'static Location<'static>,
}

/// The consequence of an error for its task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::tasks) enum Verdict {
    /// It is retried while it has retries left, after its backoff or the given time.
    Retry(Option<Duration>),
    /// It fails.
    Fail,
    /// It ends without a result.
    Ignore,
    /// It runs again after the time, and no attempt is counted.
    Snooze(Duration),
}

/// The module and the class of failures that a service declares itself.
const MODULE: &str = "piton";
const CLASS: &str = "TaskError";

impl Error {
    #[track_caller]
    fn with(verdict: Verdict, why: impl Into<String>) -> Self {
        let exception = Exception::new(MODULE, CLASS, vec![why.into().into()]);
        Self(Box::new(Inner { verdict, exception, source: None, location: Location::caller() }))
    }

    /// Fails the attempt. The task is retried while it has retries left. Clients of the task's status read `why`.
    #[must_use]
    #[track_caller]
    pub fn new(why: impl Into<String>) -> Self {
        Self::with(Verdict::Retry(None), why)
    }

    /// Does the same as [`Error::new`]: says that the error is expected to pass. See [`Error::after`].
    #[must_use]
    #[track_caller]
    pub fn retry(why: impl Into<String>) -> Self {
        Self::with(Verdict::Retry(None), why)
    }

    /// Fails the task at once, whatever retries are left: another attempt would fail the same way. The task becomes
    /// a dead letter.
    #[must_use]
    #[track_caller]
    pub fn reject(why: impl Into<String>) -> Self {
        Self::with(Verdict::Fail, why)
    }

    /// Ends the task without a result, as if it had never been sent.
    #[must_use]
    #[track_caller]
    pub fn ignore() -> Self {
        Self::with(Verdict::Ignore, "ignored")
    }

    /// Runs the task again after `delay`, which is no failure and counts no attempt: what it needs is not ready.
    #[must_use]
    #[track_caller]
    pub fn snooze(delay: Duration) -> Self {
        Self::with(Verdict::Snooze(delay), "snoozed")
    }

    /// Sets the delay before the next attempt, instead of the task's backoff. Jitter is added to it.
    #[must_use]
    pub fn after(mut self, delay: Duration) -> Self {
        if let Verdict::Retry(after) = &mut self.0.verdict {
            *after = Some(delay);
        }
        self
    }

    /// Sets the exception that a Python caller gets from `AsyncResult.get()`, such as
    /// `Exception::builtin("ValueError", "no such card")`.
    #[must_use]
    pub fn exception(mut self, exception: Exception) -> Self {
        self.0.exception = exception;
        self
    }

    /// Adds the error that led to this one, for the log and the traceback.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<BoxError>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    pub(in crate::tasks) fn verdict(&self) -> Verdict {
        self.0.verdict
    }

    /// Returns the exception that stands for the error in the task's result.
    pub(in crate::tasks) fn to_exception(&self) -> &Exception {
        &self.0.exception
    }

    /// Returns whether the message was written for clients: not the text of any other error.
    pub(in crate::tasks) fn is_declared(exception: &Exception) -> bool {
        exception.exc_module.as_deref() == Some(MODULE)
    }

    /// Returns what stands where Python has a traceback: where the error was made, and its causes.
    pub(in crate::tasks) fn traceback(&self) -> String {
        let location = self.0.location;
        let mut text = format!("  at {}:{}\n{self}", location.file(), location.line());
        let mut cause = self.0.source.as_deref().map(|source| source as &dyn std::error::Error);
        while let Some(error) = cause {
            text.push_str(&format!("\ncaused by: {error}"));
            cause = error.source();
        }
        text
    }
}

/// Makes the error of an attempt of any other error. Its text is for the log and for the service's own code; clients
/// of the task's status read that the task failed.
impl<E: std::error::Error + Send + Sync + 'static> From<E> for Error {
    #[track_caller]
    fn from(source: E) -> Self {
        Self::new("")
            .exception(Exception::builtin("RuntimeError", source.to_string()))
            .caused_by(source)
    }
}

/// Makes the error of an attempt of a handler's error, so that functions serve handlers and tasks.
impl From<http::Error> for Error {
    #[track_caller]
    fn from(error: http::Error) -> Self {
        let detail = error.detail().map(str::to_owned);
        let text = detail.into_iter().chain(error.chain()).collect::<Vec<_>>().join(": ");
        Self::new("").exception(Exception::builtin("RuntimeError", text))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Exception { exc_type, exc_message, .. } = &self.0.exception;
        let message = exc_message.iter().map(|part| match part {
            serde_json::Value::String(text) => text.clone(),
            part => part.to_string(),
        });
        let message = message.collect::<Vec<_>>().join(", ");
        if exc_type == CLASS { f.write_str(&message) } else { write!(f, "{exc_type}: {message}") }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("verdict", &self.0.verdict)
            .field("exception", &self.0.exception)
            .field("source", &self.0.source)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed() -> Result<u8> {
        Ok("x".parse::<u8>()?)
    }

    #[test]
    fn other_errors_are_retried_and_their_text_is_not_for_clients() {
        let error = parsed().unwrap_err();
        assert_eq!(error.verdict(), Verdict::Retry(None));
        assert_eq!(error.to_string(), "RuntimeError: invalid digit found in string");
        assert!(!Error::is_declared(error.to_exception()));
        assert!(error.traceback().contains("task_error.rs"), "{}", error.traceback());
        let of_handler = Error::from(http::Error::not_found("no such company"));
        assert!(of_handler.to_string().contains("no such company"), "{of_handler}");
    }

    #[test]
    fn declared_errors_decide_what_happens_next() {
        let minute = Duration::from_secs(60);
        assert_eq!(Error::retry("busy").after(minute).verdict(), Verdict::Retry(Some(minute)));
        assert_eq!(Error::reject("bad").after(minute).verdict(), Verdict::Fail);
        assert_eq!(Error::ignore().verdict(), Verdict::Ignore);
        assert_eq!(Error::snooze(minute).verdict(), Verdict::Snooze(minute));
        let error = Error::new("no such card").caused_by(std::fmt::Error);
        assert!(Error::is_declared(error.to_exception()));
        assert_eq!(error.to_string(), "no such card");
        assert!(error.traceback().contains("caused by: an error occurred"));
    }

    #[test]
    fn python_callers_get_the_exception_that_is_named() {
        let error = Error::reject("").exception(Exception::builtin("ValueError", "no such card"));
        assert_eq!(error.to_exception().exc_type, "ValueError");
        assert_eq!(error.to_string(), "ValueError: no such card");
    }
}
