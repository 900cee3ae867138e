//! An ASHIRT enhancement worker: it looks at evidence as it is collected, and writes down what is in it.
//!
//! ASHIRT sends a message for each piece of evidence (`apis`, `protocol`); it waits for its turn
//! (`queue`), one of the `actions` looks at it, and the answer goes back as ASHIRT records it. What an action
//! needs of ASHIRT it gets by the client of `services`: [`services::svc`]. To teach the worker
//! something new is a file in `actions` and a line in its list.

pub mod actions;
pub mod apis;
pub mod ashirt;
mod commands;
pub mod enhance;
pub mod evidence_queue;
mod metrics;
pub mod protocol;
pub mod services;
pub mod worker_settings;

use piton::prelude::*;

/// The worker: `main` runs it, tests launch it.
#[must_use]
pub fn app() -> App {
    App::new("ashirt_worker")
        .version(env!("CARGO_PKG_VERSION"))
        .env_alias("ENVIRONMENT", "environment")
        // Who waits for their turn waits here; ASHIRT would wait for ever.
        .default_to("http.timeout", "30m")
        .default_to("log.slow", "5m")
        // No load balancer has to notice a stop, and orchestrators kill after ten seconds.
        .default_to("http.drain_wait", "0s")
        .default_to("http.drain_timeout", "8s")
        .in_production(worker_settings::no_dev_routes())
        .failures("/ashirt", apis::process::error_response)
        .failures("/", apis::process::wrong_path_response)
        .before(Step::ConfigureRoutes, apis::dev_routes::add)
        .verb(commands::config_json())
        .verb(commands::try_file())
}
