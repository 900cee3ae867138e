//! Changes between two documents, and whether they break clients that were made for the older one.
//!
//! A change is breaking if a request that was accepted may now be rejected, or if a response may miss
//! something that it had, or hold values of a new kind. Pure functions over two documents: they run in the
//! command `openapi --check` alone.

mod diff;
mod operations;
mod schemas;

pub(super) use diff::ApiChange;
pub(super) use operations::changes;
