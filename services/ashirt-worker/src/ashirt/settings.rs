//! Where the backend is, who asks, and how long and how much to wait for.

use std::time::Duration;

use super::api_keys::{AccessKey, SecretKey};
use super::request_target::BaseUrl;

/// What a [`Client`](super::Client) needs to know. Three things have no default.
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
    /// Where the backend is.
    pub url: BaseUrl,
    /// The access key of a headless user.
    pub access_key: AccessKey,
    /// Its secret key.
    pub secret_key: SecretKey,
    /// What the client calls itself. **Default: `ashirt-client`.**
    pub user_agent: String,
    /// How long an attempt may take: to the end of the answer, or for media to its beginning. **Default: `30s`.**
    pub timeout: Duration,
    /// How long it may take to connect. **Default: `5s`.**
    pub connect_timeout: Duration,
    /// How long nothing of an answer may come after it has begun. **Default: `15s`.**
    pub idle_timeout: Duration,
    /// How long media may take from the request to its last byte. **Default: `5min`.**
    pub media_timeout: Duration,
    /// How many bytes an answer may have that is no media. **Default: 4 MiB.**
    pub answer_limit: u64,
    /// How many bytes media may have. **Default: 64 MiB.**
    pub media_limit: u64,
    /// How often to ask again what failed and may be asked twice. **Default: 2.**
    pub retries: u32,
    /// How long to wait before the first time; each further time twice as long. **Default: `200ms`.**
    pub backoff: Duration,
    /// Whether the path in `url` is signed with the rest, which is right unless a proxy takes it away before
    /// the backend sees it. **Default: true.**
    pub sign_prefix: bool,
    /// Certificates (PEM) of authorities that are trusted besides those of the machine. **Default: none.**
    pub authorities: Vec<u8>,
}

impl Settings {
    /// The defaults, for this backend and these keys.
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
