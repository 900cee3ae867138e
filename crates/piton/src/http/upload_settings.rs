//! The section `[http.uploads]`: forms with files (feature `multipart`).

use std::path::PathBuf;

use crate::Settings;
use crate::config::ByteSize;

/// Forms with files (`multipart/form-data`). The size of the whole body is limited by `http.body_limit`, or by
/// `#[limits(body = ..)]` of the route. Needs the feature `multipart`.
#[derive(Clone, Debug, Settings)]
pub struct UploadSettings {
    /// Maximum number of parts of a form: fields and files. Above it the client gets 413.
    /// **Default: `100`.**
    #[setting(min = 1, max = 100_000)]
    pub max_parts: u32,
    /// Maximum size of a part that is read into memory, unless the handler sets another; above it the client gets 413.
    /// Parts that are saved to a file have the limit of the body. **Default: `1MiB`.**
    #[setting(max = "1TiB")]
    pub field_limit: ByteSize,
    /// Folder for uploads until `Upload::persist` moves them. Choose one on the file system of their final paths, so that
    /// they need not be copied, and on a disk where `/tmp` is in memory.
    /// **Default: the system's folder for temporary files.**
    pub folder: Option<PathBuf>,
}

impl Default for UploadSettings {
    fn default() -> Self {
        Self { max_parts: 100, field_limit: ByteSize::mib(1), folder: None }
    }
}
