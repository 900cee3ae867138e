//! Recorded messages, and messages that nobody thought of, through the public API.

#![expect(clippy::unwrap_used, reason = "a test that unwraps fails with the line")]

mod binding_laws;
mod control;
mod events;
mod properties;
mod python_json;
mod recordings;
mod results;
mod strategies;
