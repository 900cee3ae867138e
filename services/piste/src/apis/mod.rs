//! The routes, a file a blueprint.

pub mod messages;
pub mod peer;
pub mod user;
