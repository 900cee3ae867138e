//! Amazon's queues: send, and poll.
//!
//! ```no_run
//! use piton::aws::sqs::Message;
//! use piton::prelude::*;
//!
//! /// Charges what was ordered.
//! #[piton::sqs("orders", interval = "30s", max_messages = 10)]
//! async fn on_order(message: Message) -> Result<()> {
//!     info!("Order {}", message.body());
//!     Ok(())
//! }
//!
//! fn main() -> piton::Exit {
//!     App::new("shop").run()
//! }
//! ```
//!
//! A message is deleted when its function has returned, unless that returned `false` or an error, or
//! panicked. A queue delivers **at least once**: what a message causes must bear to be caused twice.

mod callback;
mod calls;
mod figures;
mod message;
mod pace;
mod poll;
mod polls;
mod queues;
mod send;
mod settings;
mod state;
mod visibility;
mod work;

use std::sync::Arc;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::http::HttpResponse;
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use tokio::sync::OnceCell;

use super::access::Access;
use super::trouble::{Help, Trouble};
use super::{Error, Kind};
use crate::handle::Handle;
use crate::metrics::Metrics;
use crate::part::{self, Health, Launch, Part};

use figures::Figures;
use queues::Queues;

pub use callback::{Callback, Given, Outcome, Ready, Verdict};
pub use message::{Attribute, Message};
pub use poll::Poll;
pub use polls::Polls;
pub use send::{SendMessage, Sent};
pub use settings::SqsSettings;

/// Amazon's queues. Cheap to clone; every clone uses the same connections.
///
/// The client is made, and credentials are looked for, when it is first used.
#[derive(Clone)]
pub struct Sqs(Arc<Inner>);

struct Inner {
    access: Access,
    client: OnceCell<Client>,
    queues: Queues,
    figures: Figures,
    trouble: Trouble,
}

impl Sqs {
    /// Sends a message to the queue with this name, or with this URL. Await what is returned.
    ///
    /// ```no_run
    /// # async fn f(sqs: piton::aws::sqs::Sqs) -> piton::Result<()> {
    /// let sent = sqs.send("gnar-queue", "The gnarliest gear in the world").await?;
    /// let later = sqs.send("orders.fifo", r#"{"id": 7}"#).group_id("customer-3").deduplication_id("7").await?;
    /// println!("{} {:?}", sent.message_id, later.sequence_number);
    /// # Ok(()) }
    /// ```
    pub fn send(&self, queue: impl Into<String>, body: impl Into<String>) -> SendMessage {
        SendMessage::new(self.clone(), queue.into(), body.into())
    }

    /// Amazon's own client, for what this room does not do.
    pub async fn client(&self) -> &Client {
        self.0.client.get_or_init(|| async { Client::new(&self.0.access.load().await) }).await
    }

    /// The URL of the queue with this name. Asked for once.
    ///
    /// # Errors
    /// [`Kind::NotFound`] if there is none, [`Kind::Invalid`] if there cannot be one, and those of
    /// every call: [`Kind::Unavailable`], [`Kind::Throttled`], [`Kind::Denied`],
    /// [`Kind::Misconfigured`].
    pub async fn queue_url(&self, queue: &str) -> Result<String, Error> {
        self.0.access.known()?;
        let ask = || async {
            let call = self.client().await.get_queue_url().queue_name(queue);
            let asked = Box::pin(call.send()).await;
            let found = self.0.trouble.note(asked, || format!("find the queue `{queue}`"))?;
            let none = || {
                let why = format!("find the queue `{queue}`: the answer has no URL");
                self.0.trouble.placed(Error::new(Kind::Other, why))
            };
            found.queue_url().map(str::to_owned).ok_or_else(none)
        };
        self.0.queues.url(queue, ask).await
    }

    /// Keeps in mind how a call about a queue went; a queue that is not there is forgotten.
    fn note_of_queue<T, E>(
        &self,
        queue: &str,
        result: Result<T, SdkError<E, HttpResponse>>,
        what: impl FnOnce() -> String,
    ) -> Result<T, Error>
    where
        E: std::error::Error + ProvideErrorMetadata + 'static,
    {
        let result = self.0.trouble.note(result, what);
        if matches!(&result, Err(error) if error.kind() == Kind::NotFound) {
            self.0.queues.forget(queue);
        }
        result
    }
}

impl Part for Sqs {
    const NAME: &'static str = "sqs";
    type Settings = SqsSettings;

    async fn start(settings: SqsSettings, launch: &Launch) -> Result<Self, part::Error> {
        let access = settings.access().of("sqs", launch);
        Ok(Self(Arc::new(Inner {
            trouble: Trouble::new(Help::of("sqs", launch), &access),
            access,
            client: OnceCell::new(),
            queues: Queues::default(),
            figures: Figures::default(),
        })))
    }

    async fn health(&self) -> Health {
        self.0.trouble.health()
    }

    fn metrics(&self, metrics: &Metrics) {
        self.0.figures.register(metrics);
    }
}

crate::part!(Sqs);

impl Handle {
    /// Amazon's queues, as a handler's argument `sqs: Sqs` would give them.
    ///
    /// # Panics
    /// If nothing asked for them; see [`Handle::part`].
    #[must_use]
    #[track_caller]
    pub fn sqs(&self) -> Sqs {
        self.part::<Sqs>()
    }

    /// Sends a message to a queue: `piton::app().send_sqs_message("gnar-queue", "hello").await`.
    ///
    /// # Panics
    /// As [`Handle::sqs`].
    #[track_caller]
    pub fn send_sqs_message(
        &self,
        queue: impl Into<String>,
        body: impl Into<String>,
    ) -> SendMessage {
        self.sqs().send(queue, body)
    }
}

impl std::fmt::Debug for Sqs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Sqs").field(&self.0.access).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Settings as _;

    /// Queues at an address where nobody listens.
    pub(super) fn unreachable() -> Sqs {
        let settings = SqsSettings {
            region_name: Some("eu-central-1".into()),
            access_key_id: Some("id".into()),
            secret_access_key: Some("secret".into()),
            endpoint_url: None,
            ..SqsSettings::default()
        };
        assert!(!SqsSettings::DOC.is_empty());
        Sqs(Arc::new(Inner {
            access: settings.access(),
            client: OnceCell::new(),
            queues: Queues::default(),
            figures: Figures::default(),
            trouble: Trouble::default(),
        }))
    }
}
