//! The log lines of requests: one for each failure, and one for each request where the settings ask
//! for it.

use std::time::Duration;

use http::StatusCode;
use tracing::{Level, debug, enabled, error, info, warn};

use super::path_redaction::method_for_log;
use super::request_context::RequestContext;
use super::stack_config::StackConfig;
use crate::context;
use crate::error::problem_document::{DebugInfo, ErrorReport};

impl StackConfig {
    /// Logs a failure where it is handled: at `ERROR` if the service caused it, at `DEBUG` if the
    /// client did. Returns whether it was logged at `ERROR`, so that the request needs no line of its
    /// own.
    #[cold]
    pub(super) fn log_failure(
        &self,
        failure: &ErrorReport<'_>,
        debug_info: &DebugInfo,
        request: &RequestContext,
    ) -> bool {
        let path = self.path_for_log(request);
        let (method, status) = (method_for_log(&request.method), failure.status.as_u16());
        let texts = failure.detail.into_iter().chain(debug_info.chain.iter().map(String::as_str));
        let what = texts.collect::<Vec<_>>().join(": ");
        let at = debug_info.location.as_deref();
        let duration_ms = milliseconds(request.started.elapsed());
        let client = request.client().map(tracing::field::display);
        let is_error = request.has_failed(failure.status);
        let alike = match failure.status {
            StatusCode::SERVICE_UNAVAILABLE => match self.unavailable_log.pass() {
                Some(count) => (count > 1).then_some(count),
                // The request gets its own line instead, if every request has one.
                None => return !self.logs_all,
            },
            _ => None,
        };
        context::within_request_now(&self.handle, &request.current, || {
            if is_error {
                error!(status, duration_ms, client, at, alike, "{method} {path} failed: {what}");
            } else {
                debug!(status, duration_ms, client, at, "{method} {path} refused: {what}");
            }
        });
        is_error
    }

    /// Logs a request that has its response, if the settings ask for a line. It is slow by the time that the service
    /// took, without waiting for the client's body.
    pub(super) fn log_response(
        &self,
        status: StatusCode,
        duration: Duration,
        request: &RequestContext,
    ) {
        // A client that sends slowly is not a slow service, and could write a warning with each request.
        let own = duration.saturating_sub(request.body_wait);
        let is_slow = self.slow_threshold.is_some_and(|threshold| own >= threshold);
        let is_failure = request.has_failed(status);
        if self.logs_all || is_slow || (self.logs_failures && is_failure) {
            self.write_line(status, duration, is_slow, request);
        }
    }

    fn write_line(
        &self,
        status: StatusCode,
        duration: Duration,
        is_slow: bool,
        request: &RequestContext,
    ) {
        let is_warning = is_slow || request.has_failed(status);
        // The path and the client are formatted only if the line is written.
        if !(is_warning && enabled!(Level::WARN) || enabled!(Level::INFO)) {
            return;
        }
        let (method, duration_ms) = (method_for_log(&request.method), milliseconds(duration));
        let path = self.path_for_log(request);
        let is_quiet = self.exempt_paths.is_quiet(request.path());
        let status = status.as_u16();
        let slow = is_slow.then_some(true);
        let client = request.client().map(tracing::field::display);
        context::within_request_now(&self.handle, &request.current, || {
            if is_warning {
                warn!(status, duration_ms, slow, client, "{method} {path} {status}");
            } else if is_quiet {
                debug!(status, duration_ms, client, "{method} {path} {status}");
            } else {
                info!(status, duration_ms, client, "{method} {path} {status}");
            }
        });
    }
}

/// Returns the duration in milliseconds, rounded to two decimals.
fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 100_000.0).round() / 100.0
}
