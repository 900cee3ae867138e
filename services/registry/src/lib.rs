//! The company registry: companies by their CNPJ, inserted and updated, never deleted.
//!
//! `apis` are the routes, `converters` the types of what is written in paths and bodies, `models`
//! what is stored and shown, `repositories` the statements, `services` what others are asked for,
//! `seed` the verb that fills an empty registry.

pub mod apis;
pub mod converters;
pub mod models;
pub mod repositories;
pub mod seed;
pub mod services;

use piton::prelude::*;

use services::register::{LookUp, RegisterSettings};
use services::workflow::{Workflow, WorkflowSettings};

/// The service: `main` runs it, tests launch it.
#[must_use]
pub fn app() -> App {
    app_with(LookUp::as_configured(), Workflow::as_configured())
}

/// The service with doubles in the place of those it asks.
#[must_use]
pub fn app_with(look_up: LookUp, workflow: Workflow) -> App {
    App::new("registry")
        .version(env!("CARGO_PKG_VERSION"))
        // It takes the place of a service made with Gnar Gear, in whose environment it finds itself.
        .also_env_prefix("GNAR")
        .env_alias("ENVIRONMENT", "environment")
        // A developer needs no servers and no key; where others rely on it, nothing is made up.
        .open_in_local()
        .outside_local(piton::db::postgres_required())
        .outside_local(piton::cache::redis_required())
        .outside_local(piton::auth::api_key::key_required())
        .settings::<RegisterSettings>("register")
        .settings::<WorkflowSettings>("workflow")
        .state(look_up)
        .state(workflow)
        .migrations(piton::migrations!())
        .openapi(description())
        .verb(seed::verb())
}

/// What the OpenAPI document says beside what the routes say of themselves.
fn description() -> OpenApi {
    OpenApi::new()
        .title("Company registry")
        .description("Companies by their CNPJ: registered and changed, never deleted.")
        .contact("The registry's maintainers", "registry@example.org")
        .license("MIT OR Apache-2.0")
        .tag("companies", "What is registered, and what became of it.")
        .tag("register", "What the state's own register knows.")
}
