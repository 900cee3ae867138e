//! The route that creates cards in the workflow tool.

use piton::prelude::*;

use crate::converters::Cnpj;
use crate::repositories::companies;
use crate::services::workflow::{Card, Workflow};

piton::blueprint!("/companies", tag = "companies");

/// Creates a card for a company.
///
/// The card is created in the workflow tool, with the company's data in its fields.
#[post("/{cnpj}/card")]
#[protected(api_key, scope = "companies:write")]
#[errors(
    404 = "No company with this CNPJ is registered, or no workflow tool is configured.",
    502 = "The workflow tool created no card."
)]
pub async fn open(
    db: Db,
    State(workflow): State<Workflow>,
    _: External,
    Path(cnpj): Path<Cnpj>,
) -> Result<Created<Json<Card>>> {
    let company = companies::find(&db, cnpj).await?;
    let card = workflow.open(&company).await?;
    // The company's address otherwise, because a header cannot hold every URL.
    let fits_header = !card.url.is_empty() && card.url.chars().all(|c| c.is_ascii_graphic());
    let location = if fits_header { card.url.clone() } else { format!("/api/companies/{cnpj}") };
    Ok(Created::at(location, Json(card)))
}
