//! Health in detail, metrics, what runs, the log's level.

use std::time::SystemTime;

use axum::Router;
use axum::extract::State;
use axum::middleware::from_fn;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use chrono::{DateTime, Utc};
use http::{HeaderMap, StatusCode, header};
use serde::Serialize;
use serde_json::{Value, json};

use super::{AdminGuard, answer, log_level, metrics_format, readiness};
use crate::handle::{Handle, PartHealth};

/// The paths of the details.
pub(crate) const DETAIL_PATHS: [&str; 4] = ["/health", "/metrics", "/info", "/log-level"];

/// Returns the detail routes in `paths`, behind `guard`.
pub(crate) fn details(paths: &[&str], guard: AdminGuard) -> Router<Handle> {
    let router = paths.iter().fold(Router::new(), |router, path| match endpoint(path) {
        Some(endpoint) => router.route(path, endpoint),
        None => router,
    });
    router.route_layer(from_fn(move |request, next| guard.check(request, next)))
}

fn endpoint(path: &str) -> Option<MethodRouter<Handle>> {
    Some(match path {
        "/health" => get(health),
        "/metrics" => get(metrics),
        "/info" => get(info),
        "/log-level" => get(log_level::show).put(log_level::set).delete(log_level::revert),
        _ => return None,
    })
}

#[derive(Serialize)]
struct HealthReport {
    status: &'static str,
    uptime_s: u64,
    parts: Vec<PartHealth>,
}

async fn health(State(handle): State<Handle>) -> Response {
    let parts = handle.health().await;
    let (code, status) = readiness(&handle, &parts);
    answer(code, &HealthReport { status, uptime_s: handle.uptime().as_secs(), parts })
}

async fn metrics(State(handle): State<Handle>, headers: HeaderMap) -> Response {
    let (kind, text) = if metrics_format::prefers_open_metrics(&headers) {
        (
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
            handle.metrics().open_metrics(),
        )
    } else {
        ("text/plain; version=0.0.4; charset=utf-8", handle.metrics().text())
    };
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, "no-store"),
        (header::VARY, "accept"),
    ];
    (headers, text).into_response()
}

/// Shows the program, its parts and its settings. Secrets are masked as by the command `config`.
async fn info(State(handle): State<Handle>) -> Response {
    let parts = handle.health().await;
    let snapshots = handle.snapshots();
    let parts: Vec<Value> = parts
        .iter()
        .map(|part| {
            let mut shown = serde_json::to_value(part).unwrap_or_default();
            shown["shows"] = snapshots.get(part.name).cloned().unwrap_or_default();
            shown
        })
        .collect();
    let settings: Vec<Value> = handle
        .settings()
        .iter()
        .map(|setting| {
            let (key, value) = (&setting.key, &setting.value);
            json!({ "key": key, "value": value, "origin": setting.origin.to_string() })
        })
        .collect();
    let started = SystemTime::now() - handle.uptime();
    answer(
        StatusCode::OK,
        &json!({
            "name": handle.name(),
            "version": handle.version(),
            "piton_version": env!("CARGO_PKG_VERSION"),
            "profile": if cfg!(debug_assertions) { "debug" } else { "release" },
            "platform": format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS),
            "environment": handle.environment().as_str(),
            "production": handle.production(),
            "pid": std::process::id(),
            "started_at": DateTime::<Utc>::from(started),
            "uptime_s": handle.uptime().as_secs(),
            "draining": handle.draining(),
            "routes": handle.routes().iter().filter(|route| route.listed).count(),
            "parts": parts,
            "settings": settings,
        }),
    )
}
