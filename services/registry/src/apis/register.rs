//! What the register of the state knows of a company.

use piton::prelude::*;

use crate::converters::Cnpj;
use crate::services::register::{LookUp, Registered};

piton::blueprint!("/register", tag = "register");

/// Looks a company up in the register.
///
/// Whether or not it is registered here. Answers are remembered for a day.
#[get("/{cnpj}")]
#[protected(api_key, scope = "companies:read")]
#[errors(
    404 = "The register knows no company with this CNPJ.",
    502 = "The register gave no usable answer."
)]
pub async fn look_up(
    State(look_up): State<LookUp>,
    _: External,
    Path(cnpj): Path<Cnpj>,
) -> Result<Json<Registered>> {
    Ok(Json(look_up.find(cnpj).await?))
}
