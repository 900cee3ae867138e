//! Piton: a microservice chassis. Two lines make a service that is ready for production.
//!
//! ```no_run
//! use piton::prelude::*;
//!
//! #[get("/user/get")]
//! async fn user_get() -> Json<Status> { Json(Status { status: "ok" }) }
//!
//! #[derive(Serialize, JsonSchema)]
//! struct Status { status: &'static str }
//!
//! fn main() -> piton::Exit { App::new("my_service").run() }
//! ```

// The macros write `::piton::..`, in this crate too.
extern crate self as piton;

pub mod config;
mod context;
mod handle;
pub mod logging;
pub mod part;
mod step;
mod stop;

pub mod http;

mod admin;
mod app;
#[cfg(feature = "sqlite")]
pub mod db;
pub mod prelude;
pub mod testing;

pub use ::http::StatusCode;
pub use app::{App, AppSettings, Arguments, Exit, LaunchError, RoomVerb, Setup, StepResult, Verb};
pub use config::Settings;
pub use context::{RequestId, app, spawn, try_app};
pub use handle::{Handle, PartHealth};
pub use http::{Error, Fault, HttpSettings, Result};
pub use piton_macros::{delete, get, patch, post, put, route, test};
pub use step::Step;
pub use stop::{Stop, Trigger};

#[cfg(feature = "validation")]
pub use garde;
#[cfg(feature = "sqlite")]
pub use piton_macros::migrations;
#[cfg(feature = "sqlite")]
pub use uuid;
pub use {axum, bytes, chrono, clap, schemars, secrecy, serde, serde_json, tokio, tracing};

/// What the macros write names of; not for people.
#[doc(hidden)]
pub mod __private {
    pub use inventory;
}
