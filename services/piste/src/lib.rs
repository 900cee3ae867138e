//! Gnar Gear's service: users who sign up, activate their account by email and log in; a peer that is
//! called on behalf of the user; messages from a queue.
//!
//! The service replaces one in Python. It reads the same variables (`GNAR_PG_ENDPOINT`,
//! `GNAR_JWT_SECRET_KEY` ..), reads and writes the same table, tokens and password hashes, and with
//! `http.error_style` `gnar` responds in the same way. So both can run side by side, and a proxy can
//! move traffic from one to the other.
//!
//! `activation_mail` sends the email to new users, `apis` has the routes, `email_address` determines
//! which email addresses belong to one account, `repositories` has the SQL statements.

pub mod activation_mail;
pub mod apis;
pub mod email_address;
pub mod repositories;

use piton::prelude::*;

/// Returns the service, which `main` runs and tests launch.
#[must_use]
pub fn app() -> App {
    piton::new_app!()
        .env_prefix("GNAR")
        .migrations(piton::migrations!())
        .openapi(description())
        .settings::<activation_mail::ActivationSettings>("activation")
        .after(Step::Postconfig, activation_mail::check)
        .enable::<Passwords>()
}

/// Returns the parts of the OpenAPI document that do not come from the routes.
fn description() -> OpenApi {
    OpenApi::new()
        .title("Piste")
        .description("Users who sign up, activate their account by email and log in.")
        .contact("Piste's maintainers", "piste@example.org")
        .license("MIT OR Apache-2.0")
        .tag("users", "Signup, login, and the current user.")
        .tag("peers", "The peer, called on behalf of the user.")
        .tag("messages", "Messages from the queue.")
}
