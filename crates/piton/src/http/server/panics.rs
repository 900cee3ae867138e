//! What a panic said, for the one who answers the request in which it happened.
//!
//! The standard hook prints to standard error, without the request's id and in a form of its own.
//! Inside a request the message is kept instead, and logged once with everything else.

use std::any::Any;
use std::cell::RefCell;
use std::panic;
use std::sync::Once;

use crate::context;

thread_local! {
    // A panic unwinds on the thread that polls the request, so whoever catches it reads it here.
    static LAST: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Installs the hook, once in a process. Panics outside requests go to the hook that was there.
pub(crate) fn install() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if context::in_request() {
                LAST.set(info.location().map(ToString::to_string));
            } else {
                before(info);
            }
        }));
    });
}

/// What was said, and the line where.
pub(crate) fn describe(payload: &(dyn Any + Send)) -> (String, Option<String>) {
    let message = payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a message".into());
    (message, LAST.take())
}
