//! The company registry: companies by their CNPJ, inserted and updated, never deleted.
//!
//! `apis` are the routes, `converters` the types of values in paths and bodies, `models` the data that
//! is stored and shown, `repositories` the SQL statements, `services` the clients of external
//! services, `tasks` the work in the background, `seed` the command that fills an empty registry.

pub mod apis;
pub mod converters;
pub mod models;
pub mod repositories;
pub mod seed;
pub mod services;
pub mod tasks;

use piton::auth::api_key::ApiKeyGuard;
use piton::prelude::*;

use services::register::{CompanyRegister, RegisterSettings};
use services::workflow::{Workflow, WorkflowSettings};

/// Returns the service, which `main` runs and tests launch.
#[must_use]
pub fn app() -> App {
    app_with(CompanyRegister::as_configured(), Workflow::as_configured())
}

/// Returns the service with other clients of external services, such as doubles.
#[must_use]
pub fn app_with(register: CompanyRegister, workflow: Workflow) -> App {
    piton::new_app!()
        // Gnar Gear's variables are read too, because this service replaces one in its environment.
        .also_env_prefix("GNAR")
        .env_alias("ENVIRONMENT", "environment")
        // Required outside of a developer's machine, because others rely on the service there: it must
        // not store data in a local file, or accept anonymous requests.
        .allow_anonymous_locally()
        .require_outside_local(piton::db::postgres_required())
        .require_outside_local(piton::cache::redis_required())
        .require_outside_local(piton::auth::api_key::key_required())
        .settings::<RegisterSettings>("register")
        .settings::<WorkflowSettings>("workflow")
        .state(register)
        .state(workflow)
        .migrations(piton::migrations!())
        .task_status_with("/tasks", |route| route.guard(ApiKeyGuard::new().scope("companies:read")))
        .openapi(description())
        .command(seed::command())
}

/// Returns the parts of the OpenAPI document that do not come from the routes.
fn description() -> OpenApi {
    OpenApi::new()
        .title("Company registry")
        .description("Companies by their CNPJ: registered and changed, never deleted.")
        .contact("The registry's maintainers", "registry@example.org")
        .license("MIT OR Apache-2.0")
        .tag("companies", "Registered companies and their history.")
        .tag("tasks", "The state of work in the background.")
        .tag("reports", "Numbers of all companies.")
        .tag("register", "Companies in the state's own register.")
}
