//! Watches a response body that is made while it is sent: it runs in the context of its request, and
//! its failure is logged and counted once.
//!
//! The head with its 200 is gone by then, so that the client can only be told by the connection: an
//! error is passed on, and hyper ends HTTP/1.1 without the last chunk and HTTP/2 by `RST_STREAM`.

use std::any::Any;
use std::panic::{self, AssertUnwindSafe};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::{StatusCode, header};
use http_body::{Body as _, Frame, SizeHint};
use tracing::{debug, error};

use super::panics::describe;
use super::path_redaction::method_for_log;
use super::request_context::RequestContext;
use super::stack_config::StackConfig;
use crate::context;
use crate::error::BoxError;
use crate::http::streams::stream_item::StreamError;
use crate::metrics::AbortReason;

/// A body that is made while it is sent.
pub(super) struct WatchedBody {
    body: Body,
    status: StatusCode,
    request: RequestContext,
    config: Arc<StackConfig>,
    has_ended: bool,
    /// The error that cuts the response off, until it is passed on.
    failure: Option<axum::Error>,
    /// The bytes that the `Content-Length` still promises.
    remaining: Option<u64>,
}

type FramePoll = Poll<Option<Result<Frame<Bytes>, axum::Error>>>;

impl WatchedBody {
    /// Watches the body of a response.
    pub fn wrap(
        response: Response,
        mut request: RequestContext,
        config: Arc<StackConfig>,
    ) -> Response {
        request.current.outlive_response();
        let status = response.status();
        let length = response.headers().get(header::CONTENT_LENGTH);
        let remaining = length.and_then(|length| length.to_str().ok()?.parse().ok());
        response.map(|body| {
            let has_ended = body.is_end_stream();
            let failure = None;
            Body::new(Self { body, status, request, config, has_ended, failure, remaining })
        })
    }

    /// Counts and logs a failure of the handler's stream.
    #[cold]
    fn log_failure(&mut self, reason: AbortReason, what: &str, at: Option<&str>) {
        self.has_ended = true;
        self.config.metrics.abort(reason);
        let path = self.config.path_for_log(&self.request);
        let (method, status) = (method_for_log(&self.request.method), self.status.as_u16());
        let client = self.request.client().map(tracing::field::display);
        let duration_ms = self.duration_ms();
        context::within_request_now(&self.config.handle, &self.request.current, || {
            error!(
                status,
                duration_ms,
                client,
                at,
                "{method} {path} failed within the body of its response: {what}"
            );
        });
    }

    /// Passes the error on at the next poll. hyper drops what it has buffered together with the error,
    /// and writes it if there is nothing to read for once: the client then gets what was sent.
    fn cut_off(&mut self, error: axum::Error, cx: &Context<'_>) -> FramePoll {
        self.failure = Some(error);
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn log_error(&mut self, error: &axum::Error) {
        let (mut texts, mut at) = (Vec::new(), None);
        let mut next = std::error::Error::source(error);
        while let Some(cause) = next {
            let failed = cause.downcast_ref::<StreamError>();
            at = at.or(failed.map(|StreamError(error)| error.location().to_string()));
            texts.push(cause.to_string());
            next = cause.source();
        }
        // Wrappers such as axum's own error show the same text as their source.
        texts.dedup();
        let what = if texts.is_empty() { error.to_string() } else { texts.join(": ") };
        self.log_failure(AbortReason::Error, &what, at.as_deref());
    }

    /// Records what was sent. hyper asks for nothing after the promised length.
    fn record_frame(&mut self, frame: &Frame<Bytes>) {
        let length = frame.data_ref().map_or(0, Bytes::len) as u64;
        self.remaining = self.remaining.map(|remaining| remaining.saturating_sub(length));
        self.has_ended = self.remaining == Some(0);
    }

    /// Records the end. A body that is shorter than it promised is cut off.
    fn record_end(&mut self, cx: &Context<'_>) -> FramePoll {
        match self.remaining {
            Some(missing) if missing > 0 => {
                let what = format!("{missing} bytes fewer than its Content-Length");
                self.log_failure(AbortReason::Error, &what, None);
                self.cut_off(axum::Error::new(BoxError::from(what)), cx)
            }
            _ => {
                self.has_ended = true;
                Poll::Ready(None)
            }
        }
    }

    fn record_panic(&mut self, payload: &(dyn Any + Send), cx: &Context<'_>) -> FramePoll {
        let (message, at) = describe(payload);
        self.log_failure(AbortReason::Panic, &format!("panicked: {message}"), at.as_deref());
        let error: BoxError = "the handler's stream panicked".into();
        self.cut_off(axum::Error::new(error), cx)
    }

    fn duration_ms(&self) -> u64 {
        u64::try_from(self.request.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

impl http_body::Body for WatchedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> FramePoll {
        if self.has_ended {
            return Poll::Ready(self.failure.take().map(Err));
        }
        let Self { body, request, config, .. } = &mut *self;
        // Nothing of the body is used after a panic, so that no broken state can be seen.
        let poll = AssertUnwindSafe(|| Pin::new(body).poll_frame(cx));
        let polled = context::within_request_now(&config.handle, &request.current, || {
            panic::catch_unwind(poll)
        });
        match polled {
            Ok(Poll::Ready(Some(Err(error)))) => {
                self.log_error(&error);
                self.cut_off(error, cx)
            }
            Ok(Poll::Ready(None)) => self.record_end(cx),
            Ok(Poll::Ready(Some(Ok(frame)))) => {
                self.record_frame(&frame);
                Poll::Ready(Some(Ok(frame)))
            }
            Ok(Poll::Pending) => Poll::Pending,
            Err(payload) => self.record_panic(&*payload, cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.failure.is_none() && (self.has_ended || self.body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for WatchedBody {
    fn drop(&mut self) {
        if self.has_ended || self.body.is_end_stream() {
            return;
        }
        let is_cut_off = self.config.handle.last_call().is_stopped();
        let reason = if is_cut_off { AbortReason::Stopped } else { AbortReason::ClientGone };
        self.config.metrics.abort(reason);
        let path = self.config.path_for_log(&self.request);
        let (method, duration_ms) = (method_for_log(&self.request.method), self.duration_ms());
        context::within_request_now(&self.config.handle, &self.request.current, || {
            debug!(duration_ms, ?reason, "{method} {path} ended within the body of its response");
        });
    }
}
