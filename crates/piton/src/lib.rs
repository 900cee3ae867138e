//! Piton: a microservice chassis. Two lines make a service that is ready for production.
//!
//! ```no_run
//! use piton::prelude::*;
//!
//! /// Returns the state of the service.
//! #[get("/user/get")]
//! async fn user_get() -> Json<Status> {
//!     Json(Status { status: "ok" })
//! }
//!
//! #[derive(Serialize, JsonSchema)]
//! struct Status {
//!     status: &'static str,
//! }
//!
//! fn main() -> piton::Exit {
//!     piton::new_app!().run()
//! }
//! ```
//!
//! `cargo run` serves it on <http://127.0.0.1:5000>; `cargo run -- --help` lists its commands.
//!
//! # The map
//!
//! | to | use |
//! |---|---|
//! | build a service, change a step, add a command | [`App`], [`Setup`], [`Step`], [`Command`] |
//! | route, read requests, respond, fail | [`http`]: [`get`], [`http::Json`], [`http::Created`], [`Error`] |
//! | check values of paths, queries, bodies | [`convert`]: [`converter!`](macro@converter) |
//! | send events, open sockets | [`http::Sse`], [`http::ByteStream`], `http::WebSocketUpgrade` (feature `websocket`) |
//! | take and send files | `http::Multipart`, `http::Upload` (feature `multipart`), `http::Download`, `App::static_files` (feature `files`) |
//! | search, sort and page | [`http::Listing`], [`http::Page`] |
//! | read settings | [`config`]: [`Settings`] |
//! | log | [`logging`] |
//! | add a capability of your own | [`mod@part`]: [`Part`](part::Part), [`part!`](macro@part) |
//! | store rows | `db` (features `sqlite`, `postgres`) |
//! | authenticate callers | [`auth`]: tokens, passwords, keys (features `jwt`, `password`, `api-key`) |
//! | cache responses and values | `cache` (features `cache`, `redis`) |
//! | call other services | `client` (feature `client`) |
//! | document the API | `openapi` (feature `openapi`) |
//! | show environment variables | `panel` (feature `panel`) |
//! | read queues, send mail | `aws` (feature `aws`) |
//! | work in the background, by a schedule | `tasks` (feature `tasks`) |
//! | reach the running app from anywhere | [`app()`], [`Handle`], [`spawn`] |
//! | test | [`testing`]: [`TestApp`](testing::TestApp), [`macro@test`] |
//!
//! # Features
//!
//! None is on by default; a service names what it uses.
//!
//! | feature | what it brings | what it pulls in | since |
//! |---|---|---|---|
//! | none | the core: app, steps, routes, arguments, errors, settings, log, serving, probes, metrics, tests | axum, hyper, tokio, serde, schemars, clap, tracing, prometheus-client; no C build | 0.1 |
//! | `sqlite` | `Db` on a SQLite file, migrations | sqlx, SQLite's own C source | 0.1 |
//! | `postgres` | `Db` on PostgreSQL | sqlx, rustls with aws-lc-rs (C) | 0.1 |
//! | `validation` | `Valid<_>`: rules written on types | garde | 0.1 |
//! | `files` | `Download`, `App::static_files`, `embed!`: files as responses | mime_guess | 0.1 |
//! | `multipart` | `Multipart`, `MultipartForm`, `Upload`: forms with files | multer | 0.1 |
//! | `compression` | brotli and gzip for clients that accept them; requests with such bodies | async-compression, brotli, flate2 | 0.1 |
//! | `zstd` | `compression` with zstd | zstd (C) | 0.1 |
//! | `tls` | TLS of the listeners, `ClientCert` | rustls with aws-lc-rs (C) | 0.1 |
//! | `http2` | HTTP/2 of the listeners | h2 | 0.1 |
//! | `jemalloc` | memory is returned to the system after a burst: the allocator of the whole program | tikv-jemallocator (C) | 0.1 |
//! | `jwt` | `Identity`, `Tokens`, `#[protected]`: tokens as Flask-JWT-Extended's | aws-lc-rs (C) | 0.1 |
//! | `password` | `Passwords`: hashes as argon2-cffi's | argon2 | 0.1 |
//! | `api-key` | `ApiKeys`: named keys with scopes | sha2 | 0.1 |
//! | `client` | `External`, `Peers`: requests to external hosts and to peers | reqwest, rustls with aws-lc-rs (C) | 0.1 |
//! | `aws` | SQS, SES | aws-sdk-sqs, aws-sdk-sesv2, lettre, rustls with aws-lc-rs (C) | 0.1 |
//! | `cache` | `Cache`, `#[cached]`, `#[memoize]`: cached responses and values, in memory | moka, sha2 | 0.1 |
//! | `redis` | `Cache` in Redis, shared by all processes | redis, rustls with aws-lc-rs (C) | 0.1 |
//! | `openapi` | the OpenAPI document, Swagger UI, a Postman collection, a `.http` file | flate2, Swagger UI's files (0.5 MB) | 0.1 |
//! | `panel` | variables of the environment as a page and as JSON, masked | minijinja, sha2 | 0.1 |
//! | `websocket` | `WebSocketUpgrade`, `WebSocket`: sockets with pings, limits and a stop | tokio-tungstenite, sha1 | 0.1 |
//! | `tasks` | `#[task]`, `#[cron]`, `Tasks`: durable work in the background | croner, chrono-tz | 0.1 |
//!
//! Derives of `serde`, `schemars` and `garde` write paths that begin with those crates: a service that
//! uses them lists them next to `piton`.

// The macros write `::piton::..`, in this crate too.
extern crate self as piton;

#[cfg(feature = "jemalloc")]
mod allocator;
mod compat;
pub mod config;
pub mod convert;
mod error;
mod json_scanner;
mod launch_steps;
pub mod logging;
mod memory;
pub mod metrics;
mod parse_address;
mod reload_signal;
mod request;
mod runtime;
pub mod secrets;
mod stop_signal;
mod support;

pub mod http;

pub mod admin;
mod app;
pub mod auth;
#[cfg(feature = "aws")]
pub mod aws;
#[cfg(feature = "cache")]
pub mod cache;
#[cfg(feature = "client")]
pub mod client;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub mod db;
#[cfg(not(any(feature = "sqlite", feature = "postgres")))]
#[doc(hidden)]
pub mod db_disabled;
#[cfg(feature = "openapi")]
pub mod openapi;
#[cfg(feature = "panel")]
pub mod panel;
pub mod prelude;
#[cfg(any(feature = "cache", feature = "tasks"))]
mod redis_client;
#[cfg(feature = "tasks")]
pub mod tasks;
pub mod testing;

pub use ::http::StatusCode;
pub use app::{
    App, AppDescription, AppExtension, AppExtensionCall, AppSettings, Arguments, Command, Exit,
    LaunchError, ModuleCommand, Setup, StepResult, print,
};
pub use config::Settings;
pub use context::{app, spawn, trace, try_app};
pub use handle::{Handle, PartHealth};
pub use http::{Error, FieldError, HttpSettings, Result};
pub use launch_steps::Step;
pub use piton_macros::{
    delete, errors, get, limits, patch, post, protected, public, put, route, test,
};
pub use reload_signal::{Reload, ReloadTrigger};
pub use request::RequestId;
pub use runtime::attached_apps::NoCurrentApp;
pub use runtime::from_handle::FromHandle;
pub use runtime::part;

pub use stop_signal::{Stop, Trigger};

use runtime::{context, handle};

#[cfg(feature = "files")]
pub use piton_macros::embed;

#[cfg(feature = "validation")]
pub use garde;
#[cfg(feature = "aws")]
pub use piton_macros::sqs;
#[cfg(feature = "cache")]
pub use piton_macros::{cached, memoize};
#[cfg(feature = "tasks")]
pub use piton_macros::{cron, task};
pub use {axum, bytes, chrono, clap, schemars, secrecy, serde, serde_json, tokio, tracing};
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub use {piton_macros::migrations, uuid};

/// Names in the code that macros generate; not for people.
#[doc(hidden)]
pub mod __private {
    pub use crate::error::ErrorMapper;
    pub use inventory;
}
