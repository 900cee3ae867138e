//! [`Ses`]: the part that sends mail.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_sesv2::Client;
use aws_sdk_sesv2::config::retry::RetryConfig;
use tokio::sync::OnceCell;
use tokio::time::sleep;

use super::email::Email;
use super::settings::SesSettings;
use crate::aws::health::AwsHealth;
use crate::aws::sdk_config::AwsConfig;
use crate::aws::setting_names::SettingNames;
use crate::aws::settings::non_empty;
use crate::aws::{Error, Kind};
use crate::handle::Handle;
use crate::part::{self, Health, Launch, Part};
use crate::support::backoff::{JITTER, with_jitter};

/// Delays, before jitter, ahead of the second and the third attempt to send a mail that was throttled.
const RETRY_DELAYS: [Duration; 2] = [Duration::from_millis(250), Duration::from_secs(1)];

/// Sends mail by Amazon SES. Cheap to clone; every clone uses the same connections.
///
/// The client is created and credentials are loaded at the first use.
#[derive(Clone)]
pub struct Ses(Arc<Inner>);

struct Inner {
    config: AwsConfig,
    from: Option<String>,
    client: OnceCell<Client>,
    health: AwsHealth,
}

impl Ses {
    /// Sends a mail, and returns its message id. Retried only if SES reports that the mail was not sent
    /// (throttling), so that nobody gets it twice.
    ///
    /// # Errors
    /// By [`Error::kind`]: [`Kind::Invalid`] if the mail breaks a rule, the sender is not verified
    /// or the template is wrong; [`Kind::NotFound`] if there is no such template;
    /// [`Kind::Unavailable`] if SES did not respond: the mail may have been sent;
    /// [`Kind::Throttled`], [`Kind::Denied`], [`Kind::Misconfigured`]: it was not sent.
    pub async fn send(&self, email: Email) -> Result<String, Error> {
        self.0.config.require_configured()?;
        let reply_to = email.reply_to_addresses()?;
        let (from, destination, content) = email.into_parts(self.0.from.as_deref())?;
        let call = self.client().await.send_email();
        let call = call.from_email_address(from).destination(destination).content(content);
        let call = call.set_reply_to_addresses(reply_to);
        let mut delays = RETRY_DELAYS.into_iter();
        loop {
            // The SDK's own retries are off, because they would send a mail again after a timeout.
            let once = aws_sdk_sesv2::Config::builder().retry_config(RetryConfig::disabled());
            // Boxed, because the SDK's future is several KiB large and would be part of every caller's.
            let sent = Box::pin(call.clone().customize().config_override(once).send()).await;
            match self.0.health.record(sent, || "send a mail".to_owned()) {
                Ok(sent) => return Ok(sent.message_id.unwrap_or_default()),
                Err(error) => match delays.next().filter(|_| error.kind() == Kind::Throttled) {
                    Some(delay) => sleep(with_jitter(delay, &JITTER)).await,
                    None => return Err(error),
                },
            }
        }
    }

    /// Returns the default sender, `ses.from`.
    #[must_use]
    pub fn sender(&self) -> Option<&str> {
        self.0.from.as_deref()
    }

    /// Returns the client of the AWS SDK, for calls that this module does not have.
    pub async fn client(&self) -> &Client {
        self.0.client.get_or_init(|| async { Client::new(&self.0.config.load().await) }).await
    }
}

impl Part for Ses {
    const NAME: &'static str = "ses";
    type Settings = SesSettings;

    async fn start(settings: SesSettings, launch: &Launch) -> Result<Self, part::Error> {
        let config = AwsConfig::new(&settings.aws, "ses", launch);
        Ok(Self(Arc::new(Inner {
            health: AwsHealth::new(SettingNames::new("ses", launch), &config),
            config,
            from: non_empty(&settings.from, |from| from),
            client: OnceCell::new(),
        })))
    }

    async fn health(&self) -> Health {
        self.0.health.health()
    }
}

crate::part!(Ses);

impl Handle {
    /// Returns the SES client, as a handler's argument `ses: Ses` does.
    ///
    /// # Panics
    /// If no route or part needs it; see [`Handle::part`].
    #[must_use]
    #[track_caller]
    pub fn ses(&self) -> Ses {
        self.part::<Ses>()
    }
}

impl std::fmt::Debug for Ses {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Ses").field(&self.0.config).finish()
    }
}
