//! The route that brings a company up to date with the state's register.

use piton::prelude::*;
use piton::tasks::Accepted;

use crate::converters::Cnpj;
use crate::repositories::companies;
use crate::tasks::enrich::enrich;

piton::blueprint!("/companies", tag = "companies");

/// Enriches a company from the state's register.
///
/// The register is asked in the background: the response has the address of the task, which tells when it has ended.
#[post("/{cnpj}/enrich")]
#[protected(api_key, scope = "companies:write")]
#[errors(404 = "No company with this CNPJ is registered.")]
pub async fn start(db: Db, Path(cnpj): Path<Cnpj>) -> Result<Accepted> {
    let company = companies::find(&db, cnpj).await?;
    Ok(enrich::delay(company.cnpj).await?.accepted())
}
