//! Arguments of handlers: read from path, query, headers and body, and validated.
//!
//! `Json`, `Path`, `Query`, `Form` and `State` are axum's extractors with errors in our format, and with a description
//! for the OpenAPI document. axum's own extractors work as well.

mod body_errors;
pub(crate) mod client_ip;
mod deref_macro;
pub(crate) mod entity_tag;
mod finite_numbers;
pub(crate) mod form;
pub(crate) mod json;
mod json_pointer;
pub(crate) mod listing;
mod missing_fields;
#[cfg(feature = "multipart")]
pub(crate) mod multipart;
mod optional;
pub(crate) mod path;
pub(crate) mod preconditions;
pub(crate) mod query;
pub(crate) mod request_body;
mod serde_messages;
pub(crate) mod state;
mod urlencoded;
#[cfg(feature = "validation")]
pub(crate) mod valid;
pub(crate) mod with_etag;
