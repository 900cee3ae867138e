//! Guards: checks of the caller before a handler runs.
//!
//! `#[protected]` over a route is one call of [`Route::guard`](crate::http::Route::guard). A guard looks at
//! the head of the request before anything of the body is read, and lets it pass or ends it. Guards
//! belong to the modules that authenticate callers; this file only runs them.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::extract::Request;
use axum::handler::Handler;
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderName, header};
use pin_project_lite::pin_project;

use super::operation::Operation;
use crate::error::Result;
use crate::handle::Handle;
use crate::http::extract::request_body::read_body;
use crate::http::files::Conditions;
use crate::http::routing::middleware::{Middleware, Next};
use crate::http::routing::operation::BodyFirst;

/// The future of a guard's decision.
pub type GuardFuture<'a> = Pin<Box<dyn Future<Output = Result<()>> + Send + 'a>>;

/// Checks the head of a request before its handler runs.
///
/// ```
/// use piton::prelude::*;
/// use piton::http::{Guard, GuardFuture, Operation, get};
/// use piton::axum::http::request::Parts;
///
/// struct Weekdays;
///
/// impl Guard for Weekdays {
///     fn describe(&self, _: &mut Operation) {}
///
///     fn check<'a>(&'a self, head: &'a mut Parts, _: &'a Handle) -> GuardFuture<'a> {
///         Box::pin(async move {
///             if head.headers.contains_key("x-weekend") {
///                 return Err(Error::forbidden("come back on Monday"));
///             }
///             Ok(())
///         })
///     }
/// }
///
/// async fn work() -> &'static str { "done" }
///
/// let app = App::new("office").route(get("/work", work).guard(Weekdays));
/// ```
pub trait Guard: Send + Sync + 'static {
    /// Describes the parts that it needs, and what it reads of the request.
    fn describe(&self, operation: &mut Operation);

    /// Checks a request.
    ///
    /// # Errors
    /// The request does not pass: usually 401 or 403.
    fn check<'a>(&'a self, head: &'a mut Parts, app: &'a Handle) -> GuardFuture<'a>;

    /// Returns whether it lets every caller pass, so that no response depends on the caller.
    fn is_open(&self) -> bool {
        false
    }

    /// Returns whether all credentials that it accepts stand in headers that
    /// [`CredentialHeader`] names, in `Authorization` or in `Cookie`. Where they do not, `#[cached]`
    /// cannot tell callers apart, and stores no response of the route unless it is `shared`.
    fn reads_headers_only(&self, _: &Handle) -> bool {
        true
    }

    /// Returns the expression that makes this guard, for `routes --explain`, such as
    /// `shop::Weekdays::only("monday")`. Without one, the attribute's expression is printed, or the
    /// path of the type for a route made by hand. That path compiles only for a unit struct, so
    /// that no route is printed without its guard.
    fn explain(&self) -> Option<String> {
        None
    }

    #[doc(hidden)]
    fn type_name(&self) -> &'static str {
        std::any::type_name::<Self>()
    }
}

/// A header with credentials other than `Authorization` and `Cookie`. Modules that read one register it,
/// so that no cached response is sent to another caller.
pub struct CredentialHeader(pub fn(&Handle) -> Option<HeaderName>);

inventory::collect!(CredentialHeader);

/// Returns the headers with credentials that this app reads.
#[cfg_attr(not(feature = "cache"), expect(dead_code, reason = "the cache tells callers apart"))]
pub(crate) fn credential_headers(app: &Handle) -> Vec<HeaderName> {
    let others = inventory::iter::<CredentialHeader>().filter_map(|it| (it.0)(app));
    [header::AUTHORIZATION, header::COOKIE].into_iter().chain(others).collect()
}

pin_project! {
    /// The future of a handler's response, with or without a guard before it. Without one it is the
    /// handler's own future, so that open routes have no overhead.
    #[project = Project]
    pub(crate) enum Guarded<F> {
        Open { #[pin] future: F },
        Asked { future: Pin<Box<dyn Future<Output = Response> + Send>> },
    }
}

impl<F: Future<Output = Response>> Future for Guarded<F> {
    type Output = Response;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Response> {
        match self.project() {
            Project::Open { future } => future.poll(cx),
            Project::Asked { future } => future.as_mut().poll(cx),
        }
    }
}

/// The steps around the handler of a route.
pub(super) struct Steps {
    pub guard: Option<&'static dyn Guard>,
    pub middleware: Option<&'static dyn Middleware>,
    pub body_first: Option<&'static dyn BodyFirst>,
    /// Set if the conditions and the range of the request apply to the response.
    pub may_send_downloads: bool,
}

/// Runs the guard, the middleware and the handler.
pub(super) fn ask<H, T>(
    steps: Steps,
    handler: H,
    request: Request,
    app: Handle,
) -> Guarded<H::Future>
where
    H: Handler<T, Handle>,
    T: 'static,
{
    let Steps { guard, middleware, body_first, may_send_downloads } = steps;
    let answer = async move {
        let (mut head, mut body) = request.into_parts();
        let conditions = may_send_downloads.then(|| Conditions::of(&head));
        if let Some(rule) = body_first.filter(|rule| rule.wants(&head, &app)) {
            match read_body(body).await {
                Ok(bytes) => {
                    rule.keep(&mut head, bytes.clone());
                    body = Body::from(bytes);
                }
                Err(error) => return error.into_response(),
            }
        }
        let passed = match guard {
            Some(guard) => guard.check(&mut head, &app).await,
            None => Ok(()),
        };
        let request = Request::from_parts(head, body);
        let response = match (passed, middleware) {
            (Err(refusal), _) => refusal.into_response(),
            (Ok(()), None) => handler.call(request, app).await,
            (Ok(()), Some(middleware)) => {
                let running = app.clone();
                let next = |request| Box::pin(handler.call(request, running)) as _;
                middleware.call(request, &app, Next::new(guard, Box::new(next))).await
            }
        };
        match conditions {
            Some(conditions) => conditions.apply(response),
            None => response,
        }
    };
    Guarded::Asked { future: Box::pin(answer) }
}
