//! The section `[ashirt]`.

use std::time::Duration;

use piton::config::{ByteSize, HttpUrl, Reader};
use piton::prelude::*;
use piton::secrecy::{ExposeSecret, SecretString};

use crate::ashirt::{self, AccessKey, BaseUrl, SecretKey};

/// The ASHIRT that the worker works for.
#[derive(Clone, Settings)]
#[setting(check = Self::check)]
pub struct AshirtSettings {
    /// Where its backend is, such as `http://backend:3000`, without a slash at the end.
    /// **Default: none, and one is needed.**
    #[setting(alias = "ASHIRT_BACKEND_URL")]
    pub backend_url: Option<String>,
    /// The access key of the user that the worker is there: of a headless one, who may see every
    /// operation. **Default: none, and one is needed.**
    #[setting(alias = "ASHIRT_ACCESS_KEY")]
    pub access_key: Option<String>,
    /// The secret that belongs to the access key, in base64 as ASHIRT shows it.
    /// **Default: none, and one is needed.**
    #[setting(alias = "ASHIRT_SECRET_KEY")]
    pub secret_key: Option<SecretString>,
    /// How long a request may take: to the end of its answer, of media to its beginning.
    /// **Default: `30s`.**
    #[setting(max = "1day")]
    pub timeout: Duration,
    /// How long media may take in all. **Default: `5m`.**
    #[setting(max = "1day")]
    pub media_timeout: Duration,
    /// How large media may be; what is larger is rejected. It is looked at as it arrives, so that this
    /// bounds time and not memory. **Default: `64MiB`.**
    #[setting(max = "1TiB")]
    pub media_limit: ByteSize,
    /// How often a request is made again that may be. **Default: `2`.**
    #[setting(max = 100)]
    pub retries: u32,
}

impl Default for AshirtSettings {
    fn default() -> Self {
        Self {
            backend_url: None,
            access_key: None,
            secret_key: None,
            timeout: Duration::from_secs(30),
            media_timeout: Duration::from_secs(5 * 60),
            media_limit: ByteSize::mib(64),
            retries: 2,
        }
    }
}

impl AshirtSettings {
    /// Everything that is wrong, at once: the Python worker noticed when it was asked for something.
    fn check(&self, reader: &mut Reader<'_>) {
        if let Err(refused) = self.url() {
            reader.refuse("backend_url", refused.why, refused.fix);
        }
        if let Err(refused) = self.access_key() {
            reader.refuse("access_key", refused.why, refused.fix);
        }
        if let Err(refused) = self.secret_key() {
            reader.refuse("secret_key", refused.why, refused.fix);
        }
        for (name, limit) in [("timeout", self.timeout), ("media_timeout", self.media_timeout)] {
            if limit.is_zero() {
                reader.refuse(name, "no answer is as quick", format!("{name} = \"30s\""));
            }
        }
        if self.media_limit.as_u64() == 0 {
            reader.refuse("media_limit", "no media is as small", "media_limit = \"64MiB\"");
        }
    }

    /// What the client needs to know; `None` where a check has said why not.
    pub(super) fn client(&self, user_agent: String) -> Option<ashirt::Settings> {
        let (url, access_key) = (self.url().ok()?, self.access_key().ok()?);
        let mut settings = ashirt::Settings::new(url, access_key, self.secret_key().ok()?);
        settings.user_agent = user_agent;
        settings.timeout = self.timeout;
        settings.media_timeout = self.media_timeout;
        settings.media_limit = self.media_limit.as_u64();
        settings.retries = self.retries;
        Some(settings)
    }

    fn url(&self) -> Result<BaseUrl, RejectedSetting> {
        let url = non_empty(self.backend_url.as_deref()).ok_or_else(|| RejectedSetting {
            why: "nothing says where ASHIRT's backend is".into(),
            fix: "ASHIRT_BACKEND_URL=http://backend:3000".into(),
        })?;
        // What has more to it than a slash too many may hold a password.
        let plain =
            |bare: &&str| bare.parse::<BaseUrl>().is_ok() && bare.parse::<HttpUrl>().is_ok();
        let bare = Some(url.trim_end_matches('/')).filter(plain);
        let fix = format!("ASHIRT_BACKEND_URL={}", bare.unwrap_or("http://backend:3000"));
        let base = url
            .parse()
            .map_err(|error| RejectedSetting { why: chain(&error), fix: fix.clone() })?;
        // The HTTP client accepts addresses that cannot be connected to, such as port 0 or several
        // hosts.
        match url.parse::<HttpUrl>() {
            Ok(_) => Ok(base),
            Err(error) => Err(RejectedSetting { why: error.to_string(), fix }),
        }
    }

    fn access_key(&self) -> Result<AccessKey, RejectedSetting> {
        let fix = "take it from ASHIRT: Admin, User Management, the headless user, API keys";
        let key = non_empty(self.access_key.as_deref()).ok_or_else(|| RejectedSetting {
            why: "requests cannot be signed without an access key".into(),
            fix: format!("set ASHIRT_ACCESS_KEY; {fix}"),
        })?;
        key.parse().map_err(|error| RejectedSetting { why: chain(&error), fix: fix.into() })
    }

    fn secret_key(&self) -> Result<SecretKey, RejectedSetting> {
        let fix = "88 characters of base64 with `=` at the end, as ASHIRT showed it beside the access key";
        let key = non_empty(self.secret_key.as_ref().map(ExposeSecret::expose_secret));
        let key = key.ok_or_else(|| RejectedSetting {
            why: "requests cannot be signed without a secret key".into(),
            fix: format!("set ASHIRT_SECRET_KEY, or ASHIRT_SECRET_KEY_FILE: {fix}"),
        })?;
        key.parse().map_err(|error| RejectedSetting { why: chain(&error), fix: fix.into() })
    }
}

/// Why a setting cannot be taken.
struct RejectedSetting {
    why: String,
    fix: String,
}

/// Empty text is none.
fn non_empty(text: Option<&str>) -> Option<&str> {
    text.filter(|text| !text.is_empty())
}

/// An error with its causes.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
