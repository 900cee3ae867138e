//! What those who run the service ask it: is it alive, is it ready?

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;

use crate::handle::{Handle, PartHealth};
use crate::part::Health;

/// The probes of the public listener. They say a status and no more: details belong on the admin
/// address.
pub(crate) fn probes() -> Router<Handle> {
    Router::new().route("/livez", get(livez)).route("/readyz", get(readyz))
}

/// The paths that are the probes' own.
pub(crate) const PROBE_PATHS: [&str; 2] = ["/livez", "/readyz"];

/// Paths that machines ask for every few seconds: their requests are logged only if they fail, or at
/// `DEBUG`.
pub(crate) const QUIET_PATHS: [&str; 3] = ["/livez", "/readyz", "/metrics"];

#[derive(Serialize)]
struct Probe {
    status: &'static str,
}

/// Whoever can answer this is alive. It asks nothing of any part: a restart mends no database.
async fn livez() -> Response {
    answer(StatusCode::OK, "alive")
}

async fn readyz(State(handle): State<Handle>) -> Response {
    if handle.draining() {
        return answer(StatusCode::SERVICE_UNAVAILABLE, "stopping");
    }
    if handle.health().await.iter().any(keeps_from_ready) {
        return answer(StatusCode::SERVICE_UNAVAILABLE, "not ready");
    }
    answer(StatusCode::OK, "ready")
}

fn keeps_from_ready(part: &PartHealth) -> bool {
    part.critical && matches!(part.health, Health::Down(_))
}

/// Probes are read by machines that look at the status and people who look at the word: not a
/// failure of a request, so not the error format.
fn answer(code: StatusCode, status: &'static str) -> Response {
    let mut response = (code, axum::Json(Probe { status })).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
