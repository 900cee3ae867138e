//! Serves the files of a folder, or of the program itself, below a prefix.

use std::io;
use std::panic::Location;
use std::path::{Path, PathBuf};

use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};

use super::accept_encoding::{StoredCoding, accepted};
use super::conditions::Conditions;
use super::embedded::EmbeddedFiles;
use super::folder::{FileLookup, FoundFile, SafePath, find};
use super::media_type;
use crate::error::Error;
use crate::http::redirect::Redirect;
use crate::http::routing::route_info::SourceLocation;
use crate::support::quality_value::parse_weight;

/// The file that stands for its folder.
const INDEX: &str = "index.html";

/// The default of `Cache-Control`: clients keep files, and ask by their tag before they use them again.
const REVALIDATE: HeaderValue = HeaderValue::from_static("no-cache");

/// `Cache-Control` of files that never change under their name.
const IMMUTABLE: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

/// Files for `App::static_files`: a folder, or files in the program ([`piton::embed!`](crate::embed!)).
///
/// ```
/// use piton::http::StaticFiles;
/// use piton::prelude::*;
///
/// let site = StaticFiles::folder("static").spa().immutable("assets");
/// let app = App::new("shop").static_files("/", site);
/// ```
#[derive(Clone, Debug)]
pub struct StaticFiles {
    source: FileSource,
    is_spa: bool,
    cache_control: HeaderValue,
    immutable: Vec<String>,
}

#[derive(Clone, Debug)]
enum FileSource {
    Folder(PathBuf),
    Embedded(EmbeddedFiles),
}

impl StaticFiles {
    /// Serves the files of a folder as they are at each request. A relative path is below the working directory.
    #[must_use]
    pub fn folder(path: impl Into<PathBuf>) -> Self {
        Self::new(FileSource::Folder(path.into()))
    }

    /// Serves files of the program itself.
    #[must_use]
    pub fn embedded(files: EmbeddedFiles) -> Self {
        Self::new(FileSource::Embedded(files))
    }

    fn new(source: FileSource) -> Self {
        Self { source, is_spa: false, cache_control: REVALIDATE, immutable: Vec::new() }
    }

    /// Responds to paths without a file with `index.html`, if the client asks for a page (`Accept: text/html`): for an
    /// application that reads its path in the browser. Scripts, images and calls of an API that do not exist get 404.
    #[must_use]
    pub fn spa(mut self) -> Self {
        self.is_spa = true;
        self
    }

    /// Sets the header `Cache-Control`. **Default: `no-cache`**: clients keep files and ask whether they have changed.
    ///
    /// # Panics
    /// If it is not the value of a header.
    #[must_use]
    pub fn cache_control(mut self, value: &str) -> Self {
        self.cache_control = HeaderValue::from_str(value).expect("a header's value");
        self
    }

    /// Lets clients keep the files below `path` for a year without asking: for files that have a hash of their content
    /// in their names, such as `assets` of Vite.
    #[must_use]
    pub fn immutable(mut self, path: impl AsRef<str>) -> Self {
        self.immutable.push(format!("{}/", path.as_ref().trim_matches('/')));
        self
    }

    fn cache_control_of(&self, path: &SafePath) -> HeaderValue {
        let is_immutable = self.immutable.iter().any(|prefix| path.as_str().starts_with(&**prefix));
        if is_immutable { IMMUTABLE } else { self.cache_control.clone() }
    }
}

impl From<&str> for StaticFiles {
    fn from(folder: &str) -> Self {
        Self::folder(folder)
    }
}

impl From<PathBuf> for StaticFiles {
    fn from(folder: PathBuf) -> Self {
        Self::folder(folder)
    }
}

impl From<&Path> for StaticFiles {
    fn from(folder: &Path) -> Self {
        Self::folder(folder)
    }
}

impl From<EmbeddedFiles> for StaticFiles {
    fn from(files: EmbeddedFiles) -> Self {
        Self::embedded(files)
    }
}

/// Static files below a prefix.
#[derive(Debug)]
pub(crate) struct StaticMount {
    /// The prefix without its last `/`: empty for all paths.
    prefix: String,
    /// The path that metrics show.
    series: String,
    files: StaticFiles,
    location: &'static Location<'static>,
}

impl StaticMount {
    pub fn new(prefix: &str, files: StaticFiles, location: &'static Location<'static>) -> Self {
        let prefix = prefix.trim_end_matches('/').to_owned();
        Self { series: format!("{prefix}/{{*file}}"), prefix, files, location }
    }

    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    pub fn series(&self) -> &str {
        &self.series
    }

    pub fn source(&self) -> SourceLocation {
        self.location.into()
    }

    /// Makes the folder's path canonical, so that files are known to be in it.
    ///
    /// # Errors
    /// The prefix is no path, or there is no such folder.
    pub fn resolve(&mut self) -> Result<(), String> {
        if !self.prefix.is_empty() && !self.prefix.starts_with('/') {
            return Err(format!(
                "the prefix `{}` of static files at {} does not begin with `/`",
                self.prefix, self.location
            ));
        }
        let FileSource::Folder(folder) = &mut self.files.source else { return Ok(()) };
        let found = folder.canonicalize().and_then(|folder| {
            folder.read_dir()?;
            Ok(folder)
        });
        *folder = found.map_err(|error| {
            format!(
                "the folder `{}` of the static files at {} cannot be read: {error}\n    \
                 fix: create it, start the service in its parent folder, or put the files into the program with \
                 `piton::embed!`",
                folder.display(),
                self.location
            )
        })?;
        Ok(())
    }

    /// Responds to a request for a file. Returns `None` if there is no such file.
    pub async fn respond(&self, head: &Parts) -> Option<Response> {
        let path = head.uri.path().strip_prefix(&*self.prefix)?;
        let response = match path.strip_prefix('/') {
            Some(rest) => self.respond_to(rest, head).await,
            None if path.is_empty() => self.redirect_to_folder(&SafePath::root(), head).await,
            None => Ok(None),
        };
        response.unwrap_or_else(|error| Some(Error::internal(error).into_response()))
    }

    async fn respond_to(&self, rest: &str, head: &Parts) -> io::Result<Option<Response>> {
        let path = match rest.strip_suffix('/') {
            Some(folder) => SafePath::decode(folder).map(|folder| folder.join(INDEX)),
            None if rest.is_empty() => Some(SafePath::root().join(INDEX)),
            None => SafePath::decode(rest),
        };
        let found = match path {
            Some(path) => match self.find(&path, &head.headers).await? {
                FileLookup::File(file) => Some((path, file)),
                FileLookup::Folder => return self.redirect_to_folder(&path, head).await,
                FileLookup::Nothing => self.spa_page(head).await?,
            },
            None => None,
        };
        Ok(found.map(|(path, file)| self.response(&path, file, head)))
    }

    /// Returns the page of a single-page application, if the request is for a page.
    async fn spa_page(&self, head: &Parts) -> io::Result<Option<(SafePath, FoundFile)>> {
        if !self.files.is_spa || !is_read(&head.method) || !accepts_html(&head.headers) {
            return Ok(None);
        }
        let page = SafePath::root().join(INDEX);
        match self.find(&page, &head.headers).await? {
            FileLookup::File(file) => Ok(Some((page, file))),
            FileLookup::Folder | FileLookup::Nothing => Ok(None),
        }
    }

    /// Redirects to the path with `/`, if the folder has a page: its relative links mean files of the folder only there.
    async fn redirect_to_folder(
        &self,
        folder: &SafePath,
        head: &Parts,
    ) -> io::Result<Option<Response>> {
        let index = folder.join(INDEX);
        if !matches!(self.find(&index, &head.headers).await?, FileLookup::File(_)) {
            return Ok(None);
        }
        let query = head.uri.query().map(|query| format!("?{query}")).unwrap_or_default();
        // Never `//host`, because a path with an empty segment has no file.
        let location = format!("{}/{query}", head.uri.path());
        Ok(Some(Redirect::temporary(location).into_response()))
    }

    async fn find(&self, path: &SafePath, headers: &HeaderMap) -> io::Result<FileLookup> {
        let accepted = accepted(headers);
        match &self.files.source {
            FileSource::Embedded(files) => Ok(find_embedded(files, path, &accepted)),
            FileSource::Folder(root) => {
                let (root, path) = (root.clone(), path.clone());
                let found = tokio::task::spawn_blocking(move || find(&root, &path, &accepted));
                found.await.map_err(io::Error::other)?
            }
        }
    }

    fn response(&self, path: &SafePath, file: FoundFile, head: &Parts) -> Response {
        if !is_read(&head.method) {
            return (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "GET,HEAD")]).into_response();
        }
        let mut response = file.representation.into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, media_type::of_name(Path::new(path.as_str())));
        headers.insert(header::CACHE_CONTROL, self.files.cache_control_of(path));
        if file.varies {
            headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        }
        if let Some(coding) = file.coding {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding.name()));
        }
        Conditions::of(head).apply(response)
    }
}

fn is_read(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

/// Returns whether the client asks for a page, as browsers do when they go to a URL, and not for a part of one.
fn accepts_html(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(header::ACCEPT).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let is_html = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("text/html"));
        // A weight of 0 is "not acceptable" (RFC 9110, section 12.4.2).
        is_html && parts.filter_map(weight).all(|weight| weight > 0)
    })
}

/// Returns the weight of the parameter `q`, which is 0 if it is not valid. `None` for another parameter.
fn weight(parameter: &str) -> Option<u16> {
    let (name, value) = parameter.split_once('=')?;
    name.trim().eq_ignore_ascii_case("q").then(|| parse_weight(value.trim()).unwrap_or(0))
}

fn find_embedded(files: &EmbeddedFiles, path: &SafePath, accepted: &[StoredCoding]) -> FileLookup {
    let Some(plain) = files.get(path.as_str()) else {
        let is_folder = files.is_folder(path.as_str());
        return if is_folder { FileLookup::Folder } else { FileLookup::Nothing };
    };
    let sibling =
        |coding: StoredCoding| files.get(&format!("{}{}", path.as_str(), coding.suffix()));
    let chosen = accepted.iter().find_map(|coding| Some((*coding, sibling(*coding)?)));
    FileLookup::File(FoundFile {
        representation: chosen.map_or(plain, |(_, file)| file).representation(),
        coding: chosen.map(|(coding, _)| coding),
        varies: StoredCoding::ALL.into_iter().any(|coding| sibling(coding).is_some()),
    })
}
