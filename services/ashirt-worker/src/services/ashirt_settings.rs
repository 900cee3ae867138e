//! Settings of the section `[ashirt]`.

use std::time::Duration;

use piton::config::{ByteSize, HttpUrl, Reader};
use piton::prelude::*;
use piton::secrecy::{ExposeSecret, SecretString};

use crate::ashirt::{self, AccessKey, BaseUrl, SecretKey};

/// Settings of the connection to ASHIRT's backend.
#[derive(Clone, Settings)]
#[setting(check = Self::check)]
pub struct AshirtSettings {
    /// URL of the backend, such as `http://backend:3000`, without a trailing slash. **Default:
    /// none; required.**
    #[setting(alias = "ASHIRT_BACKEND_URL")]
    pub backend_url: Option<String>,
    /// Access key of the worker's user in ASHIRT: a headless user who may see every operation.
    /// **Default: none; required.**
    #[setting(alias = "ASHIRT_ACCESS_KEY")]
    pub access_key: Option<String>,
    /// Secret key that belongs to the access key, in base64 as ASHIRT shows it. **Default: none;
    /// required.**
    #[setting(alias = "ASHIRT_SECRET_KEY")]
    pub secret_key: Option<SecretString>,
    /// Maximum duration of a request, up to the end of the response, or for media up to its
    /// beginning. **Default: `30s`.**
    #[setting(max = "1day")]
    pub timeout: Duration,
    /// Maximum duration of a media download. **Default: `5m`.**
    #[setting(max = "1day")]
    pub media_timeout: Duration,
    /// Maximum size of media; evidence with larger media is rejected. Media is processed as it
    /// arrives, so this bounds time rather than memory. **Default: `64MiB`.**
    #[setting(max = "1TiB")]
    pub media_limit: ByteSize,
    /// Maximum number of retries of a request that may be repeated. **Default: `2`.**
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
    /// Reports all problems at once, at launch. The Python worker noticed them only at its first
    /// request.
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
                reader.refuse(name, "it must be greater than zero", format!("{name} = \"30s\""));
            }
        }
        if self.media_limit.as_u64() == 0 {
            reader.refuse("media_limit", "it must be greater than zero", "media_limit = \"64MiB\"");
        }
    }

    /// Returns the client's settings, or `None` if they are invalid: `check` has reported the
    /// reason then.
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
            why: "the URL of ASHIRT's backend is missing".into(),
            fix: "ASHIRT_BACKEND_URL=http://backend:3000".into(),
        })?;
        // The configured URL is suggested only if removing a slash makes it valid, because anything
        // else in it may be a password.
        let plain =
            |bare: &&str| bare.parse::<BaseUrl>().is_ok() && bare.parse::<HttpUrl>().is_ok();
        let bare = Some(url.trim_end_matches('/')).filter(plain);
        let fix = format!("ASHIRT_BACKEND_URL={}", bare.unwrap_or("http://backend:3000"));
        let base = url
            .parse()
            .map_err(|error| RejectedSetting { why: chain(&error), fix: fix.clone() })?;
        // Checked as well, because the HTTP client accepts addresses that cannot be connected to,
        // such as port 0 or several hosts.
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

/// A setting that is not valid: the reason and the fix.
struct RejectedSetting {
    why: String,
    fix: String,
}

/// Treats empty text as missing.
fn non_empty(text: Option<&str>) -> Option<&str> {
    text.filter(|text| !text.is_empty())
}

/// Formats an error with its causes, separated by colons.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
