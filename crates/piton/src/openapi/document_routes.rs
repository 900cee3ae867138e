//! The routes of the document and of Swagger UI. They are not listed in the document itself.

use std::panic::Location;
use std::sync::{Arc, OnceLock};

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode, header};

use super::app_openapi::{complete_info, document_of_handle};
use super::info::OpenApi;
use super::info_checks::problems_of_code;
use super::settings::{OpenApiSettings, SECTION, read_checked};
use super::stable_json;
use super::swagger_ui::{self, StaticAsset, SwaggerUiPage};
use crate::app::{LaunchError, Setup};
use crate::handle::Handle;
use crate::http::{Route, get, is_not_modified};

/// Clients revalidate each time, and get a short 304 if nothing has changed.
const REVALIDATE: &str = "no-cache";
/// For files with the version in their path, which never change.
const IMMUTABLE: &str = "public, max-age=31536000, immutable";

/// Adds the routes, if the settings allow it.
///
/// # Errors
/// The general information in the code is not valid.
pub(super) fn add(setup: &Setup, source: &'static Location<'static>) -> Result<(), LaunchError> {
    let handle = setup.handle();
    let problems = handle.provided().next().map(problems_of_code).unwrap_or_default();
    if !problems.is_empty() {
        return Err(LaunchError::Settings(problems));
    }
    let settings: OpenApiSettings = read_checked(handle.config(), SECTION);
    if !settings.is_served(handle.production()) {
        return Ok(());
    }
    let route = |route: Route| setup.route(route.unlisted().at(source.file(), source.line()));
    let document: Arc<OnceLock<StaticAsset>> = Arc::default();
    let path = settings.document_path.clone();
    route(get(path, move |State(app): State<Handle>, request: Request| {
        let document = document.clone();
        async move {
            asset_response(document.get_or_init(|| document_asset(&app)), &request, REVALIDATE, &[])
        }
    }));
    let info = complete_info(handle.provided().next(), handle.config());
    let page = SwaggerUiPage::new(&settings, title(&info, &handle), &servers(&info));
    for (path, asset) in page.assets {
        let asset = Arc::new(asset);
        let caching = if path.contains(swagger_ui::VERSION) { IMMUTABLE } else { REVALIDATE };
        let policy = page.policy.clone();
        route(get(path, move |request: Request| {
            let (asset, policy) = (asset.clone(), policy.clone());
            async move { asset_response(&asset, &request, caching, &swagger_ui::headers(&policy)) }
        }));
    }
    let name = settings.ui_path.rsplit('/').next().unwrap_or_default().to_owned();
    route(get(format!("{}/", settings.ui_path), move || {
        let location = format!("../{name}");
        async move { (StatusCode::PERMANENT_REDIRECT, [(header::LOCATION, location)]) }
    }));
    Ok(())
}

fn title(info: &OpenApi, handle: &Handle) -> String {
    info.title.as_deref().unwrap_or(handle.name()).to_owned()
}

/// Returns the origins that the page may send requests to, except its own.
fn servers(info: &OpenApi) -> Vec<String> {
    let origin = |url: &str| {
        let (scheme, rest) = url.split_once("://")?;
        let host = rest.split(['/', '?', '#']).next()?;
        let plain = |c: char| c.is_ascii_alphanumeric() || ".-:[]".contains(c);
        (!host.is_empty() && host.chars().all(plain)).then(|| format!("{scheme}://{host}"))
    };
    info.servers.iter().filter_map(|[url, _]| origin(url)).collect()
}

/// Builds the asset of the document. Runs once, at the first request.
fn document_asset(app: &Handle) -> StaticAsset {
    let text = stable_json::pretty(&document_of_handle(app).document);
    StaticAsset::of_text("application/json", text.into_bytes())
}

/// Returns the asset in an encoding that the client accepts, or 304 if the client has it.
fn asset_response(
    asset: &StaticAsset,
    request: &Request,
    caching: &'static str,
    more: &[(HeaderName, HeaderValue)],
) -> Response {
    let head = request.headers();
    let text = |name: &HeaderName| head.get(name).and_then(|value| value.to_str().ok());
    let known = is_not_modified(head, &asset.etag);
    let zipped = text(&header::ACCEPT_ENCODING).is_some_and(accepts_gzip);
    let body = match (known, zipped) {
        (true, _) => Bytes::new(),
        (false, true) => asset.gzip.clone(),
        (false, false) => asset.plain(),
    };
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(asset.media_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    if let Ok(etag) = HeaderValue::try_from(&asset.etag) {
        headers.insert(header::ETAG, etag);
    }
    headers.extend(more.iter().cloned());
    if known {
        headers.remove(header::CONTENT_TYPE);
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    } else if zipped {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}

/// Returns whether `Accept-Encoding` names gzip, and not with `q=0`.
fn accepts_gzip(accepted: &str) -> bool {
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
    fn gzip_is_sent_to_clients_that_accept_it() {
        for (accepted, takes) in [
            ("gzip", true),
            ("br, GZIP;q=0.5", true),
            ("gzip;q=0", false),
            ("identity", false),
            ("", false),
        ] {
            assert_eq!(accepts_gzip(accepted), takes, "{accepted}");
        }
    }
}
