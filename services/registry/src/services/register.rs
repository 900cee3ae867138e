//! The client of the state's register of companies.
//!
//! The register is queried over HTTP in the form of BrasilAPI (`GET <url>/19131243000197`). On a
//! developer's machine without an address, made-up companies are returned, which are always the same.

use std::future::Future;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use piton::config::{HttpUrl, Reader};
use piton::prelude::*;

use crate::converters::{self, Cnpj};
use crate::seed;

/// The future of a company in a register, or of `None` if it is unknown there.
pub type RegisterFuture<'a> =
    Pin<Box<dyn Future<Output = Result<Option<RegisteredCompany>>> + Send + 'a>>;

/// A register in which companies can be found by their CNPJ.
pub trait FindCompany: Send + Sync + 'static {
    /// Returns the company with this CNPJ.
    fn find(&self, cnpj: Cnpj) -> RegisterFuture<'_>;
}

/// A company in the register.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RegisteredCompany {
    /// The company's CNPJ.
    pub cnpj: Cnpj,
    /// The name under which it is registered.
    pub name: String,
    /// The name under which it trades, if it has another one.
    pub trade_name: Option<String>,
    /// The state in which it is registered; absent for companies abroad.
    pub state: Option<converters::State>,
    /// The status of its registration, in the register's own terms, such as `ATIVA`.
    pub standing: Option<String>,
    /// The names of its partners.
    pub partners: Vec<String>,
}

/// The register of companies: the one that the settings name, or a double.
#[derive(Clone)]
pub struct CompanyRegister(Arc<dyn FindCompany>);

impl CompanyRegister {
    /// Queries `register`.
    #[must_use]
    pub fn new(register: impl FindCompany) -> Self {
        Self(Arc::new(register))
    }

    /// Queries the register that the settings name.
    #[must_use]
    pub fn as_configured() -> Self {
        Self::new(ConfiguredRegister)
    }

    /// Returns the company with this CNPJ.
    ///
    /// # Errors
    /// 404 if the register does not know it, or no register is configured; 502 if the register gives
    /// no usable response, 503 if it is unavailable.
    pub async fn find(&self, cnpj: Cnpj) -> Result<RegisteredCompany> {
        let unknown = || Error::not_found(format!("the register knows no company {cnpj}"));
        self.0.find(cnpj).await?.ok_or_else(unknown)
    }
}

/// The register of companies.
#[derive(Clone, Debug, Settings)]
#[setting(check = Self::check)]
pub struct RegisterSettings {
    /// The address of the register, in the form of BrasilAPI's, such as
    /// `https://brasilapi.com.br/api/cnpj/v1`. **Default: none; on a developer's machine made-up
    /// companies are returned then.**
    pub url: Option<HttpUrl>,
    /// The time for which its responses are cached; at most ten minutes if it does not know the
    /// company. Companies change rarely, and the register limits our requests. **Default: `1day`.**
    #[setting(max = "365days")]
    pub remember: Duration,
}

impl Default for RegisterSettings {
    fn default() -> Self {
        Self { url: None, remember: Duration::from_secs(24 * 60 * 60) }
    }
}

impl RegisterSettings {
    fn check(&self, from: &mut Reader<'_>) {
        if self.url.as_ref().is_some_and(HttpUrl::has_query) {
            let why = "it has a query (`?`), and the CNPJ is added to its path";
            from.refuse("url", why, "https://brasilapi.com.br/api/cnpj/v1");
        }
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
