//! The calls that a poll makes of its queue.

use std::time::Duration;

use aws_sdk_sqs::config::http::HttpResponse;
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry, MessageSystemAttributeName, QueueAttributeName,
};
use tokio::time::sleep;

use super::visibility::Visibility;
use super::{Message, Poll, Sqs, queues};
use crate::aws::{Error, Kind};
use crate::request::RequestId;

/// The pauses between attempts to delete; each attempt is several of the SDK's own.
const DELETE_PAUSES: [Duration; 3] =
    [Duration::from_millis(200), Duration::from_secs(1), Duration::from_secs(2)];

/// The queue of one poll.
pub(super) struct Queue {
    sqs: Sqs,
    name: String,
    pub is_fifo: bool,
    poll: Poll,
    visibility: Visibility,
}

impl Queue {
    pub fn new(sqs: Sqs, poll: &Poll) -> Self {
        let name = poll.queue.clone();
        let visibility = Visibility::new(poll.visibility_timeout);
        Self { sqs, is_fifo: queues::is_fifo(&name), name, poll: poll.clone(), visibility }
    }

    /// The messages that are there, perhaps after a wait.
    pub async fn receive(&self) -> Result<Vec<Message>, Error> {
        let url = self.url().await?;
        self.learn_visibility(&url).await?;
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
        let timeouts = self.sqs.0.access.timeouts(poll.wait_time);
        let patient = aws_sdk_sqs::Config::builder().timeout_config(timeouts);
        let received = call.customize().config_override(patient).send().await;
        let what = || format!("read the queue `{}`", self.name);
        let received = self.note(received, what)?;
        Ok(received.messages.unwrap_or_default().into_iter().map(Message::of).collect())
    }

    /// How long a received message is hidden.
    pub fn visibility(&self) -> Duration {
        self.visibility.get()
    }

    /// The queue's address. One that is gone may come again with another visibility timeout.
    async fn url(&self) -> Result<String, Error> {
        self.noted(self.sqs.queue_url(&self.name).await)
    }

    fn note<T, E>(
        &self,
        result: Result<T, SdkError<E, HttpResponse>>,
        what: impl FnOnce() -> String,
    ) -> Result<T, Error>
    where
        E: std::error::Error + ProvideErrorMetadata + 'static,
    {
        self.noted(self.sqs.note_of_queue(&self.name, result, what))
    }

    fn noted<T>(&self, result: Result<T, Error>) -> Result<T, Error> {
        if result.as_ref().is_err_and(|error| error.kind() == Kind::NotFound) {
            self.visibility.forget();
        }
        result
    }

    /// Asks the queue every few minutes how long it hides messages. Who may read a queue may not always
    /// ask: then it is taken for the usual.
    async fn learn_visibility(&self, url: &str) -> Result<(), Error> {
        if !self.visibility.is_due() {
            return Ok(());
        }
        let name = QueueAttributeName::VisibilityTimeout;
        let client = self.sqs.client().await;
        let call = client.get_queue_attributes().queue_url(url).attribute_names(name.clone());
        let what = || format!("ask the queue `{}` for its visibility timeout", self.name);
        match self.note(Box::pin(call.send()).await, what) {
            Ok(told) => {
                let text = told.attributes.unwrap_or_default().remove(&name);
                self.visibility
                    .learn(text.and_then(|text| text.parse().ok()).map(Duration::from_secs));
                Ok(())
            }
            Err(error) if error.kind() == Kind::Denied => {
                self.visibility.learn(None);
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Hides messages for `time` from now; for no time at all gives them back. At most ten.
    pub async fn hide(&self, messages: &[&Message], time: Duration) -> Result<(), Error> {
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
        let what = || format!("say how long the queue `{}` hides messages", self.name);
        let answer = self.note(call.send().await, what)?;
        match answer.failed.first() {
            None => Ok(()),
            Some(failed) => Err(Error::new(Kind::Other, format!("{}: {}", what(), failed.code()))),
        }
    }

    /// Deletes a message; tries a few times where that may help.
    pub async fn delete(&self, message: &Message) -> Result<(), Error> {
        let mut pauses = DELETE_PAUSES.into_iter();
        loop {
            let Err(error) = self.delete_once(message).await else { return Ok(()) };
            let may_help = matches!(error.kind(), Kind::Unavailable | Kind::Throttled);
            match pauses.next().filter(|_| may_help) {
                Some(pause) => sleep(pause).await,
                None => return Err(error),
            }
        }
    }

    async fn delete_once(&self, message: &Message) -> Result<(), Error> {
        let url = self.url().await?;
        let call = self.sqs.client().await.delete_message().queue_url(url);
        let deleted = call.receipt_handle(message.receipt_handle()).send().await;
        let what = || format!("delete a message of the queue `{}`", self.name);
        self.note(deleted, what).map(drop)
    }
}

/// In Amazon's own unit.
fn seconds(time: Duration) -> i32 {
    i32::try_from(time.as_secs()).unwrap_or(i32::MAX)
}
