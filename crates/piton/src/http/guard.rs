//! What is asked before a handler: who is calling, and whether they may.
//!
//! `#[protected]` over a route is one call of [`Route::guard`](super::Route::guard). A guard looks at
//! the head of the request before anything of the body is read, and lets it pass or ends it. Guards
//! belong to the rooms that know who is calling; this file only says when they are asked.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::extract::Request;
use axum::handler::Handler;
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use pin_project_lite::pin_project;

use super::{Operation, Result};
use crate::handle::Handle;

/// What a guard's look at a request comes to.
pub type Passed<'a> = Pin<Box<dyn Future<Output = Result<()>> + Send + 'a>>;

/// Looks at the head of a request before its handler does.
///
/// ```
/// use piton::prelude::*;
/// use piton::http::{Guard, Passed, Operation, get};
/// use piton::axum::http::request::Parts;
///
/// struct Weekdays;
///
/// impl Guard for Weekdays {
///     fn describe(&self, _: &mut Operation) {}
///
///     fn check<'a>(&'a self, head: &'a mut Parts, _: &'a Handle) -> Passed<'a> {
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
    /// Says which parts it needs, and what it reads of the request.
    fn describe(&self, operation: &mut Operation);

    /// Lets the request pass, or says why not.
    fn check<'a>(&'a self, head: &'a mut Parts, app: &'a Handle) -> Passed<'a>;
}

pin_project! {
    /// The answer of a handler, with or without a guard before it. Without one it is the handler's
    /// own future and nothing around it.
    #[project = Project]
    pub(super) enum Guarded<F> {
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

/// The handler's answer, after `guard` has let the request pass.
pub(super) fn ask<H, T>(
    guard: &'static dyn Guard,
    handler: H,
    request: Request,
    app: Handle,
) -> Guarded<H::Future>
where
    H: Handler<T, Handle>,
    T: 'static,
{
    let answer = async move {
        let (mut head, body) = request.into_parts();
        match guard.check(&mut head, &app).await {
            Ok(()) => handler.call(Request::from_parts(head, body), app).await,
            Err(refusal) => refusal.into_response(),
        }
    };
    Guarded::Asked { future: Box::pin(answer) }
}
