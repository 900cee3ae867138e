//! The routes.

pub mod companies;
pub mod register;
pub mod workflow;

pub(crate) use companies::COMPANIES;

piton::blueprint!("/api");
