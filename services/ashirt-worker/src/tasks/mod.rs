//! The work in the background: evidence that was deferred.

mod process;

pub(crate) use process::deferral;
