//! Brings a company up to date with the state's register.

use piton::prelude::*;

use crate::apis::COMPANIES;
use crate::converters::Cnpj;
use crate::models::{Company, Partner};
use crate::repositories::companies;
use crate::services::register::{CompanyRegister, RegisteredCompany};

/// The result of [`enrich()`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Enriched {
    /// The company's CNPJ.
    pub cnpj: Cnpj,
    /// True if the register knew something new.
    pub changed: bool,
    /// The company's revision afterwards.
    pub revision: i64,
}

/// Takes a company's name, state and partners from the state's register. Running it again changes nothing, so that it
/// may run more than once.
#[task(name = "registry.enrich", retries = 5, backoff = "2s", max_backoff = "5m", timeout = "30s")]
pub async fn enrich(
    #[part] db: Db,
    #[part] cache: Cache,
    #[part] State(register): State<CompanyRegister>,
    #[part] _external: External,
    cnpj: Cnpj,
) -> task::Result<Enriched> {
    let before = companies::find(&db, cnpj).await.map_err(unless_unknown)?;
    let found = register.find(cnpj).await.map_err(unless_unknown)?;
    let change = move |company: &Company| Ok(merge(company, found));
    let work = async move { companies::update(&db, cnpj, change).await };
    let after = cache.invalidating([COMPANIES], work).await?;
    let changed = after.revision != before.revision;
    Ok(Enriched { cnpj, changed, revision: after.revision })
}

/// Fails at once where another attempt would find as little.
fn unless_unknown(error: Error) -> task::Error {
    match error.detail() {
        Some(detail) if error.status() == StatusCode::NOT_FOUND => {
            task::Error::reject(detail.to_owned())
        }
        _ => error.into(),
    }
}

/// Returns the company with what the register knows. Partners that are known here are kept, because the register
/// tells neither their CPF nor their share.
fn merge(company: &Company, found: RegisteredCompany) -> Company {
    let partner = |name| Partner { name, cpf: None, share: None };
    let partners = found.partners.into_iter().map(partner).collect::<Vec<_>>();
    let found_partners = Some(partners).filter(|partners| !partners.is_empty());
    Company {
        name: found.name,
        state: found.state.unwrap_or(company.state),
        partners: company.partners.clone().or(found_partners),
        ..company.clone()
    }
}
