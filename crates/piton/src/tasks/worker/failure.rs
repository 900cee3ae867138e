//! [`Failure`]: the reason why an attempt did not succeed, and what becomes of the task.

use std::time::Duration;

use piton_celery::Exception;
use serde_json::{Value, json};

use crate::support::backoff::{JITTER, with_jitter};
use crate::tasks::error::{Error, Verdict};
use crate::tasks::task::TaskOptions;

/// An attempt that did not succeed.
#[derive(Debug)]
pub(super) struct Failure {
    pub verdict: Verdict,
    pub exception: Exception,
    /// For the log.
    pub message: String,
    pub traceback: Option<String>,
}

impl Failure {
    /// A failure that another attempt would repeat.
    pub fn permanent(exception: Exception) -> Self {
        Self { verdict: Verdict::Fail, ..Self::passing(exception) }
    }

    /// A failure after which another attempt may succeed.
    pub fn passing(exception: Exception) -> Self {
        let message = exception.to_string();
        Self { verdict: Verdict::Retry(None), exception, message, traceback: None }
    }

    /// The failure of a panic.
    pub fn of_panic((message, location): (String, Option<String>)) -> Self {
        let at = location.map_or_else(String::new, |location| format!("  at {location}\n"));
        let traceback = Some(format!("{at}panicked: {message}"));
        let text = format!("panicked: {message}");
        let exception = Exception::builtin("RuntimeError", text.clone());
        Self { traceback, message: text, ..Self::passing(exception) }
    }

    /// The failure of an attempt that ran for longer than its `limit`.
    pub fn of_timeout(limit: Duration) -> Self {
        let seconds: Value = match limit.subsec_nanos() {
            0 => limit.as_secs().into(),
            _ => limit.as_secs_f64().into(),
        };
        Self::passing(Exception::time_limit_exceeded(seconds))
    }

    /// Returns the exception as JSON.
    pub fn result(&self) -> String {
        json!(self.exception).to_string()
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self {
            verdict: error.verdict(),
            exception: error.to_exception().clone(),
            message: error.to_string(),
            traceback: Some(error.traceback()),
        }
    }
}

/// Returns the delay before the attempt after `retries` others, or `after` if the error says so. Always with jitter,
/// so that tasks that failed together do not come back together.
pub(super) fn retry_delay(
    options: &TaskOptions,
    retries: u32,
    after: Option<Duration>,
) -> Duration {
    let doubled = 1_u32.checked_shl(retries).unwrap_or(u32::MAX);
    let backoff = || options.backoff.saturating_mul(doubled).min(options.max_backoff);
    // Longer ones could not be multiplied, and mean "never".
    const MAX_DELAY: Duration = Duration::from_secs(100 * 365 * 86_400);
    with_jitter(after.unwrap_or_else(backoff).min(MAX_DELAY), &JITTER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_longest_and_are_lengthened_by_chance() {
        let second = Duration::from_secs(1);
        let options =
            TaskOptions { backoff: second, max_backoff: 10 * second, ..TaskOptions::default() };
        for (retries, expected) in [(0, 1), (1, 2), (3, 8), (4, 10), (31, 10), (32, 10), (99, 10)] {
            let delay = retry_delay(&options, retries, None);
            let range = second * expected..=(second * expected).mul_f64(1.25);
            assert!(range.contains(&delay), "{retries}: {delay:?}");
        }
        let delays: Vec<_> = (0..20).map(|_| retry_delay(&options, 0, None)).collect();
        assert!(delays.iter().any(|delay| *delay != delays[0]));
        assert!(retry_delay(&options, 0, Some(Duration::MAX)) > second);
        assert!(retry_delay(&options, 0, Some(60 * second)) >= 60 * second);
    }

    #[test]
    fn time_limits_are_in_seconds_as_in_python() {
        let limit = |ms| Failure::of_timeout(Duration::from_millis(ms)).result();
        assert!(limit(2000).contains("[2]"), "{}", limit(2000));
        assert!(limit(250).contains("[0.25]"), "{}", limit(250));
    }
}
