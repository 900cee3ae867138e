//! Sends a call: adds headers, retries with backoff, and keeps the deadline.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, header};
use parking_lot::Mutex;
use reqwest::{Client, Request, RequestBuilder, Url};
use tokio::time::Instant;
use tracing::debug;

use super::call::{Call, CallBody};
use super::circuit_breaker::CallPermit;
use super::error::{Error, Kind, Target};
use super::peers::port;
use super::redirects::{REDIRECTED, unfollowable};
use super::response::Response;
use super::retry_after::retry_after;
use super::shared_state::Inner;
use crate::context;
use crate::http::{TRACEPARENT, TRACESTATE, TraceContext, X_REQUEST_ID};
use crate::request::RequestId;
use crate::support::backoff::Backoff;

/// Delays between the attempts of a call, with full jitter: on average half of 100 ms passes before
/// the first retry, twice as much before each next. Callers that failed together are spread over the
/// whole delay, because a peer that comes back must not be met by all of them at once.
const RETRY_BACKOFF: Backoff =
    Backoff::new(Duration::from_millis(100), Duration::from_secs(2), 0.0..1.0);
/// Maximum `Retry-After` that is waited for. If it is longer, the caller gets the response instead.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(5);

pub(super) async fn send(call: Call) -> Result<Response, Error> {
    let attempts = Attempts::new(call)?;
    // Boxed, because the future is several KiB large and would be copied at each move.
    Box::pin(attempts.run()).await
}

/// A call that can be sent several times.
struct Attempts {
    shared: Arc<Inner>,
    target: Target,
    /// `host:port`.
    host: Arc<str>,
    client: Client,
    request: PreparedRequest,
    retries: u32,
    /// True if the call may be repeated although it may have arrived.
    is_safe: bool,
    timeout: Duration,
    attempt_timeout: Duration,
    deadline: Instant,
    answer_limit: crate::config::ByteSize,
}

/// The request of each attempt.
struct PreparedRequest {
    method: Method,
    url: Url,
    headers: HeaderMap,
    body: CallBody,
}

/// The result of one attempt.
struct AttemptResult {
    result: Result<reqwest::Response, Error>,
    redirected: bool,
}

impl Attempts {
    fn new(call: Call) -> Result<Self, Error> {
        let Call { client: shared, target, method, url, mut headers, body, fault, .. } = call;
        if let Some(fault) = fault {
            return Err(fault);
        }
        let (Some(url), Some(target)) = (url, target) else {
            return Err(Error::new(Kind::Invalid, None, "invalid URL"));
        };
        let transport = &shared.transport;
        let client = match &target {
            Target::Peer(_) => transport.for_peers(),
            Target::Host(_) => transport.for_external(),
        };
        let client = client.map_err(|error| {
            let why =
                "the HTTP client cannot be created; perhaps this machine has no CA certificates";
            Error::new(Kind::Other, Some(target.clone()), why).caused_by(error)
        })?;
        if let (Target::Host(_), Some(guard)) = (&target, transport.guard()) {
            guard.check(&url).map_err(|_| {
                let why = "its address is private, and such calls are refused";
                Error::new(Kind::PrivateAddress, Some(target.clone()), why)
            })?;
        }
        add_context(&mut headers, call.auto_auth);
        let settings = &shared.settings;
        let timeout = call.timeout.unwrap_or(settings.timeout);
        Ok(Self {
            host: format!("{}:{}", url.host_str().unwrap_or_default(), port(&url)).into(),
            client: client.clone(),
            retries: call.retries.unwrap_or(settings.retries),
            is_safe: call.idempotent || is_safe(&method),
            timeout,
            attempt_timeout: if call.timeout.is_some() {
                timeout
            } else {
                settings.attempt_timeout
            },
            deadline: deadline(timeout),
            answer_limit: call.answer_limit.unwrap_or(settings.answer_limit),
            request: PreparedRequest { method, url, headers, body },
            target,
            shared,
        })
    }

    async fn run(mut self) -> Result<Response, Error> {
        let shared = self.shared.clone();
        let (mut last_error, mut attempt) = (None, 0);
        let mut backoff = RETRY_BACKOFF;
        loop {
            let deadline = self.deadline.into_std();
            let permit = match shared.breakers.admit(&self.host, &self.target, deadline) {
                Ok(permit) => permit,
                Err(left) => {
                    return Err(
                        last_error.unwrap_or_else(|| Error::circuit_open(&self.target, left))
                    );
                }
            };
            // Not with a form, because the first attempt consumes it.
            let may_retry =
                attempt < self.retries && !matches!(self.request.body, CallBody::Form(_));
            let outcome = self.attempt(may_retry && self.is_safe).await;
            let (is_open, permit) = match &outcome.result {
                result if !outcome.redirected && is_unavailable(result) => (permit.failed(), None),
                // Not reported yet, because a host may send the head and never finish the body: the response
                // reports when it was read.
                Ok(_) if !outcome.redirected => (false, Some(permit)),
                _ => {
                    permit.succeeded();
                    (false, None)
                }
            };
            let delay = backoff.next_delay();
            let wait = if may_retry && !is_open { self.retry_delay(&outcome, delay) } else { None };
            let Some(wait) = wait.filter(|wait| Instant::now() + *wait < self.deadline) else {
                return self.respond(outcome.result, permit);
            };
            if let Some(permit) = permit {
                permit.succeeded();
            }
            last_error = outcome.result.err();
            shared.metrics.count_retry(&self.target);
            tokio::time::sleep(wait).await;
            attempt += 1;
        }
    }

    /// Sends the request once. The last attempt may use all the time that is left.
    async fn attempt(&mut self, may_retry: bool) -> AttemptResult {
        let left = self.deadline.saturating_duration_since(Instant::now());
        let limit = if may_retry { self.attempt_timeout.min(left) } else { left };
        let started = Instant::now();
        let redirected = Arc::new(Mutex::new(None));
        let request = self.request.build(&self.client);
        let sent = async { self.client.execute(request?).await };
        let sent = REDIRECTED.scope(redirected.clone(), sent);
        let sent = tokio::time::timeout(limit, sent).await;
        let location = redirected.lock().take();
        let location = location.as_deref();
        let follows = self.shared.settings.redirects > 0;
        let result = match sent {
            Ok(Ok(response)) => match unfollowable(&response).filter(|_| follows) {
                Some(location) => Err(Error::redirect(&self.target, &location)),
                None => Ok(response),
            },
            Ok(Err(error)) => Err(Error::from_reqwest(error, &self.target).redirected_to(location)),
            Err(_) => {
                let after = if limit < left { limit } else { self.timeout };
                Err(Error::timeout(&self.target, after).redirected_to(location))
            }
        };
        let took = started.elapsed();
        let status = result.as_ref().map(reqwest::Response::status).ok();
        self.shared.metrics.observe(&self.target, &self.request.method, status, took);
        debug!(
            peer = %self.target.name(),
            method = %self.request.method,
            status = status.map(|status| status.as_u16()),
            error = result.as_ref().err().map(tracing::field::display),
            duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            "Called {}", self.target
        );
        AttemptResult { result, redirected: location.is_some() }
    }

    /// Returns how long to wait before the next attempt; `None` if there must not be one.
    fn retry_delay(&self, outcome: &AttemptResult, delay: Duration) -> Option<Duration> {
        match &outcome.result {
            Err(error) => match error.kind() {
                Kind::Connect if !outcome.redirected => Some(delay),
                Kind::Connect | Kind::Timeout | Kind::ConnectionLost if self.is_safe => Some(delay),
                _ => None,
            },
            Ok(response) if self.is_safe && is_retryable_status(response.status()) => {
                match retry_after(response.headers()) {
                    Some(wait) => (wait <= MAX_RETRY_AFTER).then(|| wait.max(delay)),
                    None => Some(delay),
                }
            }
            Ok(_) => None,
        }
    }

    fn respond(
        self,
        result: Result<reqwest::Response, Error>,
        permit: Option<CallPermit>,
    ) -> Result<Response, Error> {
        let response = result?;
        let Self { target, answer_limit, deadline, timeout, .. } = self;
        Ok(Response::new(response, permit, target, answer_limit, deadline, timeout))
    }
}

impl PreparedRequest {
    /// Builds the request of an attempt. A form can be sent only once.
    fn build(&mut self, client: &Client) -> Result<Request, reqwest::Error> {
        let mut request = Request::new(self.method.clone(), self.url.clone());
        *request.headers_mut() = self.headers.clone();
        match &mut self.body {
            CallBody::Empty => Ok(request),
            CallBody::Bytes(bytes) => {
                *request.body_mut() = Some(Bytes::clone(bytes).into());
                Ok(request)
            }
            CallBody::Form(form) => {
                request.headers_mut().remove(header::CONTENT_TYPE);
                let form = std::mem::take(&mut **form);
                RequestBuilder::from_parts(client.clone(), request).multipart(form).build()
            }
        }
    }
}

/// Returns the deadline of a call. A timeout too long to be added to a time counts as a day.
fn deadline(timeout: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(timeout).unwrap_or_else(|| now + Duration::from_secs(24 * 60 * 60))
}

/// Returns whether the method is safe (RFC 9110, section 9.2.1), and so may be repeated.
fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// Returns whether an attempt counts as a failure of the host for its breaker.
fn is_unavailable(result: &Result<reqwest::Response, Error>) -> bool {
    match result {
        Ok(response) => matches!(response.status().as_u16(), 502..=504),
        Err(error) => matches!(error.kind(), Kind::Connect | Kind::Timeout | Kind::ConnectionLost),
    }
}

/// Returns whether a response asks to try again later.
fn is_retryable_status(status: StatusCode) -> bool {
    matches!(status.as_u16(), 429 | 502..=504)
}

/// Adds the headers of every call unless the caller has set them: the id of the request being handled, its
/// trace, and with `auto_auth` its `Authorization`.
fn add_context(headers: &mut HeaderMap, auto_auth: bool) {
    if let Some(id) = context::current(|request| request.id.header()) {
        headers.entry(X_REQUEST_ID).or_insert(id);
    }
    if !headers.contains_key(TRACEPARENT) {
        let trace = context::trace().unwrap_or_else(|| TraceContext::of_request(&RequestId::new()));
        if let Ok(value) = trace.child().to_string().parse() {
            headers.insert(TRACEPARENT, value);
        }
        // Only with that `traceparent`, because `tracestate` belongs to its trace, not to one that the caller set.
        if let Some(state) = context::current(|request| request.trace_state.clone()).flatten() {
            headers.entry(TRACESTATE).or_insert(state);
        }
    }
    if auto_auth && !headers.contains_key(header::AUTHORIZATION) {
        let authorization = context::current(|request| request.caller.get()?.authorization());
        if let Some(mut value) = authorization.flatten() {
            value.set_sensitive(true);
            headers.insert(header::AUTHORIZATION, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_between_attempts_grow_up_to_two_seconds() {
        let mut backoff = RETRY_BACKOFF;
        for attempt in 0..100 {
            let max = Duration::from_millis(100 << attempt.min(10)).min(Duration::from_secs(2));
            assert!(backoff.next_delay() <= max, "{attempt}");
        }
    }
}
