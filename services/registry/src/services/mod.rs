//! Clients of external services. Each is behind a trait, so that tests and developers can replace it
//! by a double.

mod brasil_api;
pub mod register;
pub mod workflow;
