//! The one service around the router: everything that happens before and after a handler, in order.
//!
//! From the outside in:
//!
//! 1. request id, the client's address and the trace: believed of trusted proxies only
//!    (`request_context.rs`)
//! 2. the limit of requests in flight: above it 503 at once (`load_shedding.rs`)
//! 3. cross-origin preflight requests of browsers (`cors.rs`)
//! 4. the body's limit, and the budget of memory that all requests share (`request_body_limit.rs`);
//!    the refusal or decoding of a compressed one (`content_coding/body_coding.rs`)
//! 5. the task-local context: `piton::app()`, the id in log lines
//! 6. timeout, panic catch (`panics.rs`)
//! 7. the service's own `before_request`
//! 8. compression and the service's own layers, if any; the router
//!
//! On the way out: the one error format (`error_format.rs`), the service's own `after_request`,
//! headers (`response_headers.rs`), metrics, access log (`access_log.rs`).
//!
//! One service instead of a tower of ten layers, because every request passes through it: a step that
//! is not configured costs one read of a flag
//! (`docs/decisions/0003-one-service-around-the-router-and-an-accept-loop.md`).

use std::any::Any;
use std::collections::BTreeSet;
use std::convert::Infallible;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderValue, Method, Request, StatusCode, header};
use tower::{Layer, Service};

use super::body_limit_errors::body_too_large;
use super::error_format::is_failure;
use super::in_flight::InFlightGuard;
use super::request_context::RequestContext;
use super::stack_config::StackConfig;
use super::streamed_body::WatchedBody;
use super::{panics, response_body};
use crate::context;
use crate::error::problem_document::{DebugInfo, ErrorReport};
use crate::error::{BoxError, Error};
use crate::handle::Handle;
use crate::http::routing::path_encoding;
use crate::http::routing::route_limit_table::RequestLimits;
use crate::metrics::RequestMetrics;
use crate::request::body_state::{BodyRefusal, BodyState};

/// The stack around `S`.
#[derive(Clone)]
pub(crate) struct Stack<S> {
    inner: S,
    config: Arc<StackConfig>,
    /// Set if some route has a percent-encoded path, which clients may write in several ways.
    normalizes_paths: bool,
}

impl<S> Stack<S> {
    pub fn new(inner: S, config: Arc<StackConfig>) -> Self {
        let normalizes_paths = config
            .handle
            .routes()
            .iter()
            .any(|route| path_encoding::has_encodable_literals(&route.path));
        Self { inner, config, normalizes_paths }
    }

    pub fn handle(&self) -> &Handle {
        &self.config.handle
    }

    pub fn metrics(&self) -> &Arc<RequestMetrics> {
        &self.config.metrics
    }

    /// Returns whether `path` is a probe's.
    pub fn is_probe(&self, path: &str) -> bool {
        self.config.exempt_paths.is_probe(path)
    }

    /// Responds with `error` to a request that is not valid HTTP.
    #[cold]
    pub fn refuse<B>(&self, request: Request<B>, peer: Option<IpAddr>, error: Error) -> Response {
        let mut seen = RequestContext::new(&request, peer, &self.config);
        seen.is_malformed = true;
        self.respond_without_router(RequestOutcome::Answered(error.into_response()), seen)
    }

    /// Responds 503 to a request whose connection is one too many.
    #[cold]
    pub fn shed_connection<B>(&self, request: Request<B>, peer: Option<IpAddr>) -> Response {
        let seen = RequestContext::new(&request, peer, &self.config);
        self.respond_without_router(self.config.shed_connection(), seen)
    }

    fn respond_without_router(
        &self,
        outcome: RequestOutcome,
        mut seen: RequestContext,
    ) -> Response {
        let config = &*self.config;
        let mut in_flight = InFlightGuard::new(&config.metrics, &seen.method);
        in_flight.set_answered();
        config.finish(outcome, &mut seen)
    }

    pub fn into_parts(self) -> (S, Arc<StackConfig>) {
        (self.inner, self.config)
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
        Box::pin(async move { Ok(stack.respond(request, peer).await) })
    }
}

impl<S> Stack<S>
where
    S: Service<Request<Body>, Response = Response, Error = Infallible> + Clone + Send + Sync,
    S::Future: Send,
{
    /// Responds to one request from `peer`. Errors, panics and timeouts inside become responses.
    pub async fn respond<B>(self, request: Request<B>, peer: Option<IpAddr>) -> Response
    where
        B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + Unpin + 'static,
    {
        let Self { mut inner, config: shared_config, normalizes_paths } = self;
        let config = &*shared_config;
        let mut seen = RequestContext::new(&request, peer, config);
        let mut in_flight = InFlightGuard::new(&config.metrics, &seen.method);
        let outcome = if let Some(shed) = config.shed_if_overloaded(&in_flight, &seen) {
            shed
        } else if let Some(preflight) = config.preflight(&request) {
            RequestOutcome::Answered(preflight)
        } else {
            match config.limit_body(request, seen.limits.body) {
                Ok((request, body)) => {
                    let work = run_handler(&mut inner, config, normalizes_paths, request);
                    // Pinned here, so that the timeout and the scope around it move a pointer
                    // instead of the whole future.
                    let caught = pin!(panics::catch(work));
                    let deadline = seen.started + seen.limits.timeout;
                    let timed = tokio::time::timeout_at(deadline.into(), caught);
                    let (handle, mut current) = (config.handle.clone(), seen.current.clone());
                    if let Some(body) = &body {
                        current.body = Arc::downgrade(body);
                    }
                    let (result, left) = context::within_request(handle, current, timed).await;
                    seen.current = left.unwrap_or(seen.current);
                    if let Some(body) = &body {
                        seen.body_wait = body.waited();
                    }
                    outcome_of(result, body.as_deref(), seen.limits)
                }
                Err(refusal) => config.refuse_body(refusal),
            }
        };
        in_flight.set_answered();
        let response = config.finish(outcome, &mut seen);
        if response_body::is_streamed(&response) {
            return WatchedBody::wrap(response, seen, shared_config.clone());
        }
        response
    }
}

/// Runs the service's `before_request` hooks and the router.
#[expect(
    clippy::manual_async_fn,
    reason = "an `async fn` moves the request once more: 80 instructions"
)]
fn run_handler<'a, S>(
    inner: &'a mut S,
    config: &'a StackConfig,
    normalizes_paths: bool,
    request: Request<Body>,
) -> impl Future<Output = Result<Response, Infallible>> + use<'a, S>
where
    S: Service<Request<Body>, Response = Response, Error = Infallible>,
{
    async move {
        if !config.hooks.has_before() && !normalizes_paths {
            return inner.call(request).await;
        }
        let request = match config.hooks.check(request).await {
            Ok(request) => request,
            Err(response) => return Ok(response),
        };
        let request =
            if normalizes_paths { path_encoding::normalize_request(request) } else { request };
        inner.call(request).await
    }
}

/// The result of a request, before its response is formatted.
pub(super) enum RequestOutcome {
    /// A response of the handler, the router or a hook.
    Answered(Response),
    /// A panic or a timeout.
    Failed(StatusCode, Option<&'static str>, DebugInfo),
    /// Shed for lack of capacity, and logged already.
    Shed(Response),
    /// Refused because `http.memory_budget` is used up.
    BudgetExhausted,
}

type HandlerResult = Result<Result<Response, Infallible>, Box<dyn Any + Send>>;

fn outcome_of(
    result: Result<HandlerResult, tokio::time::error::Elapsed>,
    body: Option<&BodyState>,
    limits: RequestLimits,
) -> RequestOutcome {
    match result {
        // The handler's error came from a body that we cut off, so it must not be reported as the
        // client's.
        Ok(Ok(Ok(response)))
            if body.is_some_and(|body| body.refused().is_some())
                && is_failure(response.status()) =>
        {
            match body.and_then(BodyState::refused) {
                Some(BodyRefusal::TooLarge) => {
                    RequestOutcome::Answered(body_too_large().into_response())
                }
                _ => RequestOutcome::BudgetExhausted,
            }
        }
        Ok(Ok(Ok(response))) => RequestOutcome::Answered(response),
        Ok(Err(panic)) => {
            let (message, location) = panics::describe(&*panic);
            let debug_info = DebugInfo { chain: vec![format!("panicked: {message}")], location };
            RequestOutcome::Failed(StatusCode::INTERNAL_SERVER_ERROR, None, debug_info)
        }
        Err(_) => timed_out(body.is_some_and(BodyState::is_waiting), limits),
    }
}

/// Returns 408 if the handler still waited for the client's body, else 503.
#[cold]
fn timed_out(is_clients_fault: bool, limits: RequestLimits) -> RequestOutcome {
    let (timeout, limit) = (humantime::format_duration(limits.timeout), limits.timeout_name());
    let (status, detail, what) = if is_clients_fault {
        (
            StatusCode::REQUEST_TIMEOUT,
            "the body did not arrive in time",
            "the client did not send its body",
        )
    } else {
        (
            StatusCode::SERVICE_UNAVAILABLE,
            "the response took too long",
            "the handler did not respond",
        )
    };
    let debug_info =
        DebugInfo { chain: vec![format!("{what} within {timeout} ({limit})")], location: None };
    RequestOutcome::Failed(status, Some(detail), debug_info)
}

impl StackConfig {
    fn preflight<B>(&self, request: &Request<B>) -> Option<Response> {
        // Nearly every request has another method, so no header is looked up for it.
        if request.method() != Method::OPTIONS {
            return None;
        }
        if request.uri().path() == "*" {
            return Some(self.server_options());
        }
        self.cors.as_ref()?.preflight(request.method(), request.headers())
    }

    /// Returns the methods of the whole server, for `OPTIONS *` (RFC 9110 section 9.3.7).
    #[cold]
    fn server_options(&self) -> Response {
        let routes = self.handle.routes().iter().map(|route| route.method.as_str());
        let methods: BTreeSet<&str> = routes.chain(["GET", "HEAD", "OPTIONS"]).collect();
        let allow = Vec::from_iter(methods).join(", ");
        let mut response = Response::new(Body::empty());
        let allow = HeaderValue::try_from(allow).expect("methods are tokens");
        response.headers_mut().insert(header::ALLOW, allow);
        response
    }

    /// Formats the response, adds its headers, and counts and logs the request.
    fn finish(&self, outcome: RequestOutcome, request: &mut RequestContext) -> Response {
        let formatted = match self.charge_response(outcome, request) {
            RequestOutcome::Answered(response) => self.format_response(response, request),
            RequestOutcome::Failed(status, detail, debug_info) => {
                let failure = ErrorReport {
                    debug_info: Some(debug_info),
                    ..ErrorReport::new(status, detail)
                };
                self.format_failure(empty_response(status), &failure, request)
            }
            RequestOutcome::Shed(response) => self.format_shed(response, request),
            RequestOutcome::BudgetExhausted => {
                self.format_shed(self.budget_exhausted_response(), request)
            }
        };
        let (mut response, status) = (formatted.response, formatted.status);
        if let Some(caller) = request.current.caller.get() {
            caller.add_response_headers(response.headers_mut());
        }
        if let Some(head) = request.head.take() {
            context::within_request_now(&self.handle, &request.current, || {
                self.hooks.finish(&head, &mut response);
            });
        }
        self.add_headers(response.headers_mut(), status, request);
        let duration = request.started.elapsed();
        self.metrics.observe(request.current.path.get(), &request.method, status, duration);
        if !formatted.is_logged {
            self.log_response(status, duration, request);
        }
        response
    }
}

fn empty_response(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    if status == StatusCode::SERVICE_UNAVAILABLE {
        // A retry may succeed: the timeout may come from load, or from a slow dependency.
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(1));
    }
    response
}
