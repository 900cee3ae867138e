//! Arguments of handlers: read from path, query, headers and body, and validated.

pub(crate) mod arguments;
pub(crate) mod body_errors;
pub(crate) mod etag;
mod finite_numbers;
mod json;
pub(crate) mod listing;
mod missing_fields;
pub(crate) mod preconditions;
mod serde_messages;
mod urlencoded;
#[cfg(feature = "validation")]
pub(crate) mod validation;
