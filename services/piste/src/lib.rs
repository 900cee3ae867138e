//! Gnar Gear's service: users who sign up, activate their account by mail and log in; a neighbour,
//! asked in their name; messages out of a queue.
//!
//! It finds itself in the environment of the service in Python whose place it takes (`GNAR_PG_ENDPOINT`,
//! `GNAR_JWT_SECRET_KEY` ..), reads and writes the same table, tokens and password hashes, and with
//! `http.error_style` `gnar` answers in the same way. So one can be put beside the other, and traffic
//! moved from one to the other by a line of the proxy.
//!
//! `apis` are the routes, `mail` the letter to new users, `repositories` the statements.

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
        .settings::<mail::ActivationSettings>("activation")
        .after(Step::Postconfig, mail::check)
        .with::<Passwords>()
}
