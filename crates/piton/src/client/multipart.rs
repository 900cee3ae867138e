//! Forms with files: `multipart/form-data` (RFC 7578).

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use reqwest::multipart::{Form, Part};

/// The body of [`Call::multipart`](super::Call::multipart): fields and files. Such a call is never
/// retried.
///
/// ```
/// # use piton::client::Multipart;
/// let form = Multipart::new()
///     .text("title", "The snow of today")
///     .file("picture", "snow.png", "image/png", &b"..."[..]);
/// ```
#[derive(Default)]
pub struct Multipart {
    form: Form,
    pub(super) fault: Option<String>,
}

impl Multipart {
    /// Creates an empty form.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a field.
    #[must_use]
    pub fn text(
        mut self,
        name: impl Into<Cow<'static, str>>,
        value: impl Into<Cow<'static, str>>,
    ) -> Self {
        self.form = self.form.text(name, value);
        self
    }

    /// Adds a file: the field's name, the file's name, its type such as `image/png`, and its content.
    /// An invalid type is reported by [`Call::send`](super::Call::send).
    #[must_use]
    pub fn file(
        mut self,
        name: impl Into<Cow<'static, str>>,
        file_name: impl Into<Cow<'static, str>>,
        content_type: &str,
        content: impl Into<Bytes>,
    ) -> Self {
        let content = content.into();
        let length = content.len() as u64;
        let part = Part::stream_with_length(content, length).file_name(file_name);
        match part.mime_str(content_type) {
            Ok(part) => self.form = self.form.part(name, part),
            Err(_) => {
                self.fault = Some(format!("invalid content type of a file: `{content_type}`"));
            }
        }
        self
    }

    pub(super) fn into_form(self) -> Form {
        self.form
    }
}

/// Shows no content.
impl fmt::Debug for Multipart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Multipart")
    }
}
