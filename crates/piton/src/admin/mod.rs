//! Endpoints for operators: liveness, readiness, health in detail, metrics, info, the log's level.
//!
//! The two probes are on the public port and return a status only. Everything else is served on
//! the admin address only, which is this machine's own in production; in development, where nothing
//! listens there, the public port serves it too, to requests from this machine.

mod detail_routes;
mod guard;
mod log_level;
mod metrics_format;
mod settings;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;

use crate::handle::{Handle, PartHealth};
use crate::http::ExemptPaths;
use crate::part::Health;

pub use settings::{AdminAddress, AdminSettings};

pub(crate) use detail_routes::{DETAIL_PATHS, details};
pub(crate) use guard::AdminGuard;
#[cfg(feature = "panel")]
pub(crate) use guard::{names_this_machine, same_origin};

/// The paths of the probes.
pub(crate) const PROBE_PATHS: [&str; 2] = ["/livez", "/readyz"];

/// Returns the routes of the probes. They return a status only, because details belong on the admin address.
pub(crate) fn probes() -> Router<Handle> {
    Router::new().route("/livez", get(livez)).route("/readyz", get(readyz))
}

/// Everything the admin address serves.
pub(crate) fn router() -> Router<Handle> {
    let index = format!("{}\n{}\n", PROBE_PATHS.join("\n"), DETAIL_PATHS.join("\n"));
    probes()
        .merge(details(&DETAIL_PATHS, AdminGuard::Admin))
        .route("/", get(|| async { index }))
        .fallback(|| async { (StatusCode::NOT_FOUND, "nothing is served at this path") })
}

/// The paths that the stack treats apart, because machines request them every few seconds.
pub(crate) const EXEMPT_PATHS: ExemptPaths =
    ExemptPaths { probes: &PROBE_PATHS, quiet: &["/livez", "/readyz", "/metrics"] };

#[derive(Serialize)]
struct ProbeStatus {
    status: &'static str,
}

/// Responds 200 while the process can respond. Checks no part, because a restart does not mend a
/// database.
async fn livez() -> Response {
    answer(StatusCode::OK, &ProbeStatus { status: "alive" })
}

async fn readyz(State(handle): State<Handle>) -> Response {
    let (code, status) = readiness(&handle, &handle.health().await);
    answer(code, &ProbeStatus { status })
}

/// Returns the status and the word for whether requests should be sent here.
fn readiness(handle: &Handle, parts: &[PartHealth]) -> (StatusCode, &'static str) {
    if handle.draining() {
        (StatusCode::SERVICE_UNAVAILABLE, "stopping")
    } else if parts.iter().any(keeps_from_ready) {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready")
    } else {
        (StatusCode::OK, "ready")
    }
}

fn keeps_from_ready(part: &PartHealth) -> bool {
    part.critical && matches!(part.health, Health::Down(_))
}

/// Returns a JSON response that no cache stores. Not in the error format, also for 503, because that is the
/// state of the service and not a failed request.
fn answer(code: StatusCode, body: &impl Serialize) -> Response {
    let mut response = (code, axum::Json(body)).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
