//! Middleware of one route, between its guard and its handler: `#[cached]` over a route is
//! one call of [`Route::middleware`](crate::http::Route::middleware).
//!
//! Routes without middleware have no overhead. tower's layers wrap a whole router instead, cannot see the
//! guard's decision and are not described in the OpenAPI document.

use std::future::Future;
use std::pin::Pin;

use axum::extract::Request;
use axum::response::Response;
use http::Method;

use super::guard::Guard;
use super::operation::Operation;
use crate::handle::Handle;

/// The future of a middleware's response.
pub type ResponseFuture<'a> = Pin<Box<dyn Future<Output = Response> + Send + 'a>>;

/// Wraps the handler of a route: sees each request that the guard lets pass, and its response.
///
/// ```
/// use piton::prelude::*;
/// use piton::axum::extract::Request;
/// use piton::http::{ResponseFuture, Middleware, Next, Operation, get};
///
/// struct Signed;
///
/// impl Middleware for Signed {
///     fn describe(&self, _: &mut Operation) {}
///
///     fn call<'a>(&'a self, request: Request, _: &'a Handle, next: Next<'a>) -> ResponseFuture<'a> {
///         Box::pin(async move {
///             let mut answer = next.run(request).await;
///             answer.headers_mut().insert("x-signed", "yes".parse().expect("it is ASCII"));
///             answer
///         })
///     }
/// }
///
/// async fn work() -> &'static str { "done" }
///
/// let app = App::new("office").route(get("/work", work).middleware(Signed));
/// ```
pub trait Middleware: Send + Sync + 'static {
    /// Describes the parts that it needs, what it reads of the request, and its responses.
    fn describe(&self, operation: &mut Operation);

    /// Returns the reason why it cannot work on a route, if it cannot. The launch fails with it.
    fn problem(&self, _at: &RouteContext<'_>) -> Option<String> {
        None
    }

    /// Returns the expression that makes this value, which `routes --explain` prints; see
    /// [`Guard::explain`](crate::http::Guard::explain).
    fn explain(&self) -> Option<String> {
        None
    }

    #[doc(hidden)]
    fn type_name(&self) -> &'static str {
        std::any::type_name::<Self>()
    }

    /// Returns the response of `next`, or one of its own.
    fn call<'a>(&'a self, request: Request, app: &'a Handle, next: Next<'a>) -> ResponseFuture<'a>;
}

/// The route that a middleware is put on.
#[derive(Debug)]
pub struct RouteContext<'a> {
    /// The methods of the route.
    pub methods: &'a [Method],
    /// The whole path, prefixes joined.
    pub path: &'a str,
    /// Set if a guard runs before that does not let every caller pass.
    pub guarded: bool,
    /// The description of the handler and its guard.
    pub operation: &'a Operation,
}

type Run<'a> = Box<dyn FnOnce(Request) -> ResponseFuture<'a> + Send + 'a>;

/// The handler behind a middleware.
pub struct Next<'a> {
    guard: Option<&'static dyn Guard>,
    run: Run<'a>,
}

impl<'a> Next<'a> {
    pub(crate) fn new(guard: Option<&'static dyn Guard>, run: Run<'a>) -> Self {
        Self { guard, run }
    }

    /// Returns whether this request has passed a guard that does not let every caller pass.
    #[must_use]
    pub fn guarded(&self) -> bool {
        self.guard.is_some_and(|guard| !guard.is_open())
    }

    /// Returns whether the guard, if there is one, reads credentials from headers alone:
    /// [`Guard::reads_headers_only`].
    #[must_use]
    pub fn reads_headers_only(&self, app: &Handle) -> bool {
        self.guard.is_none_or(|guard| guard.reads_headers_only(app))
    }

    /// Runs the handler. Returns its response.
    pub fn run(self, request: Request) -> ResponseFuture<'a> {
        (self.run)(request)
    }
}
