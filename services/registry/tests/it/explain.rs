//! Tests that the output of `routes --explain` compiles, and makes the same routes.

use piton::prelude::*;
use piton::serde_json::Value;
use registry::services::register::{CompanyRegister, RegisterSettings};
use registry::services::workflow::{Workflow, WorkflowSettings};

/// Returns the app of the printed expression, which `cargo xtask generate` writes.
fn explained() -> App {
    include!("explained.rs")
}

#[test]
fn the_checked_in_calls_are_those_that_the_program_prints() {
    let printed = registry::app().explain();
    // Comments contain line numbers, which change with every edit of a file.
    let calls = printed.lines().filter(|line| !line.trim_start().starts_with("//"));
    let calls: String = calls.map(|line| format!("{line}\n")).collect();
    assert_eq!(calls, include_str!("explained.rs"), "to correct it: cargo xtask generate");
}

#[test]
fn the_printed_calls_make_the_same_routes() {
    let table = |app: &App| -> Vec<String> {
        let outline = app.describe().unwrap();
        let line = |route: &piton::http::RouteInfo| {
            let piton::http::RouteInfo { method, path, handler, tag, doc, listed, .. } = route;
            format!("{method} {path} {handler} {tag:?} {listed} {doc}")
        };
        outline.routes().iter().map(line).collect()
    };
    let explained = explained()
        .state(CompanyRegister::as_configured())
        .state(Workflow::as_configured())
        .settings::<RegisterSettings>("register")
        .settings::<WorkflowSettings>("workflow")
        .openapi(OpenApi::new());
    let app = registry::app();
    assert_eq!(table(&explained), table(&app));
    // The document covers guards, arguments and responses.
    let paths = |app: &App| -> Value { app.openapi_document().unwrap()["paths"].clone() };
    assert_eq!(paths(&explained), paths(&app));
}
