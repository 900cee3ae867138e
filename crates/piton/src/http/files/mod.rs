//! Files as responses: downloads of handlers, and folders that are served as they are.
//!
//! Both end in one place ([`representation`]), so that conditions (RFC 9110, section 13) and ranges (section 14) mean
//! the same for both. A file is read in pieces as the client takes them, and is never in memory as a whole.

mod accept_encoding;
mod byte_range;
mod conditions;
mod content_disposition;
mod download;
mod embedded;
mod file_body;
mod folder;
mod media_type;
mod representation;
mod static_files;

pub(crate) use conditions::Conditions;
pub use download::Download;
pub use embedded::{EmbeddedFile, EmbeddedFiles};
pub use static_files::StaticFiles;
pub(crate) use static_files::StaticMount;
