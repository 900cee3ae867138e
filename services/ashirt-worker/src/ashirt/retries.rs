//! Sends a call, retries it where that helps, and checks the response: the status first, always.

use std::error::Error as _;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderMap, Method, Response, StatusCode, header};
use hyper::body::Incoming;
use hyper_util::client::legacy;
use serde::Deserialize;
use tokio::time::{Instant, timeout_at};

use super::Client;
use super::api_call::ApiCall;
use super::error::{Error, Kind};
use super::evidence_content::{EvidenceContent, ReadLimits};

/// Clock difference from which it is reported as the likely cause of a rejected signature. The
/// backend allows an hour, but the `Date` may come from a proxy whose own clock differs by minutes.
const MIN_REPORTED_CLOCK_SKEW: Duration = Duration::from_secs(5 * 60);

/// An attempt of a call and its outcome, for metrics and logs.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Attempt {
    /// Name of the [`Client`] method.
    pub call: &'static str,
    /// 1 for the first, 2 for the first retry.
    pub number: u32,
    /// Status of the response, if there was one.
    pub status: Option<u16>,
    /// Kind of the error, if the attempt failed.
    pub error: Option<Kind>,
    /// Duration up to the end of the response, or for media up to its beginning.
    pub duration: Duration,
}

impl Client {
    /// Returns the whole response, read to its end so that the connection can be reused.
    pub(super) async fn send(&self, call: &ApiCall) -> Result<Bytes, Error> {
        self.run_attempts(call, |begin| self.receive_whole(call, begin)).await
    }

    /// Returns a response with a successful status as soon as it begins.
    pub(super) async fn media(&self, call: &ApiCall) -> Result<EvidenceContent, Error> {
        self.run_attempts(call, |begin| self.receive_start(call, begin)).await
    }

    /// Runs attempts until one succeeds, or none is left.
    async fn run_attempts<T, F>(
        &self,
        call: &ApiCall,
        attempt: impl Fn(Instant) -> F,
    ) -> Result<T, Error>
    where
        F: Future<Output = Result<(StatusCode, T), Error>>,
    {
        let mut number = 0;
        loop {
            let begin = Instant::now();
            let result = attempt(begin).await;
            match self.delay_after(call, &mut number, begin, &result) {
                Some(pause) => tokio::time::sleep(pause).await,
                None => {
                    return result
                        .map(|(_, done)| done)
                        .map_err(|error| error.with_call(call.name));
                }
            }
        }
    }

    async fn receive_whole(
        &self,
        call: &ApiCall,
        begin: Instant,
    ) -> Result<(StatusCode, Bytes), Error> {
        let limits = self.response_limits(begin);
        let response = self.send_signed(call, limits).await?;
        let (head, body) = response.into_parts();
        let bytes = EvidenceContent::new(call.name, &head.headers, body, limits)?.bytes().await?;
        Ok((head.status, bytes))
    }

    async fn receive_start(
        &self,
        call: &ApiCall,
        begin: Instant,
    ) -> Result<(StatusCode, EvidenceContent), Error> {
        let response = self.send_signed(call, self.response_limits(begin)).await?;
        let limits = ReadLimits {
            size: self.settings.media_limit,
            idle: self.settings.idle_timeout,
            deadline: begin + self.settings.media_timeout,
        };
        let (head, body) = response.into_parts();
        Ok((head.status, EvidenceContent::new(call.name, &head.headers, body, limits)?))
    }

    fn response_limits(&self, begin: Instant) -> ReadLimits {
        let settings = &self.settings;
        let deadline = begin + settings.timeout;
        ReadLimits { size: settings.answer_limit, idle: settings.idle_timeout, deadline }
    }

    /// Signs and sends the call, and returns the response if its status is successful.
    async fn send_signed(
        &self,
        call: &ApiCall,
        limits: ReadLimits,
    ) -> Result<Response<Incoming>, Error> {
        let request = self.request(call)?;
        let response = match timeout_at(limits.deadline, self.pool.request(request)).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return Err(self.connection_error(error)),
            Err(_) => return Err(Error::new(Kind::Timeout, "the backend did not respond in time")),
        };
        if response.status().is_success() {
            return Ok(response);
        }
        let (head, body) = response.into_parts();
        let content = EvidenceContent::new(call.name, &head.headers, body, limits);
        let body = match content {
            // An error body that cannot be read is ignored, because the status alone is a reason.
            Ok(content) => content.bytes().await.unwrap_or_default(),
            Err(_) => Bytes::new(),
        };
        Err(status_error(&call.method, head.status, &head.headers, &body, (self.hooks.clock)()))
    }

    fn connection_error(&self, error: legacy::Error) -> Error {
        let authority = self.settings.url.authority();
        let cause = error.source().and_then(|source| source.downcast_ref::<hyper::Error>());
        let (kind, message) = if error.is_connect() {
            (Kind::Connect, format!("no connection to {authority}"))
        } else if cause.is_some_and(hyper::Error::is_parse) {
            (Kind::Decode, format!("{authority} does not respond with HTTP"))
        } else {
            (Kind::Interrupted, format!("the connection to {authority} broke before the response"))
        };
        Error::new(kind, message).with_source(error)
    }

    /// Reports an attempt to the observer, and returns the delay before the next one, if there is
    /// to be one.
    fn delay_after<T>(
        &self,
        call: &ApiCall,
        number: &mut u32,
        begin: Instant,
        result: &Result<(StatusCode, T), Error>,
    ) -> Option<Duration> {
        *number += 1;
        if let Some(observe) = &self.hooks.observer {
            let (status, error) = match result {
                Ok((status, _)) => (Some(status.as_u16()), None),
                Err(error) => (error.status(), Some(error.kind())),
            };
            let duration = begin.elapsed();
            observe(&Attempt { call: call.name, number: *number, status, error, duration });
        }
        let error = result.as_ref().err()?;
        let again = *number <= self.settings.retries && call.may_be_repeated(error);
        again.then(|| backoff_delay(self.settings.backoff, *number))
    }
}

/// Returns an exponential backoff with jitter: between half and all of a delay that doubles with
/// each attempt, so that clients that failed together do not retry together.
fn backoff_delay(backoff: Duration, number: u32) -> Duration {
    let doubled = backoff.saturating_mul(1 << (number - 1).min(10));
    doubled.mul_f64(0.5 + fastrand::f64() / 2.0)
}

/// Body of the backend's error responses.
#[derive(Deserialize)]
struct ErrorBody {
    error: String,
}

fn status_error(
    method: &Method,
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    now: SystemTime,
) -> Error {
    let reason =
        serde_json::from_slice::<ErrorBody>(body).ok().map(|reason| printable(&reason.error));
    let (kind, message) = match status {
        StatusCode::UNAUTHORIZED => (Kind::Unauthorized, unauthorized(method, headers, now)),
        StatusCode::NOT_FOUND if reason.is_some() => {
            (Kind::NotFound, "not found, or no permission to read it".to_owned())
        }
        StatusCode::NOT_FOUND => (
            Kind::NotFound,
            "nothing is served at this path: check the backend's address".to_owned(),
        ),
        _ if status.is_redirection() => (
            Kind::Redirect,
            "a redirect, which is not followed: check the backend's address".to_owned(),
        ),
        _ if status.is_client_error() => {
            (Kind::BadRequest, "the backend rejects the request".to_owned())
        }
        _ if status.is_server_error() => (Kind::Server, "the backend failed".to_owned()),
        _ => (Kind::Decode, "unexpected status".to_owned()),
    };
    let status = status.as_u16();
    Error::new(kind, format!("{message} ({status})")).with_status(status, reason)
}

fn unauthorized(method: &Method, headers: &HeaderMap, now: SystemTime) -> String {
    if let Some((difference, side)) = clock_skew(headers, now) {
        let minutes = difference.as_secs() / 60;
        return format!("rejected: the local clock is {minutes} minutes {side} the backend's");
    }
    let causes = "wrong keys, a clock that is off by more than an hour, or a disabled user";
    if method == Method::GET {
        format!("rejected: {causes}")
    } else {
        format!("rejected: {causes}, or there is no such operation or evidence")
    }
}

/// Returns how far the local clock differs from the backend's, if that is far enough to be
/// reported.
fn clock_skew(headers: &HeaderMap, now: SystemTime) -> Option<(Duration, &'static str)> {
    let theirs = httpdate::parse_http_date(headers.get(header::DATE)?.to_str().ok()?).ok()?;
    let (difference, side) = match now.duration_since(theirs) {
        Ok(ahead) => (ahead, "ahead of"),
        Err(behind) => (behind.duration(), "behind"),
    };
    (difference > MIN_REPORTED_CLOCK_SKEW).then_some((difference, side))
}

fn printable(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_and_are_never_longer_than_that() {
        for number in 1..40 {
            let longest = Duration::from_millis(100) * (1 << (number - 1).min(10));
            let pause = backoff_delay(Duration::from_millis(100), number);
            assert!(pause >= longest / 2 && pause <= longest, "{number}: {pause:?}");
        }
        assert!(backoff_delay(Duration::MAX, 3) > Duration::from_secs(1));
    }

    #[test]
    fn what_a_backend_says_is_cut_and_made_printable() {
        let long = format!("a\u{1b}[31m\r\n{}", "x".repeat(1000));
        let printed = printable(&long);
        assert_eq!(printed.chars().count(), 200);
        assert!(printed.starts_with("a[31mx"));
    }
}
