//! What a service puts around its handlers itself: before a request, after an answer, in the place of
//! a failure.
//!
//! Both run inside the stack, so their failures, panics and time are dealt with as a handler's.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, Method, Request, Uri};

use crate::error::error_renderer::Formats;

/// The head of the request that an answer belongs to.
#[derive(Clone, Debug)]
pub struct RequestHead {
    /// The method.
    pub method: Method,
    /// The path and the query.
    pub uri: Uri,
    /// The headers.
    pub headers: HeaderMap,
}

type Checked = Pin<Box<dyn Future<Output = Result<Request<Body>, Response>> + Send>>;
type Before = Arc<dyn Fn(Request<Body>) -> Checked + Send + Sync>;
type After = Arc<dyn Fn(&RequestHead, &mut Response) + Send + Sync>;

/// The hooks, in the order in which they were given.
#[derive(Clone, Default)]
pub(crate) struct Hooks {
    before: Vec<Before>,
    after: Vec<After>,
    /// Failures that are answered in a format of the service's own.
    pub failures: Formats,
}

impl Hooks {
    pub fn before<F, Fut, E>(&mut self, hook: F)
    where
        F: Fn(Request<Body>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Request<Body>, E>> + Send + 'static,
        E: IntoResponse,
    {
        self.before.push(Arc::new(move |request| {
            let checked = hook(request);
            Box::pin(async move { checked.await.map_err(IntoResponse::into_response) })
        }));
    }

    pub fn after(&mut self, hook: impl Fn(&RequestHead, &mut Response) + Send + Sync + 'static) {
        self.after.push(Arc::new(hook));
    }

    /// The request as the hooks leave it, or the answer of the first that answers.
    pub async fn check(&self, mut request: Request<Body>) -> Result<Request<Body>, Response> {
        for hook in &self.before {
            request = hook(request).await?;
        }
        Ok(request)
    }

    /// The head, if an after-hook wants it.
    pub fn head<B>(&self, request: &Request<B>) -> Option<RequestHead> {
        (!self.after.is_empty()).then(|| RequestHead {
            method: request.method().clone(),
            uri: request.uri().clone(),
            headers: request.headers().clone(),
        })
    }

    /// Lets the hooks change an answer.
    pub fn finish(&self, head: &RequestHead, response: &mut Response) {
        self.after.iter().for_each(|hook| hook(head, response));
    }

    pub fn has_before(&self) -> bool {
        !self.before.is_empty()
    }
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hooks({} before, {} after)", self.before.len(), self.after.len())
    }
}
