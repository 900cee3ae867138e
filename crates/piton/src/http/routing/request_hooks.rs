//! The service's own functions around every request: before a request, after a response, in place of
//! an error document.
//!
//! They run inside the stack, so that their failures, panics and time are handled as a handler's.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, Method, Request, Uri};

use crate::error::error_renderer::ErrorRenderers;

/// The head of a request, for the hooks that see its response.
#[derive(Clone, Debug)]
pub struct RequestHead {
    /// The method.
    pub method: Method,
    /// The path and the query.
    pub uri: Uri,
    /// The headers.
    pub headers: HeaderMap,
}

type BeforeFuture = Pin<Box<dyn Future<Output = Result<Request<Body>, Response>> + Send>>;
type BeforeHook = Arc<dyn Fn(Request<Body>) -> BeforeFuture + Send + Sync>;
type AfterHook = Arc<dyn Fn(&RequestHead, &mut Response) + Send + Sync>;

/// The hooks of a service, in the order in which they were added.
#[derive(Clone, Default)]
pub(crate) struct RequestHooks {
    before: Vec<BeforeHook>,
    after: Vec<AfterHook>,
    /// The service's own formats of errors, by path.
    pub error_renderers: ErrorRenderers,
}

impl RequestHooks {
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

    /// Runs the hooks before the handler. Returns the request as they leave it.
    ///
    /// # Errors
    /// The response of the first hook that rejects the request.
    pub async fn check(&self, mut request: Request<Body>) -> Result<Request<Body>, Response> {
        for hook in &self.before {
            request = hook(request).await?;
        }
        Ok(request)
    }

    /// Returns a copy of the head if some hook sees responses.
    pub fn head<B>(&self, request: &Request<B>) -> Option<RequestHead> {
        (!self.after.is_empty()).then(|| RequestHead {
            method: request.method().clone(),
            uri: request.uri().clone(),
            headers: request.headers().clone(),
        })
    }

    /// Runs the hooks after the handler.
    pub fn finish(&self, head: &RequestHead, response: &mut Response) {
        self.after.iter().for_each(|hook| hook(head, response));
    }

    pub fn has_before(&self) -> bool {
        !self.before.is_empty()
    }
}

impl fmt::Debug for RequestHooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RequestHooks({} before, {} after)", self.before.len(), self.after.len())
    }
}
