//! Ambient context: which app, and which request, the running code belongs to.
//!
//! It is task-local, so `piton::app()` and the request id of a log line are right in every
//! handler without being handed around. A task started with `tokio::spawn` leaves the context;
//! [`spawn`] carries it along.

use std::fmt;
use std::future::Future;
use std::sync::{PoisonError, RwLock};

use http::HeaderValue;
use tokio::task::JoinHandle;

use crate::handle::{Handle, WeakHandle};

tokio::task_local! {
    static CURRENT: Context;
}

/// The app that runs in this process, for code outside any request: the last one attached.
static ATTACHED: RwLock<Option<WeakHandle>> = RwLock::new(None);

#[derive(Clone)]
struct Context {
    handle: Handle,
    request_id: Option<RequestId>,
}

/// The app this code runs in: its parts, settings and state, from anywhere.
///
/// Inside a request, and in tasks started with [`spawn`], it is the app that serves the request.
/// Elsewhere it is the app of this process.
///
/// ```no_run
/// # use piton::prelude::*;
/// async fn anywhere() {
///     println!("{} is running", piton::app().name());
/// }
/// ```
///
/// # Panics
/// When no app has been started in this process, or it has ended. [`try_app`] asks.
#[must_use]
pub fn app() -> Handle {
    try_app().expect("`piton::app()` was called before the app reached its step `attach_instance`")
}

/// Like [`app`], but `None` where there is no app.
#[must_use]
pub fn try_app() -> Option<Handle> {
    CURRENT.try_with(|context| context.handle.clone()).ok().or_else(|| {
        ATTACHED
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .as_ref()
            .and_then(WeakHandle::upgrade)
    })
}

/// Starts a task that keeps the ambient context: `piton::app()` works in it and its log lines
/// carry the id of the request that started it.
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    match CURRENT.try_with(Context::clone) {
        Ok(context) => tokio::spawn(CURRENT.scope(context, future)),
        Err(_) => tokio::spawn(future),
    }
}

/// Makes `handle` the answer of [`app`] for code outside any request.
pub(crate) fn attach(handle: &Handle) {
    *ATTACHED.write().unwrap_or_else(PoisonError::into_inner) = Some(handle.downgrade());
}

/// Runs `future` as part of the app, outside any request.
pub(crate) fn within<F: Future>(handle: Handle, future: F) -> impl Future<Output = F::Output> {
    CURRENT.scope(Context { handle, request_id: None }, future)
}

/// Runs `future` as part of the request `id`.
pub(crate) fn within_request<F: Future>(
    handle: Handle,
    id: RequestId,
    future: F,
) -> impl Future<Output = F::Output> {
    CURRENT.scope(Context { handle, request_id: Some(id) }, future)
}

/// Runs `now` as part of the request `id`.
pub(crate) fn within_request_now<R>(handle: &Handle, id: RequestId, now: impl FnOnce() -> R) -> R {
    CURRENT.sync_scope(Context { handle: handle.clone(), request_id: Some(id) }, now)
}

/// Gives the current request's id to `use_id`, or `None` outside any request.
pub(crate) fn with_request_id<R>(use_id: impl FnOnce(Option<&str>) -> R) -> R {
    // Copied out first: `use_id` may itself ask for the context.
    let id = CURRENT.try_with(|context| context.request_id).ok().flatten();
    use_id(id.as_ref().map(RequestId::as_str))
}

/// Whether the running code belongs to a request.
pub(crate) fn in_request() -> bool {
    CURRENT.try_with(|context| context.request_id.is_some()).unwrap_or(false)
}

/// What one request is called in logs, answers and, later, traces: 32 hexadecimal digits, the
/// form of a W3C trace id.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RequestId([u8; 32]);

impl RequestId {
    /// A new id: 128 random bits.
    #[must_use]
    pub fn new() -> Self {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut bits = fastrand::u128(..);
        let mut text = [0; 32];
        for digit in &mut text {
            *digit = DIGITS[(bits & 15) as usize];
            bits >>= 4;
        }
        Self(text)
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("the digits are ASCII")
    }

    pub(crate) fn header(self) -> HeaderValue {
        HeaderValue::from_bytes(&self.0).expect("hexadecimal digits are a header value")
    }
}

impl Default for RequestId {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_id_is_32_hexadecimal_digits_and_no_two_are_alike() {
        let (one, other) = (RequestId::new(), RequestId::new());
        assert!(one.as_str().len() == 32 && one.as_str().bytes().all(|b| b.is_ascii_hexdigit()));
        assert_ne!(one, other);
    }

    #[tokio::test]
    async fn outside_a_request_there_is_no_id() {
        assert!(!in_request());
        with_request_id(|id| assert_eq!(id, None));
    }
}
