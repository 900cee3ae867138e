//! The state's register of companies: what the service needs of it, and its settings.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use piton::config::{HttpUrl, Reader};
use piton::prelude::*;

use crate::converters::{self, Cnpj};

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
