//! The client of the state's register of companies.
//!
//! The register is queried over HTTP in the form of BrasilAPI (`GET <url>/19131243000197`). On a
//! developer's machine without an address, made-up companies are returned, which are always the same.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use piton::prelude::*;

use super::register::{
    CompanyRegister, FindCompany, RegisterFuture, RegisterSettings, RegisteredCompany,
};
use crate::converters::Cnpj;
use crate::seed;

impl CompanyRegister {
    /// Queries the register that the settings name.
    #[must_use]
    pub fn as_configured() -> Self {
        Self::new(ConfiguredRegister)
    }
}

/// The register that the settings of the running app name.
struct ConfiguredRegister;

impl FindCompany for ConfiguredRegister {
    fn find(&self, cnpj: Cnpj) -> RegisterFuture<'_> {
        Box::pin(async move {
            let app = piton::app();
            let settings = app.state::<RegisterSettings>().unwrap_or_default();
            match settings.url {
                Some(url) => {
                    find_cached(&app.external(), url.as_str(), cnpj, settings.remember).await
                }
                None if app.environment().is_local() => Ok(seed::made_up_register_entry(cnpj)),
                None => Err(Error::not_found("no register of companies is configured here")),
            }
        })
    }
}

/// A company in the form of BrasilAPI: the fields that are used.
#[derive(Deserialize)]
struct BrasilApiCompany {
    razao_social: String,
    nome_fantasia: Option<String>,
    uf: Option<String>,
    descricao_situacao_cadastral: Option<String>,
    #[serde(default)]
    qsa: Option<Vec<BrasilApiPartner>>,
}

#[derive(Deserialize)]
struct BrasilApiPartner {
    nome_socio: Option<String>,
}

/// The time for which unknown companies are cached. It is short, because they may be new.
const UNKNOWN_TTL: Duration = Duration::from_secs(600);

/// Returns the register's response from the cache, or queries it once for all concurrent callers. The
/// key includes the register's address, because another register may respond differently.
async fn find_cached(
    external: &External,
    url: &str,
    cnpj: Cnpj,
    remember: Duration,
) -> Result<Option<RegisteredCompany>> {
    let mut address = DefaultHasher::new();
    url.hash(&mut address);
    let entry = piton::cache::entry(format!("register:{:x}:{cnpj}", address.finish()));
    let query = async || {
        let found = fetch(external, url, cnpj).await;
        Ok((!matches!(found, Ok(None)), found?))
    };
    let (is_known, found) =
        entry.clone().ttl(remember).get_or_insert_with::<_, Error, _, _>(query).await?;
    if !is_known {
        entry.ttl(remember.min(UNKNOWN_TTL)).set(&(true, None::<RegisteredCompany>)).await;
    }
    Ok(found)
}

async fn fetch(external: &External, url: &str, cnpj: Cnpj) -> Result<Option<RegisteredCompany>> {
    let url = format!("{}/{cnpj}", url.trim_end_matches('/'));
    let response = external.get(&url).send().await?;
    if response.status() == StatusCode::NOT_FOUND {
        return Ok(None);
    }
    let entry: BrasilApiCompany = response.error_for_status()?.json().await?;
    if entry.razao_social.trim().is_empty() {
        return Err(Error::new(
            StatusCode::BAD_GATEWAY,
            "the register returned a company without a name",
        ));
    }
    Ok(Some(entry.company(cnpj)))
}

impl BrasilApiCompany {
    fn company(self, cnpj: Cnpj) -> RegisteredCompany {
        let not_blank = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
        let partners = self.qsa.unwrap_or_default();
        RegisteredCompany {
            cnpj,
            name: self.razao_social,
            trade_name: not_blank(self.nome_fantasia),
            state: self.uf.and_then(|uf| uf.parse().ok()),
            standing: not_blank(self.descricao_situacao_cadastral),
            partners: partners
                .into_iter()
                .filter_map(|partner| not_blank(partner.nome_socio))
                .collect(),
        }
    }
}
