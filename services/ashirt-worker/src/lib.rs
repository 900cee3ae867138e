//! An ASHIRT enhancement worker: it describes evidence as it is collected.
//!
//! ASHIRT sends a message for each piece of evidence (`apis`, `protocol`). It waits in the
//! `evidence_queue`, one of the `actions` processes it, and the response goes back in the form that
//! ASHIRT records. Deferred evidence is processed by a task of `tasks`, which reports the result as
//! metadata. Actions call ASHIRT by the client of `services`: [`services::svc`]. A new content type is
//! a file in `actions` and a line in its list.

pub mod actions;
pub mod apis;
pub mod ashirt;
mod commands;
pub mod defer_setting;
pub mod enhance;
pub mod evidence_queue;
mod metrics;
pub mod protocol;
pub mod services;
mod tasks;
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
        .enable_if::<Tasks>(worker_settings::defers)
        // One for each place of `worker.at_once`, which bounds requests and tasks together.
        .default_to("tasks.concurrency", 16)
        // Short, because orchestrators kill after ten seconds, and a task that is cancelled runs again
        // without losing an attempt.
        .default_to("tasks.stop_grace", "1s")
        // Kept also over a power cut, because ASHIRT never sends deferred evidence again.
        .default_to("db.synchronous", "full")
        .require_in_production(worker_settings::no_dev_routes())
        .error_renderer("/ashirt", apis::process::error_response)
        .error_renderer("/", apis::process::wrong_path_response)
        .before(Step::ConfigureRoutes, apis::dev_routes::add)
        .command(commands::config_json())
        .command(commands::try_file())
}
