//! The routes.

mod companies;
mod register;
mod workflow;

pub(crate) use companies::COMPANIES;

piton::blueprint!("/api");
