//! The register of companies that the state keeps: what does it know of a CNPJ?
//!
//! It is asked over HTTP in the form of BrasilAPI (`GET <url>/19131243000197`). On a developer's machine
//! where no address is set, a register answers that is made up and always says the same.

use std::future::Future;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use piton::config::{HttpUrl, Reader};
use piton::prelude::*;

use crate::converters::{self, Cnpj};
use crate::seed;

/// What a register answers: a company, or that it knows none of that number.
pub type Found<'a> = Pin<Box<dyn Future<Output = Result<Option<Registered>>> + Send + 'a>>;

/// Knows companies by their number.
pub trait Register: Send + Sync + 'static {
    /// The company with that number.
    fn find(&self, cnpj: Cnpj) -> Found<'_>;
}

/// A company as the register knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Registered {
    /// Its number.
    pub cnpj: Cnpj,
    /// The name that it is registered by.
    pub name: String,
    /// The name that it trades by, where it has another.
    pub trade_name: Option<String>,
    /// Where it is registered; not said of companies abroad.
    pub state: Option<converters::State>,
    /// Whether it is in business, in the register's own words, such as `ATIVA`.
    pub standing: Option<String>,
    /// Who holds it.
    pub partners: Vec<String>,
}

/// The register that companies are looked up in: that of the settings, or a double.
#[derive(Clone)]
pub struct LookUp(Arc<dyn Register>);

impl LookUp {
    /// Asks `register`.
    #[must_use]
    pub fn new(register: impl Register) -> Self {
        Self(Arc::new(register))
    }

    /// Asks the register that the settings name.
    #[must_use]
    pub fn as_configured() -> Self {
        Self::new(AsConfigured)
    }

    /// The company with that number.
    ///
    /// # Errors
    /// 404 if the register knows none, or none is configured; 502 and 503 if it does not answer as it
    /// should.
    pub async fn find(&self, cnpj: Cnpj) -> Result<Registered> {
        let unknown = || Error::not_found(format!("the register knows no company {cnpj}"));
        self.0.find(cnpj).await?.ok_or_else(unknown)
    }
}

/// The register of companies.
#[derive(Clone, Debug, Settings)]
#[setting(check = Self::check)]
pub struct RegisterSettings {
    /// The address of the register, in the form of BrasilAPI's, such as
    /// `https://brasilapi.com.br/api/cnpj/v1`. **Default: none; on a developer's machine one answers
    /// then that is made up.**
    pub url: Option<HttpUrl>,
    /// How long its answers are remembered, ten minutes at most those where it knows no company.
    /// Companies change seldom, and it counts our questions. **Default: `1day`.**
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
            let why = "it has a query (`?`), and numbers are added to its path";
            from.refuse("url", why, "https://brasilapi.com.br/api/cnpj/v1");
        }
    }
}

/// The one that the settings of the running app name.
struct AsConfigured;

impl Register for AsConfigured {
    fn find(&self, cnpj: Cnpj) -> Found<'_> {
        Box::pin(async move {
            let app = piton::app();
            let settings = app.state::<RegisterSettings>().unwrap_or_default();
            match settings.url {
                Some(url) => {
                    remembered(&app.external(), url.as_str(), cnpj, settings.remember).await
                }
                None if app.environment().is_local() => Ok(seed::known_elsewhere(cnpj)),
                None => Err(Error::not_found("no register of companies is configured here")),
            }
        })
    }
}

/// A company in the form of BrasilAPI, as far as we look at it.
#[derive(Deserialize)]
struct Entry {
    razao_social: String,
    nome_fantasia: Option<String>,
    uf: Option<String>,
    descricao_situacao_cadastral: Option<String>,
    #[serde(default)]
    qsa: Option<Vec<Holder>>,
}

#[derive(Deserialize)]
struct Holder {
    nome_socio: Option<String>,
}

/// What it does not know may be a new company, and is soon asked again.
const UNKNOWN: Duration = Duration::from_secs(600);

/// The register's answer, asked once however many want it. It is remembered under the register's own
/// address: another one may say something else.
async fn remembered(
    external: &External,
    url: &str,
    cnpj: Cnpj,
    remember: Duration,
) -> Result<Option<Registered>> {
    let mut which = DefaultHasher::new();
    url.hash(&mut which);
    let entry = piton::cache::entry(format!("register:{:x}:{cnpj}", which.finish()));
    let ask = async || {
        let found = over_http(external, url, cnpj).await;
        Ok((!matches!(found, Ok(None)), found?))
    };
    let (is_known, found) =
        entry.clone().ttl(remember).get_or_insert_with::<_, Error, _, _>(ask).await?;
    if !is_known {
        entry.ttl(remember.min(UNKNOWN)).set(&(true, None::<Registered>)).await;
    }
    Ok(found)
}

async fn over_http(external: &External, url: &str, cnpj: Cnpj) -> Result<Option<Registered>> {
    let url = format!("{}/{cnpj}", url.trim_end_matches('/'));
    let answer = external.get(&url).send().await?;
    if answer.status() == StatusCode::NOT_FOUND {
        return Ok(None);
    }
    let entry: Entry = answer.error_for_status()?.json().await?;
    if entry.razao_social.trim().is_empty() {
        return Err(Error::new(
            StatusCode::BAD_GATEWAY,
            "the register gave a company without a name",
        ));
    }
    Ok(Some(entry.company(cnpj)))
}

impl Entry {
    fn company(self, cnpj: Cnpj) -> Registered {
        let said = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
        let holders = self.qsa.unwrap_or_default();
        Registered {
            cnpj,
            name: self.razao_social,
            trade_name: said(self.nome_fantasia),
            state: self.uf.and_then(|uf| uf.parse().ok()),
            standing: said(self.descricao_situacao_cadastral),
            partners: holders.into_iter().filter_map(|holder| said(holder.nome_socio)).collect(),
        }
    }
}
