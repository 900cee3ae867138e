//! Everything that stands around a handler, in one file, in order.
//!
//! From the outside in: request id, body limit, ambient context, timeout, panic catch, the router.
//! On the way out: the one error format, `x-request-id`, `connection: close` while draining, the
//! access log. It is one service and not a tower of ten, because every request passes through it.

use std::any::Any;
use std::convert::Infallible;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::FutureExt;
use http::{HeaderName, HeaderValue, Method, Request, StatusCode, Uri, header};
use http_body::{Frame, SizeHint};
use http_body_util::{BodyExt, Limited};
use tower::{Layer, Service};
use tracing::{Level, debug, enabled, error, info, warn};

use super::error::Carried;
use super::extract::too_large;
use super::problem::{self, Failure, Inside};
use super::{Error, HttpSettings, panics};
use crate::admin;
use crate::context::{self, RequestId};
use crate::handle::Handle;
use crate::logging::{LogRequests, LogSettings};
use crate::part::BoxError;

/// The header that carries the request's id.
pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What the stack needs to know, once for all requests.
pub(crate) struct Rules {
    pub handle: Handle,
    pub timeout: Duration,
    pub body_limit: usize,
    pub log_all: bool,
    pub log_failures: bool,
    /// From where on a request is slow, if such requests are logged.
    pub log_slow: Option<Duration>,
}

impl Rules {
    pub fn new(handle: Handle, http: &HttpSettings, log: &LogSettings) -> Self {
        let requests = log.requests.resolve(handle.production());
        Self {
            timeout: http.timeout,
            body_limit: http.body_limit.as_usize(),
            log_all: requests == LogRequests::All,
            log_failures: requests != LogRequests::None,
            log_slow: (requests != LogRequests::None && !log.slow.is_zero()).then_some(log.slow),
            handle,
        }
    }
}

/// The stack around `S`.
#[derive(Clone)]
pub(crate) struct Stack<S> {
    inner: S,
    rules: Arc<Rules>,
}

impl<S> Stack<S> {
    pub fn new(inner: S, rules: Arc<Rules>) -> Self {
        Self { inner, rules }
    }

    pub fn handle(&self) -> &Handle {
        &self.rules.handle
    }

    pub fn into_parts(self) -> (S, Arc<Rules>) {
        (self.inner, self.rules)
    }
}

/// Puts the stack around the routes of an ejected router.
#[derive(Clone)]
pub(crate) struct StackLayer(pub Arc<Rules>);

impl<S> Layer<S> for StackLayer {
    type Service = Stack<S>;

    fn layer(&self, inner: S) -> Stack<S> {
        Stack::new(inner, self.0.clone())
    }
}

impl<S> Service<Request<Body>> for Stack<S>
where
    S: Service<Request<Body>, Response = Response, Error = Infallible>
        + Clone
        + Send
        + Sync
        + 'static,
    S::Future: Send,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let stack = self.clone();
        Box::pin(async move { Ok(stack.answer(request).await) })
    }
}

impl<S> Stack<S>
where
    S: Service<Request<Body>, Response = Response, Error = Infallible> + Clone + Send + Sync,
    S::Future: Send,
{
    /// Answers one request. Never fails: whatever happens inside becomes an answer.
    pub async fn answer<B>(&self, request: Request<B>) -> Response
    where
        B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + Unpin + 'static,
    {
        let rules = &*self.rules;
        let seen = Seen::of(&request);
        let outcome = match limit(request, rules.body_limit) {
            Ok((request, body)) => {
                let answer = self.inner.clone().call(request);
                let caught = AssertUnwindSafe(answer).catch_unwind();
                let timed = tokio::time::timeout_at((seen.at + rules.timeout).into(), caught);
                let answer = context::within_request(rules.handle.clone(), seen.id, timed).await;
                outcome(answer, body.as_deref(), rules.timeout)
            }
            Err(refusal) => Outcome::Answered(refusal.into_response()),
        };
        rules.finish(outcome, &seen)
    }
}

/// What is remembered of a request for its answer's sake.
struct Seen {
    id: RequestId,
    method: Method,
    uri: Uri,
    at: Instant,
}

impl Seen {
    fn of<B>(request: &Request<B>) -> Self {
        Self {
            id: RequestId::new(),
            method: request.method().clone(),
            uri: request.uri().clone(),
            at: Instant::now(),
        }
    }

    fn path(&self) -> &str {
        self.uri.path()
    }

    /// How long it has taken, to the hundredth.
    fn duration_ms(&self) -> f64 {
        (self.at.elapsed().as_secs_f64() * 100_000.0).round() / 100.0
    }
}

/// How it went inside.
enum Outcome {
    Answered(Response),
    Failed(StatusCode, Option<&'static str>, Inside),
}

type Caught = Result<Result<Response, Infallible>, Box<dyn Any + Send>>;

fn outcome(
    answer: Result<Caught, tokio::time::error::Elapsed>,
    body: Option<&AtomicBool>,
    limit: Duration,
) -> Outcome {
    match answer {
        Ok(Ok(Ok(response))) => Outcome::Answered(response),
        Ok(Err(panic)) => {
            let (message, location) = panics::describe(&*panic);
            let inside = Inside { chain: vec![format!("panicked: {message}")], location };
            Outcome::Failed(StatusCode::INTERNAL_SERVER_ERROR, None, inside)
        }
        Err(_) => timed_out(body.is_some_and(|waiting| waiting.load(Ordering::Relaxed)), limit),
    }
}

/// Whose fault it is that time ran out: the client's if the handler was still waiting for its body.
#[cold]
fn timed_out(client: bool, limit: Duration) -> Outcome {
    let limit = humantime::format_duration(limit);
    let (status, detail, what) = if client {
        (
            StatusCode::REQUEST_TIMEOUT,
            "the body did not arrive in time",
            "the client did not send its body",
        )
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "the answer took too long", "the handler did not answer")
    };
    let inside =
        Inside { chain: vec![format!("{what} within {limit} (http.timeout)")], location: None };
    Outcome::Failed(status, Some(detail), inside)
}

impl Rules {
    /// The answer as it leaves.
    fn finish(&self, outcome: Outcome, seen: &Seen) -> Response {
        let (mut response, told) = match outcome {
            Outcome::Answered(response) => self.in_one_format(response, seen),
            Outcome::Failed(status, detail, inside) => {
                let failure = Failure { inside: Some(inside), ..Failure::new(status, detail) };
                self.fail(problem_response(status), &failure, seen)
            }
        };
        let headers = response.headers_mut();
        headers.insert(X_REQUEST_ID, seen.id.header());
        if self.handle.draining() {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        let status = response.status();
        let slow = self.log_slow.is_some_and(|limit| seen.at.elapsed() >= limit);
        if !told && (self.log_all || slow || (self.log_failures && status.is_server_error())) {
            self.log_request(status, slow, seen);
        }
        response
    }

    /// A failure that is not a problem document yet becomes one. Also says whether the log has been
    /// told.
    fn in_one_format(&self, mut response: Response, seen: &Seen) -> (Response, bool) {
        let status = response.status();
        if !status.is_client_error() && !status.is_server_error() {
            return (response, false);
        }
        if let Some(Carried(error)) = response.extensions_mut().remove::<Carried>() {
            return self.fail(response, &Failure::of(&error), seen);
        }
        match said(&mut response) {
            Said::InItsOwnFormat => (response, false),
            Said::Nothing => {
                let detail = (status == StatusCode::METHOD_NOT_ALLOWED).then_some(
                    "this method is not to be had here; the header `Allow` lists those that are",
                );
                self.fail(response, &Failure::new(status, detail), seen)
            }
            Said::Text(text) if status.is_client_error() => {
                self.fail(response, &Failure::new(status, Some(&text)), seen)
            }
            // What is said of a fault of ours is for the log.
            Said::Text(text) => {
                let inside = Inside { chain: vec![text], location: None };
                let failure = Failure { inside: Some(inside), ..Failure::new(status, None) };
                self.fail(response, &failure, seen)
            }
        }
    }

    /// The answer with its problem document. A failure with something inside is told to the log.
    fn fail(&self, response: Response, failure: &Failure<'_>, seen: &Seen) -> (Response, bool) {
        let told =
            failure.inside.as_ref().is_some_and(|inside| self.log_failure(failure, inside, seen));
        (self.with_document(response, failure, seen), told)
    }

    fn with_document(
        &self,
        mut response: Response,
        failure: &Failure<'_>,
        seen: &Seen,
    ) -> Response {
        let document = problem::render(failure, seen.id, seen.path(), !self.handle.production());
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(problem::MEDIA_TYPE));
        headers.remove(header::CONTENT_LENGTH);
        *response.body_mut() = Body::from(document);
        response
    }

    /// Once, where it is handled: our faults loudly, refusals only to those who look. Returns whether
    /// it was loud: then the request needs no line of its own.
    #[cold]
    fn log_failure(&self, failure: &Failure<'_>, inside: &Inside, seen: &Seen) -> bool {
        let (method, path, status) = (&seen.method, seen.path(), failure.status.as_u16());
        let said = failure.detail.into_iter().chain(inside.chain.iter().map(String::as_str));
        let what = said.collect::<Vec<_>>().join(": ");
        let at = inside.location.as_deref();
        let duration_ms = seen.duration_ms();
        let loud = failure.status.is_server_error();
        context::within_request_now(&self.handle, seen.id, || {
            if loud {
                error!(status, duration_ms, at, "{method} {path} failed: {what}");
            } else {
                debug!(status, duration_ms, at, "{method} {path} refused: {what}");
            }
        });
        loud
    }

    fn log_request(&self, status: StatusCode, slow: bool, seen: &Seen) {
        let loud = slow || status.is_server_error();
        if !(loud && enabled!(Level::WARN) || enabled!(Level::INFO)) {
            return;
        }
        let (method, path, duration_ms) = (&seen.method, seen.path(), seen.duration_ms());
        // Asked every few seconds by machines; whoever wants to see that looks at `DEBUG`.
        let probe = admin::QUIET_PATHS.contains(&path);
        let status = status.as_u16();
        let slow = slow.then_some(true);
        context::within_request_now(&self.handle, seen.id, || {
            if loud {
                warn!(status, duration_ms, slow, "{method} {path} {status}");
            } else if probe {
                debug!(status, duration_ms, "{method} {path} {status}");
            } else {
                info!(status, duration_ms, "{method} {path} {status}");
            }
        });
    }
}

fn problem_response(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// What a failing answer already says.
enum Said {
    Nothing,
    Text(String),
    InItsOwnFormat,
}

/// Reads a plain text that is there already: axum's refusals and `(StatusCode, "text")`. Bodies
/// that would have to be waited for, and other formats, are the handler's own business.
fn said(response: &mut Response) -> Said {
    let size = http_body::Body::size_hint(response.body()).exact();
    if size == Some(0) {
        return Said::Nothing;
    }
    let kind = response.headers().get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
    let is_text = kind.is_some_and(|kind| kind.starts_with(b"text/plain"));
    if !is_text || size.is_none_or(|size| size > 4096) {
        return Said::InItsOwnFormat;
    }
    let body = std::mem::take(response.body_mut());
    match body.collect().now_or_never() {
        Some(Ok(collected)) => {
            Said::Text(String::from_utf8_lossy(&collected.to_bytes()).trim_end().to_owned())
        }
        _ => Said::Nothing,
    }
}

/// Bounds the body. The flag says whether the handler waits for the client to send more.
fn limit<B>(
    request: Request<B>,
    limit: usize,
) -> Result<(Request<Body>, Option<Arc<AtomicBool>>), Error>
where
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + Unpin + 'static,
{
    let (parts, body) = request.into_parts();
    // Nearly every GET: nothing to bound, nothing to allocate.
    if body.is_end_stream() {
        return Ok((Request::from_parts(parts, Body::empty()), None));
    }
    if body.size_hint().lower() > limit as u64 {
        return Err(too_large());
    }
    let waiting = Arc::new(AtomicBool::new(false));
    let body = Body::new(Bounded { body: Limited::new(body, limit), waiting: waiting.clone() });
    Ok((Request::from_parts(parts, body), Some(waiting)))
}

/// A body that ends in an error above its limit, and says when it is being waited for.
struct Bounded<B> {
    body: Limited<B>,
    waiting: Arc<AtomicBool>,
}

impl<B> http_body::Body for Bounded<B>
where
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Unpin,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.body).poll_frame(cx);
        this.waiting.store(polled.is_pending(), Ordering::Relaxed);
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
