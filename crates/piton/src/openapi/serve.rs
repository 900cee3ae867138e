//! The routes of the document and of the page that shows it. They are no part of what the service
//! offers: the document does not list them.

use std::panic::Location;
use std::sync::{Arc, OnceLock};

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode, header};

use super::settings::problems_of_code;
use super::ui::{self, Asset, Page};
use super::{OpenApi, OpenApiSettings, SECTION, json, of_handle, read};
use crate::app::{LaunchError, Setup};
use crate::handle::Handle;
use crate::http::{Route, client_has, get};

/// Asked again each time, and answered in a few bytes where nothing has changed.
const ASK_AGAIN: &str = "no-cache";
/// The version stands in the path: what is there never changes.
const FOR_EVER: &str = "public, max-age=31536000, immutable";

/// Adds the routes, unless the settings say that there are none.
///
/// # Errors
/// What the code says of the service makes a wrong document.
pub(super) fn add(setup: &Setup, source: &'static Location<'static>) -> Result<(), LaunchError> {
    let handle = setup.handle();
    let problems = handle.attached().next().map(problems_of_code).unwrap_or_default();
    if !problems.is_empty() {
        return Err(LaunchError::Settings(problems));
    }
    let settings: OpenApiSettings = read(handle.config(), SECTION);
    if !settings.is_served(handle.production()) {
        return Ok(());
    }
    let route = |route: Route| setup.route(route.unlisted().at(source.file(), source.line()));
    let document: Arc<OnceLock<Asset>> = Arc::default();
    let path = settings.document_path.clone();
    route(get(path, move |State(app): State<Handle>, request: Request| {
        let document = document.clone();
        async move { answer(document.get_or_init(|| of_document(&app)), &request, ASK_AGAIN, &[]) }
    }));
    let said = super::info(handle.attached().next(), handle.config());
    let page = Page::new(&settings, title(&said, &handle), &servers(&said));
    for (path, asset) in page.assets {
        let asset = Arc::new(asset);
        let caching = if path.contains(ui::VERSION) { FOR_EVER } else { ASK_AGAIN };
        let policy = page.policy.clone();
        route(get(path, move |request: Request| {
            let (asset, policy) = (asset.clone(), policy.clone());
            async move { answer(&asset, &request, caching, &ui::headers(&policy)) }
        }));
    }
    let name = settings.ui_path.rsplit('/').next().unwrap_or_default().to_owned();
    route(get(format!("{}/", settings.ui_path), move || {
        let location = format!("../{name}");
        async move { (StatusCode::PERMANENT_REDIRECT, [(header::LOCATION, location)]) }
    }));
    Ok(())
}

fn title(said: &OpenApi, handle: &Handle) -> String {
    said.title.as_deref().unwrap_or(handle.name()).to_owned()
}

/// The origins that the page may talk to beside its own.
fn servers(said: &OpenApi) -> Vec<String> {
    let origin = |url: &str| {
        let (scheme, rest) = url.split_once("://")?;
        let host = rest.split(['/', '?', '#']).next()?;
        let plain = |c: char| c.is_ascii_alphanumeric() || ".-:[]".contains(c);
        (!host.is_empty() && host.chars().all(plain)).then(|| format!("{scheme}://{host}"))
    };
    said.servers.iter().filter_map(|[url, _]| origin(url)).collect()
}

/// Made once, when somebody asks.
fn of_document(app: &Handle) -> Asset {
    let text = json::pretty(&of_handle(app).document);
    Asset::of_text("application/json", text.into_bytes())
}

/// The asset, in the form that the client takes; 304 if it has it already.
fn answer(
    asset: &Asset,
    request: &Request,
    caching: &'static str,
    more: &[(HeaderName, HeaderValue)],
) -> Response {
    let head = request.headers();
    let text = |name: &HeaderName| head.get(name).and_then(|value| value.to_str().ok());
    let known = client_has(head, &asset.etag);
    let zipped = text(&header::ACCEPT_ENCODING).is_some_and(takes_gzip);
    let body = match (known, zipped) {
        (true, _) => Bytes::new(),
        (false, true) => asset.gzip.clone(),
        (false, false) => asset.plain(),
    };
    let mut answer = body.into_response();
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(asset.media_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    if let Ok(etag) = HeaderValue::try_from(&asset.etag) {
        headers.insert(header::ETAG, etag);
    }
    headers.extend(more.iter().cloned());
    if known {
        headers.remove(header::CONTENT_TYPE);
        *answer.status_mut() = StatusCode::NOT_MODIFIED;
    } else if zipped {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    answer
}

/// Whether `Accept-Encoding` names gzip, and does not refuse it.
fn takes_gzip(accepted: &str) -> bool {
    accepted.split(',').any(|one| {
        let (name, weight) = one.split_once(';').unwrap_or((one, ""));
        let refused = weight.trim().strip_prefix("q=").and_then(|q| q.parse::<f32>().ok());
        name.trim().eq_ignore_ascii_case("gzip") && refused != Some(0.0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_for_those_who_take_it() {
        for (accepted, takes) in [
            ("gzip", true),
            ("br, GZIP;q=0.5", true),
            ("gzip;q=0", false),
            ("identity", false),
            ("", false),
        ] {
            assert_eq!(takes_gzip(accepted), takes, "{accepted}");
        }
    }
}
