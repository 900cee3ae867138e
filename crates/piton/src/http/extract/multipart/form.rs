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
use crate::http::extract::urlencoded::{self, ParameterError};
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
/// Those of [`Multipart`] and of its parts, and 422 with all fields that are missing or not of their types: a file for a
/// field of text among them.
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
    files: Vec<CollectedFile>,
}

struct CollectedFile {
    /// The name of its field.
    field: String,
    upload: Upload,
    /// Set once the type of the form has read it as an [`Upload`].
    is_taken: bool,
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
        let file = CollectedFile { field: name.to_owned(), upload, is_taken: false };
        self.uploads.files.push(file);
    }

    fn parse<T: DeserializeOwned>(self) -> Result<T> {
        let Self { text, uploads } = self;
        let prefix = uploads.prefix.clone();
        UPLOADS.set(Some(uploads));
        let form = text.trim_start_matches('&').as_bytes();
        let parsed = urlencoded::parse(form);
        let misplaced = misplaced_files::<T>(form);
        UPLOADS.set(None);
        let errors = match (parsed, misplaced.is_empty()) {
            (Ok(value), true) => return Ok(value),
            (Ok(_), false) => Vec::new(),
            (Err(errors), _) => errors,
        };
        Err(form_error(form.len(), with_misplaced(errors, misplaced, &prefix)))
    }
}

/// Returns the names of fields that read a file as text, which would be its key. A file in a field that the type does not
/// have is ignored, as text is.
fn misplaced_files<T: DeserializeOwned>(form: &[u8]) -> Vec<Option<String>> {
    let names = UPLOADS.with_borrow(|uploads| {
        let files = uploads.iter().flat_map(|uploads| &uploads.files);
        files.filter(|file| !file.is_taken).map(|file| file.field.clone()).collect::<Vec<_>>()
    });
    if names.is_empty() {
        return Vec::new();
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let errors = urlencoded::errors_with_poison::<T>(form, &names).into_iter();
    let fields = errors.map(|(field, _)| field);
    fields.filter(|field| field.as_deref().is_some_and(|field| names.contains(&field))).collect()
}

/// Adds an error for each field that reads a file as text, unless it has another.
fn with_misplaced(
    errors: Vec<ParameterError>,
    misplaced: Vec<Option<String>>,
    prefix: &str,
) -> Vec<ParameterError> {
    // A message with a key is about the file too, and the key means nothing to the client.
    let (about_keys, mut errors): (Vec<_>, Vec<_>) =
        errors.into_iter().partition(|(_, message)| message.contains(prefix));
    for field in about_keys.into_iter().map(|(field, _)| field).chain(misplaced) {
        if errors.iter().all(|(other, _)| *other != field) {
            errors.push((field, "expected text, not a file".to_owned()));
        }
    }
    errors
}

impl<'de> Deserialize<'de> for Upload {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let key = String::deserialize(deserializer)?;
        let found = UPLOADS.with_borrow_mut(|uploads| {
            let uploads = uploads.as_mut()?;
            let index = key.strip_prefix(&*uploads.prefix)?.parse::<usize>().ok()?;
            let file = uploads.files.get_mut(index)?;
            file.is_taken = true;
            Some(file.upload.clone())
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
