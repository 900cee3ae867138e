//! An ASHIRT enhancement worker: it describes evidence as it is collected.
//!
//! ASHIRT sends a message for each piece of evidence (`apis`, `protocol`). It waits in the
//! `evidence_queue`, one of the `actions` processes it, and the response goes back in the form that
//! ASHIRT records. Actions call ASHIRT by the client of `services`: [`services::svc`]. A new
//! content type is a file in `actions` and a line in its list.

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

/// Creates the worker's app: `main` runs it, tests launch it.
#[must_use]
pub fn app() -> App {
    piton::new_app!()
        .env_alias("ENVIRONMENT", "environment")
        // Long, because evidence waits in the queue within this time, and ASHIRT itself waits
        // indefinitely.
        .default_to("http.timeout", "30m")
        .default_to("log.slow", "5m")
        // Zero, because no load balancer has to notice the stop, and orchestrators kill after ten
        // seconds.
        .default_to("http.drain_wait", "0s")
        .default_to("http.drain_timeout", "8s")
        .require_in_production(worker_settings::no_dev_routes())
        .error_renderer("/ashirt", apis::process::error_response)
        .error_renderer("/", apis::process::wrong_path_response)
        .before(Step::ConfigureRoutes, apis::dev_routes::add)
        .command(commands::config_json())
        .command(commands::try_file())
}
