//! The routes of reports, which are made in the background.

use piton::prelude::*;
use piton::tasks::Accepted;

use crate::tasks::export::export;
use crate::tasks::state_report;

piton::blueprint!("/reports", tag = "reports");

/// Counts the companies of every state.
///
/// The response has the address of the task, whose result is the report.
#[post("/states")]
#[protected(api_key, scope = "companies:read")]
pub async fn states() -> Result<Accepted> {
    Ok(state_report::send().await?.accepted())
}

/// Exports all companies to a CSV file on the server, as each night.
///
/// The response has the address of the task, which tells how far it is.
#[post("/export")]
#[protected(api_key, scope = "companies:write")]
pub async fn export_now() -> Result<Accepted> {
    Ok(export::delay().await?.accepted())
}
