//! The company registry: companies by their CNPJ, inserted and updated, never deleted.
//!
//! `apis` are the routes, `converters` the types of what is written in paths and bodies, `models`
//! what is stored and shown, `repositories` the statements, `seed` the verb that fills an empty
//! registry.

pub mod apis;
pub mod converters;
pub mod models;
pub mod repositories;
pub mod seed;

use piton::prelude::*;

/// The service: `main` runs it, tests launch it.
#[must_use]
pub fn app() -> App {
    App::new("registry")
        .version(env!("CARGO_PKG_VERSION"))
        // It takes the place of a service made with Gnar Gear, in whose environment it finds itself.
        .also_env_prefix("GNAR")
        .migrations(piton::migrations!())
        .openapi(description())
        .verb(seed::verb())
}

/// What the OpenAPI document says beside what the routes say of themselves.
fn description() -> OpenApi {
    OpenApi::new()
        .title("Company registry")
        .description("Companies by their CNPJ: registered and changed, never deleted.")
        .license("MIT OR Apache-2.0")
        .tag("companies", "What is registered, and what became of it.")
}
