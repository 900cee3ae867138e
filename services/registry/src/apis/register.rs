//! The route of the state's register.

use piton::prelude::*;

use crate::converters::Cnpj;
use crate::services::register::{CompanyRegister, RegisteredCompany};

piton::blueprint!("/register", tag = "register");

/// Looks up a company in the state's register.
///
/// The company need not be registered here. Responses are cached for a day.
#[get("/{cnpj}")]
#[protected(api_key, scope = "companies:read")]
#[errors(
    404 = "The register knows no company with this CNPJ.",
    502 = "The register gave no usable response."
)]
pub async fn look_up(
    State(register): State<CompanyRegister>,
    _: External,
    Path(cnpj): Path<Cnpj>,
) -> Result<Json<RegisteredCompany>> {
    Ok(Json(register.find(cnpj).await?))
}
