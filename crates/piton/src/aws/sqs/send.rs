//! [`SendMessage`]: sends one message.

use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::time::Duration;

use aws_sdk_sqs::operation::send_message::SendMessageOutput;
use aws_sdk_sqs::types::MessageAttributeValue;

use super::message::{Attribute, md5_hex};
use super::sqs_sender::Sqs;
use crate::aws::{Error, Kind};

/// Maximum delay that SQS allows, in seconds.
const MAX_DELAY_SECONDS: u32 = 900;

/// A message that is sent when this is awaited.
///
/// If the response is lost the message is sent again, so that a queue may have it twice; a FIFO queue
/// recognizes it by the deduplication id.
#[must_use = "a message is sent when it is awaited"]
pub struct SendMessage {
    sqs: Sqs,
    queue: String,
    body: String,
    delay: Option<Duration>,
    attributes: Vec<(String, Attribute)>,
    deduplication_id: Option<String>,
    group_id: Option<String>,
}

/// The receipt for a message that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentMessage {
    /// The message id.
    pub message_id: String,
    /// The MD5 of the body that the queue received, in hexadecimal digits. It equals that of the body sent.
    pub md5_of_message_body: String,
    /// The MD5 of the attributes, if there are any.
    pub md5_of_message_attributes: Option<String>,
    /// The sequence number in a FIFO queue: up to 128 bits, increasing within a group.
    pub sequence_number: Option<String>,
}

impl SendMessage {
    pub(super) fn new(sqs: Sqs, queue: String, body: String) -> Self {
        Self {
            sqs,
            queue,
            body,
            delay: None,
            attributes: Vec::new(),
            deduplication_id: None,
            group_id: None,
        }
    }

    /// Delays the delivery: whole seconds (rounded up), at most 15 minutes. Not for FIFO queues, which have
    /// a delay of their own.
    pub fn delay(self, delay: Duration) -> Self {
        Self { delay: Some(delay), ..self }
    }

    /// Delays the delivery by a number of seconds; see [`delay`](Self::delay).
    pub fn delay_seconds(self, seconds: u32) -> Self {
        self.delay(Duration::from_secs(seconds.into()))
    }

    /// Adds an attribute: text, an [`Attribute::Number`], or bytes.
    pub fn attribute(mut self, name: impl Into<String>, value: impl Into<Attribute>) -> Self {
        self.attributes.push((name.into(), value.into()));
        self
    }

    /// Sets the deduplication id: a FIFO queue treats another message with the same id within five minutes
    /// as the same message.
    pub fn deduplication_id(self, id: impl Into<String>) -> Self {
        Self { deduplication_id: Some(id.into()), ..self }
    }

    /// Sets the group within which a FIFO queue keeps the order.
    pub fn group_id(self, id: impl Into<String>) -> Self {
        Self { group_id: Some(id.into()), ..self }
    }

    /// Returns the delay in whole seconds.
    fn seconds(&self) -> Result<Option<i32>, Error> {
        let Some(delay) = self.delay else { return Ok(None) };
        let seconds = delay.as_secs() + u64::from(delay.subsec_nanos() > 0);
        let fits = |seconds: &i32| seconds.unsigned_abs() <= MAX_DELAY_SECONDS;
        let too_long = || {
            let why =
                format!("a delay of {seconds} seconds, and the maximum is {MAX_DELAY_SECONDS}");
            Error::new(Kind::Invalid, why)
        };
        i32::try_from(seconds).ok().filter(fits).map(Some).ok_or_else(too_long)
    }

    async fn run(self) -> Result<SentMessage, Error> {
        let seconds = self.seconds()?;
        let mut attributes = Vec::new();
        for (name, value) in self.attributes {
            attributes.push((name, MessageAttributeValue::try_from(value)?));
        }
        let url = self.sqs.queue_url(&self.queue).await?;
        let md5 = md5_hex(self.body.as_bytes());
        let mut call =
            self.sqs.client().await.send_message().queue_url(url).message_body(self.body);
        for (name, value) in attributes {
            call = call.message_attributes(name, value);
        }
        let call = call
            .set_delay_seconds(seconds)
            .set_message_deduplication_id(self.deduplication_id)
            .set_message_group_id(self.group_id);
        let what = || format!("send a message to the queue `{}`", self.queue);
        let sent = self.sqs.record(&self.queue, call.send().await, what)?;
        self.sqs.0.metrics.count_sent(&self.queue);
        check_md5(sent, &md5)
    }
}

/// Checks that the queue received the body that was sent.
fn check_md5(sent: SendMessageOutput, md5: &str) -> Result<SentMessage, Error> {
    let theirs = sent.md5_of_message_body.unwrap_or_default();
    let Some(message_id) = sent.message_id.filter(|_| theirs == md5) else {
        return Err(Error::new(Kind::Other, "the queue received another body than was sent"));
    };
    Ok(SentMessage {
        message_id,
        md5_of_message_body: theirs,
        md5_of_message_attributes: sent.md5_of_message_attributes,
        sequence_number: sent.sequence_number,
    })
}

impl IntoFuture for SendMessage {
    type Output = Result<SentMessage, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

impl std::fmt::Debug for SendMessage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SendMessage").field("queue", &self.queue).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::sqs::sqs_sender::tests::unreachable;

    #[tokio::test]
    async fn what_sqs_would_refuse_is_refused_before_it_is_sent() {
        let sqs = unreachable();
        let invalid = |error: Error| assert_eq!(error.kind(), Kind::Invalid, "{error}");
        invalid(sqs.send("q", "x").delay_seconds(901).await.unwrap_err());
        invalid(sqs.send("no such name", "x").await.unwrap_err());
        let number = Attribute::Number("seven".into());
        invalid(sqs.send("q", "x").attribute("n", number).await.unwrap_err());
    }

    #[tokio::test]
    async fn a_delay_is_rounded_up_to_whole_seconds() {
        let delayed = |millis| {
            let send = unreachable().send("q", "x").delay(Duration::from_millis(millis));
            send.seconds().unwrap()
        };
        assert_eq!([delayed(0), delayed(1), delayed(1500)], [Some(0), Some(1), Some(2)]);
    }

    #[test]
    fn a_body_that_was_corrupted_is_an_error() {
        let sent = |md5: &str| {
            SendMessageOutput::builder().message_id("1").md5_of_message_body(md5).build()
        };
        let md5 = md5_hex(b"hello");
        assert_eq!(md5, "5d41402abc4b2a76b9719d911017c592");
        assert_eq!(check_md5(sent(&md5), &md5).unwrap().message_id, "1");
        assert_eq!(check_md5(sent("0"), &md5).unwrap_err().kind(), Kind::Other);
    }
}
