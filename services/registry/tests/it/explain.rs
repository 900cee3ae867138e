//! Tests that the output of `routes --explain` compiles, and makes the same routes.

use piton::prelude::*;
use piton::testing::assert_explained;
use registry::services::register::{CompanyRegister, RegisterSettings};
use registry::services::workflow::{Workflow, WorkflowSettings};

#[test]
fn the_printed_calls_are_checked_in_and_make_the_same_routes() {
    // `cargo xtask generate` writes the file.
    let explained: App = include!("explained.rs");
    let explained = explained
        .state(CompanyRegister::as_configured())
        .state(Workflow::as_configured())
        .settings::<RegisterSettings>("register")
        .settings::<WorkflowSettings>("workflow")
        .openapi(OpenApi::new());
    assert_explained(&registry::app(), &explained, include_str!("explained.rs"));
}
