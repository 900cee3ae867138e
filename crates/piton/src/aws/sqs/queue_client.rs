//! [`QueueClient`]: the calls of a poll to its queue: receive, extend visibility, delete.

use std::time::Duration;

use aws_sdk_sqs::config::http::HttpResponse;
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry, MessageSystemAttributeName, QueueAttributeName,
};
use tokio::time::sleep;

use super::message::Message;
use super::poll::Poll;
use super::queue_urls::{is_fifo, short_name};
use super::sqs_sender::Sqs;
use super::visibility::VisibilityTimeout;
use crate::aws::{Error, Kind};
use crate::request::RequestId;

/// Delays between attempts to delete; each attempt is several of the SDK's own.
const DELETE_RETRY_DELAYS: [Duration; 3] =
    [Duration::from_millis(200), Duration::from_secs(1), Duration::from_secs(2)];

/// The queue of one poll.
pub(super) struct QueueClient {
    sqs: Sqs,
    name: String,
    pub is_fifo: bool,
    poll: Poll,
    visibility: VisibilityTimeout,
}

impl QueueClient {
    pub fn new(sqs: Sqs, poll: &Poll) -> Self {
        let name = poll.queue.clone();
        let visibility = VisibilityTimeout::new(poll.visibility_timeout);
        Self { sqs, is_fifo: is_fifo(&name), name, poll: poll.clone(), visibility }
    }

    /// Receives messages, waiting for up to the poll's `wait_time` if there are none.
    pub async fn receive(&self) -> Result<Vec<Message>, Error> {
        let url = self.url().await?;
        self.refresh_visibility(&url).await?;
        let poll = &self.poll;
        let mut call = self
            .sqs
            .client()
            .await
            .receive_message()
            .queue_url(url)
            .max_number_of_messages(poll.max_number_of_messages.cast_signed())
            .wait_time_seconds(seconds(poll.wait_time))
            .set_visibility_timeout(poll.visibility_timeout.map(seconds));
        for name in &poll.attribute_names {
            call = call.message_system_attribute_names(name.as_str().into());
        }
        for name in &poll.message_attribute_names {
            call = call.message_attribute_names(name);
        }
        if self.is_fifo {
            let attempt = poll.receive_request_attempt_id.clone();
            call = call
                .message_system_attribute_names(MessageSystemAttributeName::MessageGroupId)
                .receive_request_attempt_id(
                    attempt.unwrap_or_else(|| RequestId::new().to_string()),
                );
        }
        let timeouts = self.sqs.0.config.timeouts(poll.wait_time);
        let overrides = aws_sdk_sqs::Config::builder().timeout_config(timeouts);
        let received = call.customize().config_override(overrides).send().await;
        let what = || format!("read the queue `{}`", self.name);
        let received = self.record(received, what)?;
        Ok(received.messages.unwrap_or_default().into_iter().map(Message::from_sdk).collect())
    }

    /// Returns the name without the rest of a URL, for log lines.
    pub fn short_name(&self) -> &str {
        short_name(&self.name)
    }

    /// Returns how long a received message is hidden.
    pub fn visibility(&self) -> Duration {
        self.visibility.get()
    }

    /// Returns the queue's URL.
    async fn url(&self) -> Result<String, Error> {
        self.forget_if_missing(self.sqs.queue_url(&self.name).await)
    }

    fn record<T, E>(
        &self,
        result: Result<T, SdkError<E, HttpResponse>>,
        what: impl FnOnce() -> String,
    ) -> Result<T, Error>
    where
        E: std::error::Error + ProvideErrorMetadata + 'static,
    {
        self.forget_if_missing(self.sqs.record(&self.name, result, what))
    }

    /// Forgets the visibility timeout of a queue that does not exist: it may be created again with another.
    fn forget_if_missing<T>(&self, result: Result<T, Error>) -> Result<T, Error> {
        if result.as_ref().is_err_and(|error| error.kind() == Kind::NotFound) {
            self.visibility.forget();
        }
        result
    }

    /// Reads the queue's visibility timeout every few minutes. Credentials that may receive need not be
    /// allowed to read attributes: then the default is assumed.
    async fn refresh_visibility(&self, url: &str) -> Result<(), Error> {
        if !self.visibility.is_due() {
            return Ok(());
        }
        let name = QueueAttributeName::VisibilityTimeout;
        let client = self.sqs.client().await;
        let call = client.get_queue_attributes().queue_url(url).attribute_names(name.clone());
        let what = || format!("read the visibility timeout of the queue `{}`", self.name);
        match self.record(Box::pin(call.send()).await, what) {
            Ok(response) => {
                let text = response.attributes.unwrap_or_default().remove(&name);
                self.visibility
                    .set(text.and_then(|text| text.parse().ok()).map(Duration::from_secs));
                Ok(())
            }
            Err(error) if error.kind() == Kind::Denied => {
                self.visibility.set(None);
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Hides up to ten messages for `time` from now. Zero gives them back to the queue.
    pub async fn extend_visibility(
        &self,
        messages: &[&Message],
        time: Duration,
    ) -> Result<(), Error> {
        let url = self.url().await?;
        let mut call = self.sqs.client().await.change_message_visibility_batch().queue_url(url);
        for (number, message) in messages.iter().enumerate() {
            let entry = ChangeMessageVisibilityBatchRequestEntry::builder()
                .id(number.to_string())
                .receipt_handle(message.receipt_handle())
                .visibility_timeout(seconds(time))
                .build()
                .map_err(|error| Error::new(Kind::Invalid, error.to_string()))?;
            call = call.entries(entry);
        }
        let what = || format!("change the visibility of messages of the queue `{}`", self.name);
        let response = self.record(call.send().await, what)?;
        match response.failed.first() {
            None => Ok(()),
            Some(failed) => Err(Error::new(Kind::Other, format!("{}: {}", what(), failed.code()))),
        }
    }

    /// Deletes a message. Retries failures that may be temporary.
    pub async fn delete(&self, message: &Message) -> Result<(), Error> {
        let mut delays = DELETE_RETRY_DELAYS.into_iter();
        loop {
            let Err(error) = self.delete_once(message).await else { return Ok(()) };
            let is_temporary = matches!(error.kind(), Kind::Unavailable | Kind::Throttled);
            match delays.next().filter(|_| is_temporary) {
                Some(delay) => sleep(delay).await,
                None => return Err(error),
            }
        }
    }

    async fn delete_once(&self, message: &Message) -> Result<(), Error> {
        let url = self.url().await?;
        let call = self.sqs.client().await.delete_message().queue_url(url);
        let deleted = call.receipt_handle(message.receipt_handle()).send().await;
        let what = || format!("delete a message of the queue `{}`", self.name);
        self.record(deleted, what).map(drop)
    }
}

/// Returns whole seconds, the unit of SQS.
fn seconds(time: Duration) -> i32 {
    i32::try_from(time.as_secs()).unwrap_or(i32::MAX)
}
