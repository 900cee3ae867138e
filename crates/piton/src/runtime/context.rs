//! Ambient context: which app, and which request, the running code belongs to.
//!
//! A task-local holds it, so that `piton::app()` and the request id of a log line are right in every
//! handler without being handed around. A task started with `tokio::spawn` leaves the context;
//! [`spawn`] carries it along.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Instant;

use tokio::task::JoinHandle;

use super::attached_apps::{self, NoCurrentApp};
use crate::config::ByteSize;
use crate::handle::Handle;
use crate::memory::MemoryCharge;
use crate::metrics::PathIndex;
use crate::request::body_state::BodyReader;
use crate::request::current_request::CurrentRequest;
use crate::request::request_id::RequestId;
use crate::request::trace_context::TraceContext;

tokio::task_local! {
    static CURRENT: Context;
}

#[derive(Clone)]
struct Context {
    handle: Handle,
    request: Option<CurrentRequest>,
}

/// The app this code runs in: its parts, settings and state, from anywhere.
///
/// In a request, in the work of a part, and in tasks started with [`spawn`], it is the app that these belong to.
/// Elsewhere it is the running app of this process, if there is only one.
///
/// ```no_run
/// # use piton::prelude::*;
/// async fn anywhere() {
///     println!("{} is running", piton::app().name());
/// }
/// ```
///
/// # Panics
/// In each case of [`try_app`]'s errors.
#[must_use]
#[track_caller]
pub fn app() -> Handle {
    match try_app() {
        Ok(app) => app,
        Err(why) => panic!("`piton::app()`: {why}"),
    }
}

/// Returns the app that this code runs in, as [`app`] does.
///
/// # Errors
/// [`NoCurrentApp::NotRunning`] before the app's step `attach_instance` and after its end;
/// [`NoCurrentApp::Ambiguous`] outside of a request and of [`spawn`] where several apps run in this process, as
/// in a test.
pub fn try_app() -> Result<Handle, NoCurrentApp> {
    match CURRENT.try_with(|context| context.handle.clone()) {
        Ok(handle) => Ok(handle),
        Err(_) => attached_apps::only_attached(),
    }
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

/// Runs `future` as part of the app, outside any request.
pub(crate) fn within<F: Future>(handle: Handle, future: F) -> impl Future<Output = F::Output> {
    CURRENT.scope(Context { handle, request: None }, future)
}

/// Runs `future` as part of a request. Also returns the request's state afterwards: its matched route and its
/// caller.
pub(crate) async fn within_request<F: Future>(
    handle: Handle,
    request: CurrentRequest,
    future: F,
) -> (F::Output, Option<CurrentRequest>) {
    let mut scoped = pin!(CURRENT.scope(Context { handle, request: Some(request) }, future));
    let output = scoped.as_mut().await;
    let left = scoped.take_value().and_then(|context| context.request);
    (output, left)
}

/// Runs `now` as part of a request.
pub(crate) fn within_request_now<R>(
    handle: &Handle,
    request: &CurrentRequest,
    now: impl FnOnce() -> R,
) -> R {
    let context = Context { handle: handle.clone(), request: Some(request.clone()) };
    CURRENT.sync_scope(context, now)
}

/// Notes which route the current request has matched.
pub(crate) fn matched(path: PathIndex) {
    let _ = CURRENT.try_with(|context| {
        if let Some(request) = &context.request {
            request.path.set(path);
        }
    });
}

/// Returns the id of the current request and the trace context that the client sent. Copied, because the caller
/// may log, which reads them again.
pub(crate) fn request_and_trace() -> (Option<RequestId>, Option<TraceContext>) {
    current(|request| (Some(request.id), request.trace)).unwrap_or_default()
}

/// Returns a value that `of` reads from the current request, if there is one.
pub(crate) fn current<R>(of: impl FnOnce(&CurrentRequest) -> R) -> Option<R> {
    CURRENT.try_with(|context| context.request.as_ref().map(of)).ok().flatten()
}

/// Returns the time at which the current request gets 503 if there is no response yet. `None`
/// outside any request.
#[cfg_attr(not(feature = "password"), expect(dead_code, reason = "the queue of hashes asks"))]
pub(crate) fn deadline() -> Option<Instant> {
    current(|request| request.deadline).flatten()
}

/// The reason why a request may not hold more memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MemoryRefusal {
    /// Other requests hold too much at the moment.
    Full,
    /// Too many bytes even without other requests. Holds the size of the budget.
    TooMuch(u64),
}

/// Charges `bytes` to the current request in `http.memory_budget`, until it has a response. Outside
/// any request nothing is charged.
///
/// # Errors
/// The bytes do not fit, and are not charged.
pub(crate) fn hold_memory(bytes: u64) -> Result<(), MemoryRefusal> {
    with_memory(|charge| {
        let total = charge.bytes().saturating_add(bytes);
        if !charge.budget().could_hold(total) {
            Err(MemoryRefusal::TooMuch(charge.budget().limit()))
        } else if charge.grow(bytes) {
            Ok(())
        } else {
            Err(MemoryRefusal::Full)
        }
    })
    .unwrap_or(Ok(()))
}

/// Charges an estimate as [`hold_memory`] does, next to the `charged` bytes of the request's body.
/// Charges half of the budget at most, and no more than the body leaves of it, so that an estimate
/// never refuses a request that is alone.
pub(crate) fn hold_estimate(bytes: u64, charged: u64) -> Result<(), MemoryRefusal> {
    let most = with_memory(|charge| {
        let budget = charge.budget();
        (budget.limit() / 2).min(budget.max_large().saturating_sub(charged))
    });
    most.map_or(Ok(()), |most| hold_memory(bytes.min(most)))
}

/// Returns the maximum size of the current request's body, while it has one.
pub(crate) fn body_limit() -> Option<ByteSize> {
    current(|request| Some(request.body.upgrade()?.limit())).flatten()
}

/// Announces what the reader of the current request's body does with its pieces.
pub(crate) fn announce_body_reader(reader: BodyReader) {
    let _ = current(|request| request.body.upgrade().map(|body| body.announce(reader)));
}

fn with_memory<R>(of: impl FnOnce(&MemoryCharge) -> R) -> Option<R> {
    let found = CURRENT.try_with(|context| {
        let request = context.request.as_ref()?;
        let charge = || Arc::new(MemoryCharge::new(context.handle.inner().memory.clone()));
        Some(of(request.memory.get_or_init(charge)))
    });
    found.ok().flatten()
}

/// Returns whether the running code belongs to a request.
pub(crate) fn in_request() -> bool {
    current(|_| ()).is_some()
}

/// Returns the trace of the current request: the one that the client sent, or else a new one. Forward it with
/// outbound calls. `None` outside a request.
#[must_use]
pub fn trace() -> Option<TraceContext> {
    current(|request| request.trace.unwrap_or_else(|| TraceContext::of_request(&request.id)))
}

impl RequestId {
    /// Returns the id of the current request, to show it to a user, who can quote it in a support request. The log
    /// has it on every line already. `None` outside a request.
    #[must_use]
    pub fn current() -> Option<Self> {
        current(|request| request.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn outside_a_request_there_is_no_id() {
        assert!(!in_request());
        assert_eq!(request_and_trace(), (None, None));
    }
}
