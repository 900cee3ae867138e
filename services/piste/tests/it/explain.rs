//! Tests that the output of `routes --explain` compiles, and makes the same routes.

use piste::activation_mail::ActivationSettings;
use piton::prelude::*;
use piton::testing::assert_explained;

#[test]
fn the_printed_calls_are_checked_in_and_make_the_same_routes() {
    // `cargo xtask generate` writes the file.
    let explained: App = include!("explained.rs");
    let explained = explained
        .env_prefix("GNAR")
        .settings::<ActivationSettings>("activation")
        .openapi(OpenApi::new());
    assert_explained(&piste::app(), &explained, include_str!("explained.rs"));
}
