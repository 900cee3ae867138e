//! The argument `Multipart`: a form with files, part by part.

use std::fmt;

use axum::extract::{FromRequest, Request};
use http::{HeaderValue, header};

use super::errors::{MULTIPART, not_multipart, parse_error, too_many_parts, unnamed_part};
use super::form_part::FormPart;
use super::piece_gate::{HeaderSearch, PieceGate};
use crate::config::Problems;
use crate::context;
use crate::error::{Error, Result};
use crate::http::routing::operation::{Input, Operation};
use crate::http::upload_settings::UploadSettings;
use crate::request::body_state::BodyReader;

/// A form with files (`multipart/form-data`), whose parts are read one by one as they arrive.
///
/// ```
/// use piton::http::Multipart;
/// use piton::prelude::*;
///
/// #[post("/photos")]
/// #[limits(body = "50MiB", timeout = "5m")]
/// async fn add(mut form: Multipart) -> Result<NoContent> {
///     while let Some(part) = form.next_part().await? {
///         match part.name() {
///             "title" => {
///                 let title = part.text().await?;
///                 info!("The title is {title}");
///             }
///             "photo" => {
///                 // Named by the service, because two clients may send the same name.
///                 let size = part.save_to("photos/7.jpg").await?;
///                 info!("The photo has {size} bytes");
///             }
///             other => return Err(Error::unprocessable(format!("there is no field `{other}`"))),
///         }
///     }
///     Ok(NoContent)
/// }
/// # fn main() {}
/// ```
///
/// [`MultipartForm`](crate::http::MultipartForm) reads a form into a struct. Memory is charged to
/// `http.memory_budget` only for what is in memory: a file of any size takes a few hundred KiB.
///
/// # Errors
/// 415 if the body is no such form, 400 if it has no valid boundary.
pub struct Multipart {
    form: multer::Multipart<'static>,
    search: HeaderSearch,
    settings: UploadSettings,
    /// The number of parts so far.
    count: u32,
    /// The name of the last part, for the message about what follows it.
    last_name: Option<String>,
}

impl Multipart {
    /// Returns the next part, or `None` after the last. What the handler has not read of the part before is skipped.
    ///
    /// # Errors
    /// 413 if there are more parts than `http.uploads.max_parts`, or the body is larger than its limit; 400 if the body
    /// is not such a form, or ends early, or a part has no name; 431 if the headers of a part are too large.
    pub async fn next_part(&mut self) -> Result<Option<FormPart<'_>>> {
        self.search.begin();
        let field = self.form.next_field().await;
        let field = field.map_err(|error| parse_error(error, self.last_name.as_deref()))?;
        self.search.end();
        let Some(field) = field else { return Ok(None) };
        self.count += 1;
        if self.count > self.settings.max_parts {
            return Err(too_many_parts(self.settings.max_parts));
        }
        let name = field.name().map(str::to_owned).ok_or_else(|| unnamed_part(self.count))?;
        self.last_name = Some(name.clone());
        Ok(Some(FormPart::new(field, name, &self.settings)))
    }
}

impl<S: Send + Sync> FromRequest<S> for Multipart {
    type Rejection = Error;

    async fn from_request(request: Request, _: &S) -> Result<Self> {
        let (head, body) = request.into_parts();
        let content_type = head.headers.get(header::CONTENT_TYPE);
        let content_type = content_type.map(HeaderValue::as_bytes).unwrap_or_default();
        // Text that is not UTF-8 has no boundary, as the empty one.
        let boundary = multer::parse_boundary(str::from_utf8(content_type).unwrap_or_default());
        let boundary = boundary.map_err(|error| not_multipart(&error, content_type))?;
        context::announce_body_reader(BodyReader { buffers: false });
        let search = HeaderSearch::default();
        let gate = PieceGate::new(body, search.clone());
        let form = multer::Multipart::new(gate, boundary);
        let settings = current_settings();
        Ok(Self { form, search, settings, count: 0, last_name: None })
    }
}

/// Returns the settings of the app that the request belongs to; without an app, as in a test of an extractor alone, the
/// defaults.
fn current_settings() -> UploadSettings {
    match context::try_app() {
        // Free of problems, because the launch has checked it.
        Ok(app) => app.config().read("http.uploads", &mut Problems::default()),
        Err(_) => UploadSettings::default(),
    }
}

impl Input for Multipart {
    fn describe(operation: &mut Operation) {
        operation.any_body(MULTIPART);
        operation.reads_body_in_pieces();
    }
}

impl fmt::Debug for Multipart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Multipart").field("count", &self.count).finish_non_exhaustive()
    }
}
