//! Compares the calls that `routes --explain` prints with the app that they come from.

use serde_json::Value;

use crate::app::App;
use crate::http::RouteInfo;

/// Compares the calls that `routes --explain` prints for `app` with the checked-in text `calls`, and
/// the routes of `explained`, the app that those calls create, with those of `app`. Give `explained`
/// the same settings, state and OpenAPI document as `app` before.
///
/// ```ignore
/// let explained: App = include!("explained.rs");
/// assert_explained(&app(), &explained.openapi(OpenApi::new()), include_str!("explained.rs"));
/// ```
///
/// # Panics
/// If the printed calls, the routes or the paths of the OpenAPI documents differ.
#[track_caller]
pub fn assert_explained(app: &App, explained: &App, calls: &str) {
    let printed = app.explain();
    // Comments are left out, because they contain line numbers, which change with every edit.
    let lines = printed.lines().filter(|line| !line.trim_start().starts_with("//"));
    let printed: String = lines.map(|line| format!("{line}\n")).collect();
    assert_eq!(printed, calls, "to correct it: cargo xtask generate");
    assert_eq!(routes(explained), routes(app));
    // The document is compared too, because it covers guards, arguments and responses.
    assert_eq!(paths(explained), paths(app));
}

fn routes(app: &App) -> Vec<String> {
    let description = app.describe().expect("the app can be described");
    let line = |route: &RouteInfo| {
        let RouteInfo { method, path, handler, tag, doc, listed, .. } = route;
        format!("{method} {path} {handler} {tag:?} {listed} {doc}")
    };
    description.routes().iter().map(line).collect()
}

fn paths(app: &App) -> Value {
    let document = app.openapi_document().expect("the app has an OpenAPI document");
    document["paths"].clone()
}
