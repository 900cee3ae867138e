//! The routes.

pub mod companies;
pub mod enrichment;
pub mod register;
pub mod reports;
pub mod workflow;

pub(crate) use companies::COMPANIES;

piton::blueprint!("/api");
