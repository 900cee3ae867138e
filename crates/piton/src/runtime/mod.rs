//! The running app: its handle, its parts, and the task-local context that finds it.

pub(crate) mod attached_apps;
pub(crate) mod context;
pub(crate) mod from_handle;
pub(crate) mod handle;
pub mod part;
