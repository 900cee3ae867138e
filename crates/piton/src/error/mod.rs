//! Errors of requests: the type that handlers return, and the documents that clients read.

pub(crate) mod box_error;
pub(crate) mod error_renderer;
pub(crate) mod handler_error;
pub(crate) mod problem_document;

pub use box_error::BoxError;
pub use error_renderer::ErrorResponse;
pub(crate) use error_renderer::RendererPath;
pub(crate) use handler_error::ErrorConversion;
pub use handler_error::{Error, ErrorMapper, FieldError, Result, StatusMapping};
