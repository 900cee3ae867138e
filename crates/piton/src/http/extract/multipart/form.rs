//! The argument `MultipartForm`: a form with files, read into a struct.

use std::cell::RefCell;

use axum::extract::{FromRequest, Request};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use schemars::JsonSchema;
use serde::de::{Deserialize, DeserializeOwned, Deserializer, Error as _};

use super::errors::MULTIPART;
use super::extractor::Multipart;
use super::upload::Upload;
use crate::error::{Error, Result};
use crate::http::extract::deref_macro::deref_to_contents;
use crate::http::extract::form::form_error;
use crate::http::extract::urlencoded;
use crate::http::routing::operation::{Input, Operation};

/// A form with files (`multipart/form-data`) in a struct: text in fields as [`Form`](crate::http::Form) reads them, files
/// in fields of the type [`Upload`].
///
/// ```
/// use piton::http::{MultipartForm, Upload};
/// use piton::prelude::*;
///
/// #[derive(Deserialize, JsonSchema)]
/// struct NewPhoto { title: String, stars: Option<u8>, photo: Upload }
///
/// #[post("/photos")]
/// #[limits(body = "50MiB", timeout = "5m")]
/// async fn add(MultipartForm(new): MultipartForm<NewPhoto>) -> Result<NoContent> {
///     new.photo.persist("photos/7.jpg").await?;
///     Ok(NoContent)
/// }
/// # fn main() {}
/// ```
///
/// An empty file input of a page counts as left out: `Option<Upload>` is `None`. Several files of one name are a
/// `Vec<Upload>`. Files are written to `http.uploads.folder` as they arrive, and deleted with their `Upload`.
///
/// # Errors
/// Those of [`Multipart`] and of its parts, and 422 with all fields that are missing or not of their types.
#[derive(Clone, Debug)]
pub struct MultipartForm<T>(pub T);

deref_to_contents!(MultipartForm);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for MultipartForm<T> {
    type Rejection = Error;

    async fn from_request(request: Request, state: &S) -> Result<Self> {
        let mut form = Multipart::from_request(request, state).await?;
        let mut fields = CollectedParts::new();
        while let Some(part) = form.next_part().await? {
            let name = part.name().to_owned();
            if !part.is_file() {
                fields.push(&name, &part.text().await?);
                continue;
            }
            let upload = part.save_to_temp_file().await?;
            if upload.size() > 0 || upload.file_name().is_some() {
                fields.push_upload(&name, upload);
            }
        }
        fields.parse().map(Self)
    }
}

/// The parts of a form as an urlencoded form, with a key in place of each file.
struct CollectedParts {
    text: String,
    uploads: CollectedUploads,
}

/// The files of a form, by their keys.
struct CollectedUploads {
    /// The beginning of each key. Random, so that the text of a field cannot stand for a file.
    prefix: String,
    files: Vec<Upload>,
}

thread_local! {
    // Deserialization is one call without an await, so that it ends on the thread where it began.
    static UPLOADS: RefCell<Option<CollectedUploads>> = const { RefCell::new(None) };
}

impl CollectedParts {
    fn new() -> Self {
        let prefix = format!("upload-{:032x}-", fastrand::u128(..));
        Self { text: String::new(), uploads: CollectedUploads { prefix, files: Vec::new() } }
    }

    fn push(&mut self, name: &str, value: &str) {
        let encode = |text| utf8_percent_encode(text, NON_ALPHANUMERIC);
        // Brackets are left, because they name members of objects: `range[min]`.
        let name = encode(name).to_string().replace("%5B", "[").replace("%5D", "]");
        self.text += &format!("&{name}={}", encode(value));
    }

    fn push_upload(&mut self, name: &str, upload: Upload) {
        let key = format!("{}{}", self.uploads.prefix, self.uploads.files.len());
        self.push(name, &key);
        self.uploads.files.push(upload);
    }

    fn parse<T: DeserializeOwned>(self) -> Result<T> {
        let Self { text, uploads } = self;
        UPLOADS.set(Some(uploads));
        let form = text.trim_start_matches('&').as_bytes();
        let parsed = urlencoded::parse(form);
        UPLOADS.set(None);
        parsed.map_err(|errors| form_error(form.len(), errors))
    }
}

impl<'de> Deserialize<'de> for Upload {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let key = String::deserialize(deserializer)?;
        let found = UPLOADS.with_borrow(|uploads| {
            let uploads = uploads.as_ref()?;
            let index = key.strip_prefix(&*uploads.prefix)?.parse::<usize>().ok()?;
            uploads.files.get(index).cloned()
        });
        found.ok_or_else(|| D::Error::custom("expected a file"))
    }
}

impl<T: JsonSchema> Input for MultipartForm<T> {
    fn describe(operation: &mut Operation) {
        operation.body::<T>(MULTIPART);
        operation.reads_body_in_pieces();
    }
}
