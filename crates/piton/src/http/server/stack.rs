//! Everything that stands around a handler, in one file, in order.
//!
//! From the outside in:
//!
//! 1. request id, the client's address and the trace: believed of trusted proxies only
//! 2. the cap on requests under way: what is above it is answered 503 at once
//! 3. cross-origin questions of browsers (preflight)
//! 4. the body's limit, and the budget of memory that all requests share
//! 5. ambient context: `piton::app()`, the id in log lines
//! 6. timeout, panic catch
//! 7. the service's own `before_request`
//! 8. compression and the service's own layers, if any; the router
//!
//! On the way out: the one error format, the service's own `after_request`, headers (the settings',
//! CORS, `x-request-id`, `connection: close` while draining), figures, access log. It is one service
//! and not a tower of ten, because every request passes through it; what is not switched on costs a
//! look at a flag.

use std::any::Any;
use std::borrow::Cow;
use std::convert::Infallible;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::FutureExt;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri, header};
use http_body_util::BodyExt;
use tower::{Layer, Service};
use tracing::{Level, debug, enabled, error, info, warn};

use super::panics;
use crate::admin;
use crate::compat::error_envelope::{self, ErrorStyle};
use crate::context::{self, CurrentRequest, RequestId};
use crate::error::Error;
use crate::error::error_renderer::ErrorResponse;
use crate::error::handler_error::{CustomErrorBody, ErrorExtension};
use crate::error::problem::{self, DebugInfo, ErrorReport};
use crate::handle::Handle;
use crate::http::extract::arguments::too_large;
use crate::http::routing::hooks::{Hooks, RequestHead};
use crate::http::routing::path_text;
use crate::http::server::body_budget::{self, BodyState, Refused, no_room};
use crate::http::server::cors::Cors;
use crate::http::server::forwarded::Proxies;
use crate::http::settings::HeaderLine;
use crate::http::settings::HttpSettings;
use crate::logging::{LogRequests, LogSettings};
use crate::metrics::RequestMetrics;
use crate::part::BoxError;
use crate::request::trace_context::{TraceContext, trace_state};
use crate::secrets::key_is_secret;
use crate::support::log_throttle::LogThrottle;

/// The header that carries the request's id.
pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What the stack needs to know, once for all requests.
pub(crate) struct StackConfig {
    pub handle: Handle,
    timeout: Duration,
    body_limit: usize,
    max_requests: i64,
    proxies: Proxies,
    cors: Option<Cors>,
    headers: Vec<HeaderLine>,
    style: ErrorStyle,
    /// What Gnar Gear calls every failure of this app.
    title: String,
    show_inside: bool,
    hooks: Hooks,
    requests: Arc<RequestMetrics>,
    log_all: bool,
    log_failures: bool,
    /// From where on a request is slow, if such requests are logged.
    log_slow: Option<Duration>,
    /// Requests that are turned away.
    overload: LogThrottle,
    /// Requests that fail because something is away: all of them, until it is back.
    away: LogThrottle,
    /// Limits the log lines about requests refused for lack of memory.
    memory: LogThrottle,
}

impl StackConfig {
    pub fn new(handle: Handle, http: &HttpSettings, log: &LogSettings, hooks: Hooks) -> Self {
        let production = handle.production();
        let requests = log.requests.resolve(production);
        Self {
            timeout: http.timeout,
            body_limit: http.body_limit.as_usize(),
            max_requests: http.max_requests.into(),
            proxies: http.proxies(),
            cors: Cors::new(&http.cors, production),
            headers: http.headers.clone(),
            style: http.error_style,
            title: error_envelope::title(handle.name()),
            show_inside: http.traceback.shown(production),
            hooks,
            requests: handle.metrics().requests().clone(),
            log_all: requests == LogRequests::All,
            log_failures: requests != LogRequests::None,
            log_slow: (requests != LogRequests::None && !log.slow.is_zero()).then_some(log.slow),
            overload: LogThrottle::default(),
            away: LogThrottle::default(),
            memory: LogThrottle::default(),
            handle,
        }
    }

    /// The rules of the admin address: the same limits and formats, without what is only for the
    /// public. What is asked there is neither counted nor logged.
    pub fn of_admin(handle: Handle, http: &HttpSettings) -> Self {
        let log = LogSettings { requests: LogRequests::None, ..LogSettings::default() };
        Self {
            cors: None,
            style: ErrorStyle::Problem,
            requests: Arc::default(),
            ..Self::new(handle, http, &log, Hooks::default())
        }
    }
}

/// The stack around `S`.
#[derive(Clone)]
pub(crate) struct Stack<S> {
    inner: S,
    rules: Arc<StackConfig>,
    /// Some route has a percent-encoded path, which clients may write in several ways.
    normalizes_paths: bool,
}

impl<S> Stack<S> {
    pub fn new(inner: S, rules: Arc<StackConfig>) -> Self {
        let normalizes_paths =
            rules.handle.routes().iter().any(|route| path_text::has_forms(&route.path));
        Self { inner, rules, normalizes_paths }
    }

    pub fn handle(&self) -> &Handle {
        &self.rules.handle
    }

    pub fn requests(&self) -> &Arc<RequestMetrics> {
        &self.rules.requests
    }

    pub fn into_parts(self) -> (S, Arc<StackConfig>) {
        (self.inner, self.rules)
    }
}

/// Puts the stack around the routes of an ejected router.
#[derive(Clone)]
pub(crate) struct StackLayer(pub Arc<StackConfig>);

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
        let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip());
        Box::pin(async move { Ok(stack.answer(request, peer).await) })
    }
}

impl<S> Stack<S>
where
    S: Service<Request<Body>, Response = Response, Error = Infallible> + Clone + Send + Sync,
    S::Future: Send,
{
    /// Answers one request from `peer`. Never fails: whatever happens inside becomes an answer.
    pub async fn answer<B>(self, request: Request<B>, peer: Option<IpAddr>) -> Response
    where
        B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + Unpin + 'static,
    {
        let Self { mut inner, rules, normalizes_paths } = self;
        let rules = &*rules;
        let mut seen = Seen::of(&request, peer, rules);
        let mut turn = Turn::begin(&rules.requests);
        let outcome = if let Some(answer) = rules.turned_away(&turn, &seen) {
            answer
        } else if let Some(answer) = rules.preflight(&request) {
            Outcome::Answered(answer)
        } else {
            match body_budget::limit(request, rules.body_limit, &rules.handle.inner().memory) {
                Ok((request, body)) => {
                    let work = async {
                        let request = if rules.hooks.has_before() {
                            match rules.hooks.check(request).await {
                                Ok(request) => request,
                                Err(answer) => return Ok(answer),
                            }
                        } else {
                            request
                        };
                        let request =
                            if normalizes_paths { path_text::normalize(request) } else { request };
                        inner.call(request).await
                    };
                    // Pinned where it is: what wraps it then moves a pointer, not the whole of it.
                    let caught = pin!(AssertUnwindSafe(work).catch_unwind());
                    let timed = tokio::time::timeout_at((seen.at + rules.timeout).into(), caught);
                    let (handle, mut current) = (rules.handle.clone(), seen.current.clone());
                    if let Some(body) = &body {
                        current.body = Arc::downgrade(body);
                    }
                    let (answer, left) = context::within_request(handle, current, timed).await;
                    seen.current = left.unwrap_or(seen.current);
                    outcome(answer, body.as_deref(), rules.timeout)
                }
                Err(refused) => rules.refused(&refused),
            }
        };
        turn.answered = true;
        rules.finish(outcome, &mut seen)
    }
}

/// A request's place among those under way, given back when it ends, however it does.
struct Turn<'a> {
    requests: &'a RequestMetrics,
    /// How many there are with it.
    place: i64,
    answered: bool,
}

impl<'a> Turn<'a> {
    fn begin(requests: &'a RequestMetrics) -> Self {
        Self { requests, place: requests.begin(), answered: false }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.requests.end(self.answered);
    }
}

/// What is remembered of a request for its answer's sake.
struct Seen {
    current: CurrentRequest,
    method: Method,
    uri: Uri,
    at: Instant,
    /// The client's address, where the connection's other end is a trusted proxy.
    client: Option<IpAddr>,
    /// The page that asks, where that makes a difference.
    origin: Option<HeaderValue>,
    head: Option<Box<RequestHead>>,
}

impl Seen {
    fn of<B>(request: &Request<B>, peer: Option<IpAddr>, rules: &StackConfig) -> Self {
        let headers = request.headers();
        let trace = TraceContext::of_headers(headers);
        let proxied = peer.filter(|peer| rules.proxies.trust(*peer));
        let given = proxied.and_then(|_| given_id(headers));
        let mut current = CurrentRequest::new(given.unwrap_or_default(), peer, trace);
        current.trace_state = trace.and_then(|_| trace_state(headers));
        let at = Instant::now();
        current.deadline = Some(at + rules.timeout);
        Self {
            current,
            method: request.method().clone(),
            uri: request.uri().clone(),
            at,
            client: proxied.map(|peer| rules.proxies.client(peer, headers)),
            origin: rules.cors.as_ref().and_then(|_| headers.get(header::ORIGIN).cloned()),
            head: rules.hooks.head(request).map(Box::new),
        }
    }

    fn path(&self) -> &str {
        self.uri.path()
    }

    fn id(&self) -> RequestId {
        self.current.id
    }

    /// Whom to name in the log.
    fn client(&self) -> Option<IpAddr> {
        self.client.or(self.current.peer)
    }
}

/// To the hundredth.
fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 100_000.0).round() / 100.0
}

/// The id that a proxy gave the request.
fn given_id(headers: &HeaderMap) -> Option<RequestId> {
    headers.get(X_REQUEST_ID).and_then(|id| RequestId::given(id.as_bytes()))
}

/// How it went inside.
enum Outcome {
    Answered(Response),
    Failed(StatusCode, Option<&'static str>, DebugInfo),
    /// Turned away, which the log knows already.
    Shed(Response),
    /// The request was refused because `http.memory_budget` is used up.
    NoRoom,
}

pub(crate) fn is_failure(status: StatusCode) -> bool {
    status.is_client_error() || status.is_server_error()
}

/// An answer on its way out.
struct Finished {
    response: Response,
    /// What it is called inside; over the wire Gnar Gear's envelope has another.
    status: StatusCode,
    /// Whether the log has been told.
    told: bool,
}

impl Finished {
    fn plain(response: Response) -> Self {
        Self { status: response.status(), response, told: false }
    }
}

type Caught = Result<Result<Response, Infallible>, Box<dyn Any + Send>>;

fn outcome(
    answer: Result<Caught, tokio::time::error::Elapsed>,
    body: Option<&BodyState>,
    limit: Duration,
) -> Outcome {
    match answer {
        // The handler's error came from a body that we cut off, so it must not be reported as the
        // client's.
        Ok(Ok(Ok(response)))
            if body.is_some_and(|body| body.refused().is_some())
                && is_failure(response.status()) =>
        {
            match body.and_then(BodyState::refused) {
                Some(Refused::TooLarge) => Outcome::Answered(too_large().into_response()),
                _ => Outcome::NoRoom,
            }
        }
        Ok(Ok(Ok(response))) => Outcome::Answered(response),
        Ok(Err(panic)) => {
            let (message, location) = panics::describe(&*panic);
            let inside = DebugInfo { chain: vec![format!("panicked: {message}")], location };
            Outcome::Failed(StatusCode::INTERNAL_SERVER_ERROR, None, inside)
        }
        Err(_) => timed_out(body.is_some_and(BodyState::is_waiting), limit),
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
        DebugInfo { chain: vec![format!("{what} within {limit} (http.timeout)")], location: None };
    Outcome::Failed(status, Some(detail), inside)
}

impl StackConfig {
    /// The answer to a request for which there is no room.
    fn turned_away(&self, turn: &Turn<'_>, seen: &Seen) -> Option<Outcome> {
        if turn.place <= self.max_requests || admin::PROBE_PATHS.contains(&seen.path()) {
            return None;
        }
        self.requests.shed();
        if let Some(count) = self.overload.pass() {
            let limit = self.max_requests;
            warn!(
                count,
                limit,
                "Turned requests away: there are more under way than http.max_requests allows"
            );
        }
        let refusal = Error::unavailable("too many requests are under way")
            .retry_after(Duration::from_secs(1));
        Some(Outcome::Shed(refusal.into_response()))
    }

    /// Returns the response to a request whose body was refused before it was read.
    #[cold]
    fn refused(&self, refused: &Refused) -> Outcome {
        match refused {
            Refused::NoRoom => Outcome::NoRoom,
            Refused::TooLarge => Outcome::Answered(refused.error().into_response()),
        }
    }

    /// Returns the response to a request that finds `http.memory_budget` used up.
    #[cold]
    fn no_room(&self) -> Response {
        let budget = &self.handle.inner().memory;
        budget.refuse();
        if let Some(count) = self.memory.pass() {
            let limit = budget.limit();
            warn!(
                count,
                limit,
                "Refused requests: bodies, rows and answers in memory would go beyond http.memory_budget"
            );
        }
        no_room().into_response()
    }

    /// Releases the memory held to make the response, and charges the response itself to
    /// `http.memory_budget`.
    fn charge(&self, outcome: Outcome, seen: &Seen) -> Outcome {
        let held = seen.current.memory.get();
        if let Some(held) = held {
            held.clear();
        }
        match outcome {
            Outcome::Answered(response)
                if response.status() == StatusCode::SERVICE_UNAVAILABLE
                    && held.is_some_and(|held| held.is_refused()) =>
            {
                Outcome::NoRoom
            }
            Outcome::Answered(response) => {
                // The result of a POST must be sent even if it exceeds the budget, because the
                // client would repeat it otherwise. Metrics must be, because they are needed most
                // when memory is short.
                let can_retry = seen.method.is_safe()
                    && !is_failure(response.status())
                    && !admin::QUIET_PATHS.contains(&seen.path());
                let charged = body_budget::charge(response, &self.handle.inner().memory, can_retry);
                charged.map_or(Outcome::NoRoom, Outcome::Answered)
            }
            outcome => outcome,
        }
    }

    fn preflight<B>(&self, request: &Request<B>) -> Option<Response> {
        // Nearly every request is no question.
        if request.method() != Method::OPTIONS {
            return None;
        }
        self.cors.as_ref()?.preflight(request.method(), request.headers())
    }

    /// The answer as it leaves.
    fn finish(&self, outcome: Outcome, seen: &mut Seen) -> Response {
        let Finished { mut response, status, told } = match self.charge(outcome, seen) {
            Outcome::Answered(response) => self.in_one_format(response, seen),
            Outcome::Failed(status, detail, inside) => {
                let failure =
                    ErrorReport { inside: Some(inside), ..ErrorReport::new(status, detail) };
                let mut response = problem_response(status);
                if status == StatusCode::SERVICE_UNAVAILABLE {
                    // Time ran out, here or in what the handler waited for: it may not the next time.
                    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(1));
                }
                self.fail(response, &failure, seen)
            }
            Outcome::Shed(response) => self.shed(response, seen),
            Outcome::NoRoom => self.shed(self.no_room(), seen),
        };
        if let Some(caller) = seen.current.caller.get() {
            caller.answer(response.headers_mut());
        }
        if let Some(head) = seen.head.take() {
            context::within_request_now(&self.handle, &seen.current, || {
                self.hooks.finish(&head, &mut response);
            });
        }
        if status == StatusCode::NOT_MODIFIED {
            // To a HEAD, axum says that the body is 0 bytes: a cache would take that for the answer's.
            response.headers_mut().remove(header::CONTENT_LENGTH);
        }
        self.add_headers(response.headers_mut(), seen);
        let took = seen.at.elapsed();
        self.requests.observe(seen.current.path.get(), &seen.method, status, took);
        let slow = self.log_slow.is_some_and(|limit| took >= limit);
        if !told && (self.log_all || slow || (self.log_failures && status.is_server_error())) {
            self.log_request(status, took, slow, seen);
        }
        response
    }

    /// Returns the response to a shed request, which is not logged.
    fn shed(&self, mut response: Response, seen: &Seen) -> Finished {
        match response.extensions_mut().remove::<ErrorExtension>() {
            Some(ErrorExtension(error)) => {
                let failure = ErrorReport { inside: None, ..ErrorReport::of(&error) };
                Finished { told: true, ..self.fail(response, &failure, seen) }
            }
            None => Finished::plain(response),
        }
    }

    fn add_headers(&self, headers: &mut HeaderMap, seen: &Seen) {
        for line in &self.headers {
            headers.entry(&line.name).or_insert_with(|| line.value.clone());
        }
        if let Some(cors) = &self.cors {
            cors.finish(seen.origin.as_ref(), headers);
        }
        headers.insert(X_REQUEST_ID, seen.id().header());
        if self.handle.draining() {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
    }

    /// A failure that is not a problem document yet becomes one.
    fn in_one_format(&self, mut response: Response, seen: &Seen) -> Finished {
        let status = response.status();
        if !is_failure(status) {
            return Finished::plain(response);
        }
        if let Some(ErrorExtension(error)) = response.extensions_mut().remove::<ErrorExtension>() {
            let failure = ErrorReport::of(&error);
            if response.extensions_mut().remove::<CustomErrorBody>().is_none() {
                return self.fail(response, &failure, seen);
            }
            let inside = failure.inside.as_ref();
            let told = inside.is_some_and(|inside| self.log_failure(&failure, inside, seen));
            return Finished { response, status, told };
        }
        if status == StatusCode::METHOD_NOT_ALLOWED && seen.method == Method::OPTIONS {
            return Finished::plain(options(response));
        }
        match said(&mut response) {
            Said::InItsOwnFormat => Finished::plain(response),
            Said::Nothing => {
                let detail = (status == StatusCode::METHOD_NOT_ALLOWED).then_some(
                    "this method is not to be had here; the header `Allow` lists those that are",
                );
                self.fail(response, &ErrorReport::new(status, detail), seen)
            }
            Said::Text(text) if status.is_client_error() => {
                self.fail(response, &ErrorReport::new(status, Some(&text)), seen)
            }
            // What is said of a fault of ours is for the log.
            Said::Text(text) => {
                let inside = DebugInfo { chain: vec![text], location: None };
                let failure =
                    ErrorReport { inside: Some(inside), ..ErrorReport::new(status, None) };
                self.fail(response, &failure, seen)
            }
        }
    }

    /// The answer in its format. A failure with something inside is told to the log.
    fn fail(&self, response: Response, failure: &ErrorReport<'_>, seen: &Seen) -> Finished {
        let told =
            failure.inside.as_ref().is_some_and(|inside| self.log_failure(failure, inside, seen));
        let response = self.with_document(response, failure, seen);
        Finished { response, status: failure.status, told }
    }

    fn with_document(
        &self,
        mut response: Response,
        failure: &ErrorReport<'_>,
        seen: &Seen,
    ) -> Response {
        if let Some(own) = self.hooks.failures.of(seen.path()) {
            return own.answer(&ErrorResponse::new(failure, seen.id()), &response);
        }
        let (media_type, document) = match self.style {
            ErrorStyle::Problem => {
                let inside = self.show_inside;
                // The client knows its path, but a cache or proxy that stores the response should
                // not learn a secret.
                let path = self.path_for_log(seen);
                let document = problem::render(failure, seen.id(), &path, inside);
                (problem::MEDIA_TYPE, document)
            }
            ErrorStyle::Gnar => {
                *response.status_mut() = StatusCode::OK;
                // It says how to come in after a 401, which this is no longer.
                response.headers_mut().remove(header::WWW_AUTHENTICATE);
                let document = error_envelope::render(failure, &self.title, self.show_inside);
                ("application/json", document)
            }
        };
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
        headers.remove(header::CONTENT_LENGTH);
        *response.body_mut() = Body::from(document);
        response
    }

    /// Once, where it is handled: our faults loudly, refusals only to those who look. Returns whether
    /// it was loud: then the request needs no line of its own.
    #[cold]
    fn log_failure(&self, failure: &ErrorReport<'_>, inside: &DebugInfo, seen: &Seen) -> bool {
        let path = self.path_for_log(seen);
        let (method, status) = (&seen.method, failure.status.as_u16());
        let said = failure.detail.into_iter().chain(inside.chain.iter().map(String::as_str));
        let what = said.collect::<Vec<_>>().join(": ");
        let at = inside.location.as_deref();
        let duration_ms = milliseconds(seen.at.elapsed());
        let client = seen.client().map(tracing::field::display);
        let loud = failure.status.is_server_error();
        let alike = match failure.status {
            StatusCode::SERVICE_UNAVAILABLE => match self.away.pass() {
                Some(count) => (count > 1).then_some(count),
                // Where every request has a line, it has that.
                None => return !self.log_all,
            },
            _ => None,
        };
        context::within_request_now(&self.handle, &seen.current, || {
            if loud {
                error!(status, duration_ms, client, at, alike, "{method} {path} failed: {what}");
            } else {
                debug!(status, duration_ms, client, at, "{method} {path} refused: {what}");
            }
        });
        loud
    }

    /// Returns the path as logs and error documents may show it.
    fn path_for_log<'a>(&self, seen: &'a Seen) -> Cow<'a, str> {
        match self.requests.pattern(seen.current.path.get()) {
            // `/activate//TOKEN` is no link of `/activate/{token}`, and a `/{*rest}` takes it.
            Some(pattern) if pattern.contains("{*") && !pattern.split('/').any(is_secret) => {
                self.unmatched_for_log(seen.path())
            }
            Some(pattern) => without_secrets(seen.path(), &pattern),
            None => self.unmatched_for_log(seen.path()),
        }
    }

    /// Returns a path that no route has matched, or only one that takes any path, with `***` for each segment that no route spells out, if
    /// there is a route with a secret in its path: the link of a letter with a `/` too many, in capitals
    /// or behind a prefix still holds its token.
    #[cold]
    fn unmatched_for_log<'a>(&self, path: &'a str) -> Cow<'a, str> {
        let mut segments: Vec<(&str, bool)> = path
            .split('/')
            .take(MAX_SEGMENTS + 1)
            .map(|segment| (segment, segment.is_empty()))
            .collect();
        let cut = segments.len() > MAX_SEGMENTS;
        segments.truncate(MAX_SEGMENTS);
        let mut secrets = false;
        self.requests.each_pattern(|pattern| {
            for said in pattern.split('/') {
                secrets |= is_secret(said);
                for (segment, shown) in &mut segments {
                    *shown |= !said.contains('{') && segment.eq_ignore_ascii_case(said);
                }
            }
        });
        if !secrets {
            return Cow::Borrowed(path);
        }
        let shown = segments.iter().map(|(segment, shown)| if *shown { segment } else { HIDDEN });
        Cow::Owned(shown.chain(cut.then_some(HIDDEN)).collect::<Vec<_>>().join("/"))
    }

    fn log_request(&self, status: StatusCode, took: Duration, slow: bool, seen: &Seen) {
        let loud = slow || status.is_server_error();
        if !(loud && enabled!(Level::WARN) || enabled!(Level::INFO)) {
            return;
        }
        let (method, duration_ms) = (&seen.method, milliseconds(took));
        let path = self.path_for_log(seen);
        // Asked every few seconds by machines; whoever wants to see that looks at `DEBUG`.
        let probe = admin::QUIET_PATHS.contains(&seen.path());
        let status = status.as_u16();
        let slow = slow.then_some(true);
        let client = seen.client().map(tracing::field::display);
        context::within_request_now(&self.handle, &seen.current, || {
            if loud {
                warn!(status, duration_ms, slow, client, "{method} {path} {status}");
            } else if probe {
                debug!(status, duration_ms, client, "{method} {path} {status}");
            } else {
                info!(status, duration_ms, client, "{method} {path} {status}");
            }
        });
    }
}

/// The answer to `OPTIONS` of a path that does not route it: the methods that the router has listed.
fn options(mut response: Response) -> Response {
    let allowed = response.headers().get(header::ALLOW).and_then(|methods| methods.to_str().ok());
    let allowed = format!("{},OPTIONS", allowed.unwrap_or_default());
    let mut answer = Response::new(Body::empty());
    if let Ok(allowed) = HeaderValue::try_from(allowed.trim_start_matches(',')) {
        response.headers_mut().insert(header::ALLOW, allowed);
    }
    response.headers_mut().remove(header::CONTENT_TYPE);
    *answer.headers_mut() = std::mem::take(response.headers_mut());
    answer
}

/// Replaces a path segment that may be a secret.
const HIDDEN: &str = "***";

/// Maximum number of segments of an unmatched path that are logged.
const MAX_SEGMENTS: usize = 16;

/// Returns whether a segment of a pattern has a parameter with a secret's name, such as `{token}`.
fn is_secret(said: &str) -> bool {
    let named = said.split('{').skip(1).filter_map(|rest| rest.split('}').next());
    named.map(|name| name.trim_start_matches('*')).any(key_is_secret)
}

/// Returns `path` with `***` for each parameter of `pattern` that has a secret's name, such as
/// `{token}`, and for the whole match of a `{*token}`.
fn without_secrets<'a>(path: &'a str, pattern: &str) -> Cow<'a, str> {
    if !pattern.split('/').any(is_secret) {
        return Cow::Borrowed(path);
    }
    let mut shown = Vec::new();
    let mut patterns = pattern.split('/').chain(std::iter::repeat(""));
    for (segment, said) in path.split('/').zip(&mut patterns) {
        if !is_secret(said) {
            shown.push(segment);
            continue;
        }
        shown.push(HIDDEN);
        if said.contains("{*") {
            break;
        }
    }
    Cow::Owned(shown.join("/"))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_with_a_secrets_name_is_not_for_the_log() {
        for (path, pattern, shown) in [
            ("/user/activate/1b2c", "/user/activate/{token}", "/user/activate/***"),
            ("/reset/1b2c/done", "/reset/{reset_token}/done", "/reset/***/done"),
            ("/user/7", "/user/{id}", "/user/7"),
            ("/token/7", "/token/{id}", "/token/7"),
            ("/x/1b2c/3d4e", "/x/{*token}", "/x/***"),
            ("/x/1b2c.html", "/x/{token}.html", "/x/***"),
        ] {
            assert_eq!(without_secrets(path, pattern), shown);
        }
    }
}
