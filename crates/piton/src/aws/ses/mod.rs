//! Mail by Amazon.
//!
//! ```no_run
//! use piton::aws::ses::{Email, Ses};
//! use piton::prelude::*;
//!
//! /// Thanks for an order.
//! #[post("/thanks")]
//! async fn thank(ses: Ses) -> Result<NoContent> {
//!     let email = Email::new().to("ada@example.com").subject("Thank you ✓").text("Thank you.");
//!     ses.send(email).await?;
//!     Ok(NoContent)
//! }
//! # fn main() {}
//! ```

mod email;
mod mailbox;
mod settings;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_sesv2::Client;
use aws_sdk_sesv2::config::retry::RetryConfig;
use tokio::sync::OnceCell;
use tokio::time::sleep;

use super::access::{Access, given};
use super::trouble::{Help, Trouble};
use super::{Error, Kind};
use crate::handle::Handle;
use crate::part::{self, Health, Launch, Part};
use crate::support::backoff::{JITTER, with_jitter};

pub use email::{Attachment, Email};
pub use mailbox::Mailbox;
pub use settings::SesSettings;

/// Delays, before jitter, ahead of the second and the third attempt to send a mail that was throttled.
const RETRY_DELAYS: [Duration; 2] = [Duration::from_millis(250), Duration::from_secs(1)];

/// Mail by Amazon. Cheap to clone; every clone uses the same connections.
///
/// The client is made, and credentials are looked for, when it is first used.
#[derive(Clone)]
pub struct Ses(Arc<Inner>);

struct Inner {
    access: Access,
    from: Option<String>,
    client: OnceCell<Client>,
    trouble: Trouble,
}

impl Ses {
    /// Sends a mail, and returns what Amazon calls it. It is tried again only when Amazon said that it
    /// was not sent (too many at once): nobody gets it twice.
    ///
    /// # Errors
    /// By [`Error::kind`]: [`Kind::Invalid`] if the mail breaks a rule, the sender is not verified
    /// or the template is wrong; [`Kind::NotFound`] if there is no such template;
    /// [`Kind::Unavailable`] if Amazon did not answer, when it may have been sent;
    /// [`Kind::Throttled`], [`Kind::Denied`], [`Kind::Misconfigured`], when it was not.
    pub async fn send(&self, email: Email) -> Result<String, Error> {
        self.0.access.known()?;
        let reply_to = email.reply_to_addresses()?;
        let (from, destination, content) = email.into_parts(self.0.from.as_deref())?;
        let call = self.client().await.send_email();
        let call = call.from_email_address(from).destination(destination).content(content);
        let call = call.set_reply_to_addresses(reply_to);
        let mut delays = RETRY_DELAYS.into_iter();
        loop {
            let once = aws_sdk_sesv2::Config::builder().retry_config(RetryConfig::disabled());
            // Their future is large, and whoever awaits ours would carry it along.
            let sent = Box::pin(call.clone().customize().config_override(once).send()).await;
            match self.0.trouble.note(sent, || "send a mail".to_owned()) {
                Ok(sent) => return Ok(sent.message_id.unwrap_or_default()),
                Err(error) => match delays.next().filter(|_| error.kind() == Kind::Throttled) {
                    Some(delay) => sleep(with_jitter(delay, &JITTER)).await,
                    None => return Err(error),
                },
            }
        }
    }

    /// Who sends mail that does not say so: `ses.from`.
    #[must_use]
    pub fn sender(&self) -> Option<&str> {
        self.0.from.as_deref()
    }

    /// Amazon's own client, for what this room does not do.
    pub async fn client(&self) -> &Client {
        self.0.client.get_or_init(|| async { Client::new(&self.0.access.load().await) }).await
    }
}

impl Part for Ses {
    const NAME: &'static str = "ses";
    type Settings = SesSettings;

    async fn start(settings: SesSettings, launch: &Launch) -> Result<Self, part::Error> {
        let access = settings.access().of("ses", launch);
        Ok(Self(Arc::new(Inner {
            trouble: Trouble::new(Help::of("ses", launch), &access),
            access,
            from: given(&settings.from, |from| from),
            client: OnceCell::new(),
        })))
    }

    async fn health(&self) -> Health {
        self.0.trouble.health()
    }
}

crate::part!(Ses);

impl Handle {
    /// Mail by Amazon, as a handler's argument `ses: Ses` would give it.
    ///
    /// # Panics
    /// If nothing asked for it; see [`Handle::part`].
    #[must_use]
    #[track_caller]
    pub fn ses(&self) -> Ses {
        self.part::<Ses>()
    }
}

impl std::fmt::Debug for Ses {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Ses").field(&self.0.access).finish()
    }
}
