//! [`Sqs`]: the part that sends messages.

use std::sync::Arc;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::http::HttpResponse;
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use tokio::sync::OnceCell;

use super::metrics::SqsMetrics;
use super::queue_urls::QueueUrls;
use super::send::SendMessage;
use super::settings::SqsSettings;
use crate::aws::health::AwsHealth;
use crate::aws::sdk_config::AwsConfig;
use crate::aws::setting_names::SettingNames;
use crate::aws::{Error, Kind};
use crate::handle::Handle;
use crate::metrics::Metrics;
use crate::part::{self, Health, Launch, Part};

/// Sends to queues of Amazon SQS. Cheap to clone; every clone uses the same connections.
///
/// The client is created and credentials are loaded at the first use.
#[derive(Clone)]
pub struct Sqs(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub config: AwsConfig,
    client: OnceCell<Client>,
    queue_urls: QueueUrls,
    pub metrics: SqsMetrics,
    health: AwsHealth,
}

impl Sqs {
    /// Sends a message to the queue with this name or URL. The message is sent when the returned value is
    /// awaited.
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

    /// Returns the client of the AWS SDK, for calls that this module does not have.
    pub async fn client(&self) -> &Client {
        self.0.client.get_or_init(|| async { Client::new(&self.0.config.load().await) }).await
    }

    /// Returns the URL of the queue with this name. It is requested once, then cached.
    ///
    /// # Errors
    /// [`Kind::NotFound`] if the queue does not exist, [`Kind::Invalid`] if the name is not valid, and those
    /// of every call: [`Kind::Unavailable`], [`Kind::Throttled`], [`Kind::Denied`],
    /// [`Kind::Misconfigured`].
    pub async fn queue_url(&self, queue: &str) -> Result<String, Error> {
        self.0.config.require_configured()?;
        let request = || async {
            let call = self.client().await.get_queue_url().queue_name(queue);
            let response = Box::pin(call.send()).await;
            let found = self.0.health.record(response, || format!("find the queue `{queue}`"))?;
            let no_url = || {
                let why = format!("find the queue `{queue}`: the response has no URL");
                self.0.health.with_server(Error::new(Kind::Other, why))
            };
            found.queue_url().map(str::to_owned).ok_or_else(no_url)
        };
        self.0.queue_urls.get(queue, request).await
    }

    /// Records the result of a call about a queue. The URL of a queue that does not exist is forgotten.
    pub(super) fn record<T, E>(
        &self,
        queue: &str,
        result: Result<T, SdkError<E, HttpResponse>>,
        what: impl FnOnce() -> String,
    ) -> Result<T, Error>
    where
        E: std::error::Error + ProvideErrorMetadata + 'static,
    {
        let result = self.0.health.record(result, what);
        if matches!(&result, Err(error) if error.kind() == Kind::NotFound) {
            self.0.queue_urls.forget(queue);
        }
        result
    }
}

impl Part for Sqs {
    const NAME: &'static str = "sqs";
    type Settings = SqsSettings;

    async fn start(settings: SqsSettings, launch: &Launch) -> Result<Self, part::Error> {
        let config = AwsConfig::new(&settings.aws, "sqs", launch);
        Ok(Self(Arc::new(Inner {
            health: AwsHealth::new(SettingNames::new("sqs", launch), &config),
            config,
            client: OnceCell::new(),
            queue_urls: QueueUrls::default(),
            metrics: SqsMetrics::default(),
        })))
    }

    async fn health(&self) -> Health {
        self.0.health.health()
    }

    fn metrics(&self, metrics: &Metrics) {
        self.0.metrics.register(metrics);
    }
}

crate::part!(Sqs);

impl Handle {
    /// Returns the SQS client, as a handler's argument `sqs: Sqs` does.
    ///
    /// # Panics
    /// If no route or part needs it; see [`Handle::part`].
    #[must_use]
    #[track_caller]
    pub fn sqs(&self) -> Sqs {
        self.part::<Sqs>()
    }

    /// Sends a message to a queue: `piton::app().send_sqs_message("gnar-queue", "hello").await`.
    ///
    /// # Panics
    /// Those of [`Handle::sqs`].
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
        f.debug_tuple("Sqs").field(&self.0.config).finish()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::aws::AwsSettings;

    /// Returns a client that makes no calls.
    pub fn unreachable() -> Sqs {
        let settings = AwsSettings {
            region_name: Some("eu-central-1".into()),
            access_key_id: Some("id".into()),
            secret_access_key: Some("secret".into()),
            ..AwsSettings::default()
        };
        Sqs(Arc::new(Inner {
            config: AwsConfig::of_settings(&settings),
            client: OnceCell::new(),
            queue_urls: QueueUrls::default(),
            metrics: SqsMetrics::default(),
            health: AwsHealth::default(),
        }))
    }
}
