//! The section `[http.uploads]`: forms with files.

use std::path::PathBuf;

use crate::Settings;
use crate::config::{ByteSize, Problems};
use crate::context;

/// Forms with files (`multipart/form-data`). The size of the whole body has `http.body_limit`, or `#[limits(body = ..)]`
/// of the route.
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
    /// Folder for uploads without a place of their own yet. Name one on the disk where `/tmp` is in memory, and on the
    /// file system of the files' last place, so that they need not be copied.
    /// **Default: the system's folder for temporary files.**
    pub folder: Option<PathBuf>,
}

impl Default for UploadSettings {
    fn default() -> Self {
        Self { max_parts: 100, field_limit: ByteSize::mib(1), folder: None }
    }
}

impl UploadSettings {
    /// Returns the settings of the app that the request belongs to; without an app, as in a test of an extractor alone,
    /// the defaults.
    pub(super) fn current() -> Self {
        match context::try_app() {
            // Free of problems, because the launch has checked it.
            Ok(app) => app.config().read("http.uploads", &mut Problems::default()),
            Err(_) => Self::default(),
        }
    }

    /// Returns the folder for files without a place of their own yet.
    pub(super) fn temp_folder(&self) -> PathBuf {
        self.folder.clone().unwrap_or_else(std::env::temp_dir)
    }
}
