//! Settings of the client: address, keys, timeouts and limits.

use std::time::Duration;

use super::api_keys::{AccessKey, SecretKey};
use super::request_target::BaseUrl;

/// Settings of a [`Client`](super::Client). Address and keys have no default.
///
/// ```
/// # use ashirt_worker::ashirt::{Client, Error, Settings};
/// # use std::time::Duration;
/// let mut settings = Settings::new(
///     "http://backend:3000".parse()?,
///     "gR6nVtaQmp2SvzIqLUWdedDk".parse()?,
///     "c2VjcmV0".parse()?,
/// );
/// settings.timeout = Duration::from_secs(10);
/// let client = Client::new(settings)?;
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Settings {
    /// Address of the backend.
    pub url: BaseUrl,
    /// Access key of a headless user.
    pub access_key: AccessKey,
    /// Secret key of that user.
    pub secret_key: SecretKey,
    /// Value of the header `User-Agent`. **Default: `ashirt-client`.**
    pub user_agent: String,
    /// Maximum duration of an attempt, up to the end of the response, or for media up to its
    /// beginning. **Default: `30s`.**
    pub timeout: Duration,
    /// Maximum duration of connecting. **Default: `5s`.**
    pub connect_timeout: Duration,
    /// Maximum time between two chunks of a response. **Default: `15s`.**
    pub idle_timeout: Duration,
    /// Maximum duration of a media download, from the request to the last byte. **Default:
    /// `5min`.**
    pub media_timeout: Duration,
    /// Maximum size in bytes of a response that is not media. **Default: 4 MiB.**
    pub answer_limit: u64,
    /// Maximum size of media in bytes. **Default: 64 MiB.**
    pub media_limit: u64,
    /// Maximum number of retries of a call that may be repeated. **Default: 2.**
    pub retries: u32,
    /// Delay before the first retry; it doubles with each further one. **Default: `200ms`.**
    pub backoff: Duration,
    /// Set if the path in `url` is part of the signature: right unless a proxy removes it before
    /// the backend sees it. **Default: true.**
    pub sign_prefix: bool,
    /// Certificates (PEM) of authorities to trust in addition to those of the machine. **Default:
    /// none.**
    pub authorities: Vec<u8>,
}

impl Settings {
    /// Creates the default settings for this backend and these keys.
    #[must_use]
    pub fn new(url: BaseUrl, access_key: AccessKey, secret_key: SecretKey) -> Self {
        Self {
            url,
            access_key,
            secret_key,
            user_agent: "ashirt-client".to_owned(),
            timeout: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(5),
            idle_timeout: Duration::from_secs(15),
            media_timeout: Duration::from_secs(300),
            answer_limit: 4 << 20,
            media_limit: 64 << 20,
            retries: 2,
            backoff: Duration::from_millis(200),
            sign_prefix: true,
            authorities: Vec::new(),
        }
    }
}
