//! The parts of a request's head that the stack keeps, because the request itself goes to the router.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri, header};

use super::stack_config::StackConfig;
use crate::http::routing::request_hooks::RequestHead;
use crate::http::routing::route_limit_table::RequestLimits;
use crate::request::RequestId;
use crate::request::current_request::CurrentRequest;
use crate::request::trace_context::{TraceContext, trace_state};

/// The header that carries the request's id.
pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The parts of a request that its response, its metrics and its log line need.
pub(super) struct RequestContext {
    pub current: CurrentRequest,
    pub method: Method,
    pub uri: Uri,
    pub started: Instant,
    /// The time that the handler has waited for the client to send its body.
    pub body_wait: Duration,
    /// Set for a request that is not valid HTTP: its 501 is the client's fault.
    pub is_malformed: bool,
    pub limits: RequestLimits,
    /// The `Origin` header, if CORS is configured.
    pub origin: Option<HeaderValue>,
    /// The head, if an `after_request` hook wants it.
    pub head: Option<Box<RequestHead>>,
}

impl RequestContext {
    /// Reads the head of `request`. Headers of proxies are believed only if `peer` is a trusted one.
    pub fn new<B>(request: &Request<B>, peer: Option<IpAddr>, config: &StackConfig) -> Self {
        let headers = request.headers();
        let trace = TraceContext::of_headers(headers);
        let proxy = peer.filter(|peer| config.proxies.trust(*peer));
        let id = proxy.and_then(|_| request_id_of_proxy(headers));
        let mut current = CurrentRequest::new(id.unwrap_or_default(), peer, trace);
        // Without a valid `traceparent` the W3C recommendation has `tracestate` dropped too.
        current.trace_state = trace.and_then(|_| trace_state(headers));
        current.proxied_client = proxy.map(|peer| config.proxies.client(peer, headers));
        let started = Instant::now();
        let limits = config.limits_of(request);
        current.deadline = Some(started + limits.timeout);
        Self {
            current,
            method: request.method().clone(),
            uri: request.uri().clone(),
            started,
            body_wait: Duration::ZERO,
            is_malformed: false,
            limits,
            origin: config.cors.as_ref().and_then(|_| headers.get(header::ORIGIN).cloned()),
            head: config.hooks.head(request).map(Box::new),
        }
    }

    pub fn path(&self) -> &str {
        self.uri.path()
    }

    /// Returns whether a response with `status` is a failure of the service.
    pub fn has_failed(&self, status: StatusCode) -> bool {
        status.is_server_error() && !self.is_malformed
    }

    pub fn id(&self) -> RequestId {
        self.current.id
    }

    /// Returns the address of the client as the log names it.
    pub fn client(&self) -> Option<IpAddr> {
        self.current.client()
    }
}

fn request_id_of_proxy(headers: &HeaderMap) -> Option<RequestId> {
    headers.get(X_REQUEST_ID).and_then(|id| RequestId::from_proxy(id.as_bytes()))
}
