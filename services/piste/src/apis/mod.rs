//! The routes, one file per blueprint.

pub mod messages;
pub mod peer;
pub mod user;
