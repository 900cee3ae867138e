//! Changes between two documents, and whether they break clients that were made for the older one.
//!
//! A change is breaking if a request that was accepted may now be rejected, or if a response may miss
//! something that it had, or hold values of a new kind. Pure functions over two documents: they run in the
//! command `openapi --check` alone.

mod compare_operations;
mod compare_schemas;
mod found_changes;

pub(super) use compare_operations::changes;
pub(super) use found_changes::ApiChange;
