//! Bodies of forms with files: `multipart/form-data` (RFC 7578).
//!
//! Parts are read as they arrive, and files go to the disk in pieces, so that an upload takes the same memory whatever
//! its size. A file is written under a temporary name next to its target, and renamed once it is whole: a client that
//! goes away leaves nothing.

mod errors;
mod extractor;
mod file_name;
mod file_writer;
mod form;
mod form_part;
mod piece_gate;
mod temporary_files;
mod upload;

pub use extractor::Multipart;
pub use form::MultipartForm;
pub use form_part::FormPart;
pub use upload::Upload;
