//! Gnar Gear's service: users who sign up, activate their account by mail and log in; a neighbour,
//! asked in their name; messages out of a queue.
//!
//! It finds itself in the environment of the service in Python whose place it takes (`GNAR_PG_ENDPOINT`,
//! `GNAR_JWT_SECRET_KEY` ..), reads and writes the same table, tokens and password hashes, and with
//! `http.error_style` `gnar` answers in the same way. So one can be put beside the other, and traffic
//! moved from one to the other by a line of the proxy.
//!
//! `address` decides which email addresses belong to one account, `apis` has the routes, `mail` the
//! letter to new users, `repositories` the statements.

pub mod address;
pub mod apis;
pub mod mail;
pub mod repositories;

use piton::prelude::*;

/// The service: `main` runs it, tests launch it.
#[must_use]
pub fn app() -> App {
    App::new("piste")
        .version(env!("CARGO_PKG_VERSION"))
        .env_prefix("GNAR")
        .migrations(piton::migrations!())
        .openapi(description())
        .settings::<mail::ActivationSettings>("activation")
        .after(Step::Postconfig, mail::check)
        .with::<Passwords>()
}

/// What the OpenAPI document says beside what the routes say of themselves.
fn description() -> OpenApi {
    OpenApi::new()
        .title("Piste")
        .description("Users who sign up, activate their account by mail and log in.")
        .contact("Piste's maintainers", "piste@example.org")
        .license("MIT OR Apache-2.0")
        .tag("users", "Signing up, logging in, and who one is.")
        .tag("peers", "The neighbour, asked in the caller's name.")
        .tag("messages", "What came out of the queue.")
}
