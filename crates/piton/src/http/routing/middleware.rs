//! What stands between a guard and a handler, and may answer in its place: `#[cached]` over a route is
//! one call of [`Route::middleware`](crate::http::Route::middleware).
//!
//! A route without one pays nothing for those that have one.

use std::future::Future;
use std::pin::Pin;

use axum::extract::Request;
use axum::response::Response;
use http::Method;

use super::guard::Guard;
use super::operation::Operation;
use crate::handle::Handle;

/// An answer on its way.
pub type ResponseFuture<'a> = Pin<Box<dyn Future<Output = Response> + Send + 'a>>;

/// Sees each request that the guard lets pass, and its answer.
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
    /// Says which parts it needs, what it reads of the request and what it answers.
    fn describe(&self, operation: &mut Operation);

    /// Why it cannot work where it stands, if so: asked at launch, which then fails.
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

    /// The answer: that of `next`, or its own.
    fn call<'a>(&'a self, request: Request, app: &'a Handle, next: Next<'a>) -> ResponseFuture<'a>;
}

/// Where it stands.
#[derive(Debug)]
pub struct RouteContext<'a> {
    /// The methods of the route.
    pub methods: &'a [Method],
    /// The whole path, prefixes joined.
    pub path: &'a str,
    /// Whether a guard is asked before.
    pub guarded: bool,
    /// What is known of the handler, its guard included.
    pub operation: &'a Operation,
}

type Run<'a> = Box<dyn FnOnce(Request) -> ResponseFuture<'a> + Send + 'a>;

/// The handler.
pub struct Next<'a> {
    guard: Option<&'static dyn Guard>,
    run: Run<'a>,
}

impl<'a> Next<'a> {
    pub(crate) fn new(guard: Option<&'static dyn Guard>, run: Run<'a>) -> Self {
        Self { guard, run }
    }

    /// Whether a guard has let this request pass that does not let everybody pass.
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

    /// The handler's answer.
    pub fn run(self, request: Request) -> ResponseFuture<'a> {
        (self.run)(request)
    }
}
