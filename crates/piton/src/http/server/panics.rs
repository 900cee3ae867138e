//! Catches a panic of a handler, and keeps its location for the response to its request.
//!
//! The standard hook prints to standard error, without the request's id and in another form. Inside a
//! request the location is kept instead, and logged once with everything else.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

use futures_util::FutureExt;
use futures_util::future::CatchUnwind;

use crate::context;

thread_local! {
    // A panic unwinds on the thread that polls the request, so the code that catches it can read
    // the location here.
    static LAST_LOCATION: RefCell<Option<String>> = const { RefCell::new(None) };
    /// Set while this thread runs code whose panic is an expected result.
    static IS_QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Installs the panic hook, once per process. Panics outside requests go to the hook before it.
pub(crate) fn install_hook() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let previous = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if IS_QUIET.get() {
                // The caller of `catch_quietly` reports it.
            } else if context::in_request() {
                LAST_LOCATION.set(info.location().map(ToString::to_string));
            } else {
                previous(info);
            }
        }));
    });
}

/// Catches a panic of `handler`, so that its request gets a response and the connection stays open.
/// [`describe`] returns its message.
#[inline]
pub(crate) fn catch<F: Future>(handler: F) -> CatchUnwind<AssertUnwindSafe<F>> {
    AssertUnwindSafe(handler).catch_unwind()
}

/// Runs `work`, and returns the message of its panic without printing it: for calls of libraries that panic instead
/// of returning an error.
pub(crate) fn catch_quietly<R>(work: impl FnOnce() -> R) -> Result<R, String> {
    install_hook();
    IS_QUIET.set(true);
    let result = panic::catch_unwind(AssertUnwindSafe(work));
    IS_QUIET.set(false);
    result.map_err(|panic| describe(&*panic).0)
}

/// Returns the message of a caught panic, and the line of code where it began.
pub(crate) fn describe(payload: &(dyn Any + Send)) -> (String, Option<String>) {
    let message = payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a message".into());
    (message, LAST_LOCATION.take())
}
