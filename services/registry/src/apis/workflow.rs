//! Cards of the work-flow tool.

use piton::prelude::*;

use crate::converters::Cnpj;
use crate::repositories::companies;
use crate::services::workflow::{Card, Workflow};

piton::blueprint!("/companies", tag = "companies");

/// Opens a card for a company.
///
/// In the work-flow tool, where people go on with it.
#[post("/{cnpj}/card")]
#[protected(api_key, scope = "companies:write")]
#[errors(
    404 = "No company with this CNPJ is registered, or no work-flow tool is configured.",
    502 = "The work-flow tool made no card."
)]
pub async fn open(
    db: Db,
    State(workflow): State<Workflow>,
    _: External,
    Path(cnpj): Path<Cnpj>,
) -> Result<Created<Json<Card>>> {
    let company = companies::find(&db, cnpj).await?;
    let card = workflow.open(&company).await?;
    // Where people see it, as far as a header can say that.
    let can_be_said = !card.url.is_empty() && card.url.chars().all(|c| c.is_ascii_graphic());
    let there = if can_be_said { card.url.clone() } else { format!("/api/companies/{cnpj}") };
    Ok(Created::at(there, Json(card)))
}
