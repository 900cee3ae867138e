//! How a call is sent: which headers go along, when it is sent again, when it is given up.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::{HeaderMap, Method, StatusCode, header};
use reqwest::{Client, Request, RequestBuilder, Response, Url};
use tokio::time::Instant;
use tracing::debug;

use super::answer::Answer;
use super::call::{Body, Call};
use super::error::{Error, Kind, Who};
use super::guard::{REDIRECTED, unfollowable};
use super::hosts::Permit;
use super::{Room, peers};
use crate::context;
use crate::http::{TRACEPARENT, TRACESTATE, TraceContext, X_REQUEST_ID};
use crate::request::RequestId;
use crate::support::backoff::Backoff;

/// Delays between the attempts of a call, with full jitter: on average half of 100 ms passes before
/// the first retry, twice as much before each next. Callers that failed together are spread over the
/// whole delay, because a peer that comes back must not be met by all of them at once.
const RETRY_BACKOFF: Backoff =
    Backoff::new(Duration::from_millis(100), Duration::from_secs(2), 0.0..1.0);
/// Who asks for more patience than this is not called again: the answer is handed out as it is.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

pub(super) async fn send(call: Call) -> Result<Answer, Error> {
    let plan = Plan::new(call)?;
    // Large, and moved about otherwise.
    Box::pin(plan.run()).await
}

/// A call that can be sent, as often as need be.
struct Plan {
    room: Arc<Room>,
    who: Who,
    /// `host:port`.
    host: Arc<str>,
    client: Client,
    request: Prepared,
    retries: u32,
    /// Whether it may be sent again though it may have arrived.
    safe: bool,
    timeout: Duration,
    attempt_timeout: Duration,
    deadline: Instant,
    answer_limit: crate::config::ByteSize,
}

/// What is sent.
struct Prepared {
    method: Method,
    url: Url,
    headers: HeaderMap,
    body: Body,
}

/// How one attempt ended.
struct Outcome {
    result: Result<Response, Error>,
    redirected: bool,
}

impl Plan {
    fn new(call: Call) -> Result<Self, Error> {
        let Call { room, who, method, url, mut headers, body, fault, .. } = call;
        if let Some(fault) = fault {
            return Err(fault);
        }
        let (Some(url), Some(who)) = (url, who) else {
            return Err(Error::new(Kind::Invalid, None, "the URL is none"));
        };
        let transport = &room.transport;
        let client = match &who {
            Who::Peer(_) => transport.for_peers(),
            Who::Host(_) => transport.for_strangers(),
        };
        let client = client.map_err(|error| {
            let why = "no call can be made, perhaps for want of certificates on this machine";
            Error::new(Kind::Other, Some(who.clone()), why).caused_by(error)
        })?;
        if let (Who::Host(_), Some(guard)) = (&who, transport.guard()) {
            guard.check(&url).map_err(|_| {
                let why = "its address is private, and such calls are refused";
                Error::new(Kind::Refused, Some(who.clone()), why)
            })?;
        }
        add_context(&mut headers, call.auto_auth);
        let settings = &room.settings;
        let timeout = call.timeout.unwrap_or(settings.timeout);
        Ok(Self {
            host: format!("{}:{}", url.host_str().unwrap_or_default(), peers::port(&url)).into(),
            client: client.clone(),
            retries: call.retries.unwrap_or(settings.retries),
            safe: call.idempotent || is_safe(&method),
            timeout,
            attempt_timeout: if call.timeout.is_some() {
                timeout
            } else {
                settings.attempt_timeout
            },
            deadline: deadline(timeout),
            answer_limit: call.answer_limit.unwrap_or(settings.answer_limit),
            request: Prepared { method, url, headers, body },
            who,
            room,
        })
    }

    async fn run(mut self) -> Result<Answer, Error> {
        let room = self.room.clone();
        let (mut last, mut attempt) = (None, 0);
        let mut backoff = RETRY_BACKOFF;
        loop {
            let deadline = self.deadline.into_std();
            let permit = match room.hosts.admit(&self.host, &self.who, deadline) {
                Ok(permit) => permit,
                Err(left) => return Err(last.unwrap_or_else(|| Error::open(&self.who, left))),
            };
            let another = attempt < self.retries && !matches!(self.request.body, Body::Form(_));
            let outcome = self.attempt(another && self.safe).await;
            let (left_alone, permit) = match &outcome.result {
                result if !outcome.redirected && says_it_is_away(result) => (permit.failed(), None),
                // Whether it ends is seen by who reads it.
                Ok(_) if !outcome.redirected => (false, Some(permit)),
                _ => {
                    permit.succeeded();
                    (false, None)
                }
            };
            let delay = backoff.next_delay();
            let wait = if another && !left_alone { self.wait(&outcome, delay) } else { None };
            let Some(wait) = wait.filter(|wait| Instant::now() + *wait < self.deadline) else {
                return self.answer(outcome.result, permit);
            };
            if let Some(permit) = permit {
                permit.succeeded();
            }
            last = outcome.result.err();
            room.figures.retried(&self.who);
            tokio::time::sleep(wait).await;
            attempt += 1;
        }
    }

    /// Sends it once. The last attempt has all the time that is left.
    async fn attempt(&mut self, another: bool) -> Outcome {
        let left = self.deadline.saturating_duration_since(Instant::now());
        let limit = if another { self.attempt_timeout.min(left) } else { left };
        let begun = Instant::now();
        let redirected = Arc::new(Mutex::new(None));
        let request = self.request.once(&self.client);
        let sent = async { self.client.execute(request?).await };
        let sent = REDIRECTED.scope(redirected.clone(), sent);
        let sent = tokio::time::timeout(limit, sent).await;
        let target = redirected.lock().unwrap_or_else(PoisonError::into_inner).take();
        let target = target.as_deref();
        let follows = self.room.settings.redirects > 0;
        let result = match sent {
            Ok(Ok(response)) => match unfollowable(&response).filter(|_| follows) {
                Some(target) => Err(Error::redirect(&self.who, &target)),
                None => Ok(response),
            },
            Ok(Err(error)) => Err(Error::of(error, &self.who).redirected_to(target)),
            Err(_) => {
                let after = if limit < left { limit } else { self.timeout };
                Err(Error::timeout(&self.who, after).redirected_to(target))
            }
        };
        let took = begun.elapsed();
        let status = result.as_ref().map(Response::status).ok();
        self.room.figures.observe(&self.who, &self.request.method, status, took);
        debug!(
            peer = %self.who.name(),
            method = %self.request.method,
            status = status.map(|status| status.as_u16()),
            error = result.as_ref().err().map(tracing::field::display),
            duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            "Called {}", self.who
        );
        Outcome { result, redirected: target.is_some() }
    }

    /// How long to wait before the next attempt, if there may be one.
    fn wait(&self, outcome: &Outcome, delay: Duration) -> Option<Duration> {
        match &outcome.result {
            Err(error) => match error.kind() {
                Kind::Connect if !outcome.redirected => Some(delay),
                Kind::Connect | Kind::Timeout | Kind::Lost if self.safe => Some(delay),
                _ => None,
            },
            Ok(response) if self.safe && asks_for_patience(response.status()) => {
                match retry_after(response.headers()) {
                    Some(wait) => (wait <= LONGEST_WAIT).then(|| wait.max(delay)),
                    None => Some(delay),
                }
            }
            Ok(_) => None,
        }
    }

    fn answer(
        self,
        result: Result<Response, Error>,
        permit: Option<Permit>,
    ) -> Result<Answer, Error> {
        let response = result?;
        let Self { who, answer_limit, deadline, timeout, .. } = self;
        Ok(Answer::new(response, permit, who, answer_limit, deadline, timeout))
    }
}

impl Prepared {
    /// The request. A form is handed out once.
    fn once(&mut self, client: &Client) -> Result<Request, reqwest::Error> {
        let mut request = Request::new(self.method.clone(), self.url.clone());
        *request.headers_mut() = self.headers.clone();
        match &mut self.body {
            Body::Nothing => Ok(request),
            Body::Bytes(bytes) => {
                *request.body_mut() = Some(Bytes::clone(bytes).into());
                Ok(request)
            }
            Body::Form(form) => {
                request.headers_mut().remove(header::CONTENT_TYPE);
                let form = std::mem::take(&mut **form);
                RequestBuilder::from_parts(client.clone(), request).multipart(form).build()
            }
        }
    }
}

/// A time so far away that it has no number is a day away.
fn deadline(timeout: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(timeout).unwrap_or_else(|| now + Duration::from_secs(24 * 60 * 60))
}

/// Whether the method changes nothing, by RFC 9110.
fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

fn says_it_is_away(result: &Result<Response, Error>) -> bool {
    match result {
        Ok(response) => matches!(response.status().as_u16(), 502..=504),
        Err(error) => matches!(error.kind(), Kind::Connect | Kind::Timeout | Kind::Lost),
    }
}

fn asks_for_patience(status: StatusCode) -> bool {
    matches!(status.as_u16(), 429 | 502..=504)
}

/// When the answer says to come back: in so many seconds, or at a time.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = DateTime::parse_from_rfc2822(text).ok()?;
    Some((at.to_utc() - Utc::now()).to_std().unwrap_or_default())
}

/// What goes along with every call, unless the caller has said something else: the request's id, the
/// trace, and if wanted in whose name it is.
fn add_context(headers: &mut HeaderMap, auto_auth: bool) {
    if let Some(id) = context::current(|request| request.id.header()) {
        headers.entry(X_REQUEST_ID).or_insert(id);
    }
    if !headers.contains_key(TRACEPARENT) {
        let trace = context::trace().unwrap_or_else(|| TraceContext::of_request(&RequestId::new()));
        if let Ok(value) = trace.child().to_string().parse() {
            headers.insert(TRACEPARENT, value);
        }
        // It belongs to that trace, and not to one that the caller has named.
        if let Some(state) = context::current(|request| request.trace_state.clone()).flatten() {
            headers.entry(TRACESTATE).or_insert(state);
        }
    }
    if auto_auth && !headers.contains_key(header::AUTHORIZATION) {
        let of_caller = context::current(|request| request.caller.get()?.authorization());
        if let Some(mut value) = of_caller.flatten() {
            value.set_sensitive(true);
            headers.insert(header::AUTHORIZATION, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(text: &str) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(header::RETRY_AFTER, text.parse().expect("a header"));
        retry_after(&headers)
    }

    #[test]
    fn retry_after_is_a_number_of_seconds_or_a_time() {
        assert_eq!(after("3"), Some(Duration::from_secs(3)));
        assert_eq!(after("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::ZERO));
        let soon = (Utc::now() + Duration::from_secs(100)).format("%a, %d %b %Y %H:%M:%S GMT");
        let wait = after(&soon.to_string()).expect("a time");
        assert!(wait > Duration::from_secs(90) && wait <= Duration::from_secs(100), "{wait:?}");
        assert_eq!((after("soon"), after("-1")), (None, None));
    }

    #[test]
    fn delays_between_attempts_grow_up_to_two_seconds() {
        let mut backoff = RETRY_BACKOFF;
        for attempt in 0..100 {
            let max = Duration::from_millis(100 << attempt.min(10)).min(Duration::from_secs(2));
            assert!(backoff.next_delay() <= max, "{attempt}");
        }
    }
}
