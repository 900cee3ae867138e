//! The work in the background.

pub mod enrich;
pub mod export;
pub mod state_report;
