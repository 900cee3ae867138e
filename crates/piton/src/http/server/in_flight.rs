//! The count of requests in flight, by which requests above `http.max_requests` are shed.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use http::Method;

use crate::metrics::{MethodIndex, RequestMetrics};

/// RAII guard of the in-flight count. Also decrements when the request is cancelled.
pub(super) struct InFlightGuard<'a> {
    metrics: &'a RequestMetrics,
    count: i64,
    method: MethodIndex,
    is_answered: bool,
}

impl<'a> InFlightGuard<'a> {
    /// Counts a request that has begun.
    pub fn new(metrics: &'a RequestMetrics, method: &Method) -> Self {
        let (count, method) = metrics.begin(method);
        Self { metrics, count, method, is_answered: false }
    }

    /// Returns the number of requests in flight when this one began, including it.
    pub fn count(&self) -> i64 {
        self.count
    }

    /// Records that there is a response. A guard dropped before counts as cancelled by its client.
    pub fn set_answered(&mut self) {
        self.is_answered = true;
    }
}

impl Drop for InFlightGuard<'_> {
    fn drop(&mut self) {
        self.metrics.end(self.method, self.is_answered);
    }
}

/// The number of requests in flight whose handlers wait for their clients to send more of a body.
#[derive(Debug, Default)]
pub(crate) struct BodyWaits(AtomicI64);

impl BodyWaits {
    pub fn count(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// RAII guard of the count of one request.
#[derive(Debug)]
pub(super) struct BodyWaitGuard(Arc<BodyWaits>);

impl BodyWaitGuard {
    pub fn new(waits: &Arc<BodyWaits>) -> Self {
        waits.0.fetch_add(1, Ordering::Relaxed);
        Self(waits.clone())
    }
}

impl Drop for BodyWaitGuard {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}
