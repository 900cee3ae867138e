//! [`Poll`]: defines which queue is read, by which handler, and how often.

use std::sync::Arc;
use std::time::Duration;

use super::handler::{HandlerFuture, MessageHandler, ReadyFuture};
use super::message::Message;
use super::queue_urls::{check_name, is_fifo};
use crate::config::Problem;
use crate::handle::Handle;
use crate::part::Dependencies;

/// A queue that is read, and the handler of its messages. Pass it to [`App::sqs`](crate::App::sqs).
///
/// When the service starts, and after each interval, the queue is read until it is empty. Messages are
/// handled one after the other, in the order received.
///
/// ```
/// use std::time::Duration;
/// use piton::aws::sqs::{Message, Poll, Sqs};
/// use piton::prelude::*;
///
/// async fn on_message(message: Message, sqs: Sqs) -> Result<bool> {
///     if message.body().is_empty() {
///         return Ok(false); // stays in the queue
///     }
///     sqs.send("next", message.body()).await?;
///     Ok(true)
/// }
///
/// let app = App::new("relay")
///     .sqs(Poll::new("gnar-queue", on_message).interval(Duration::from_secs(20)).wait_time(Duration::from_secs(20)));
/// ```
#[derive(Clone)]
pub struct Poll {
    pub(super) queue: String,
    pub(super) interval: Duration,
    pub(super) attribute_names: Vec<String>,
    pub(super) message_attribute_names: Vec<String>,
    pub(super) max_number_of_messages: u32,
    pub(super) receive_request_attempt_id: Option<String>,
    pub(super) visibility_timeout: Option<Duration>,
    pub(super) wait_time: Duration,
    pub(super) handler: Arc<ErasedHandler>,
}

/// A handler without the types of its arguments, so that a [`Poll`] has no type parameters.
pub(super) struct ErasedHandler {
    dependencies: fn(&mut Dependencies),
    pub ready: fn(&Handle) -> ReadyFuture<'_>,
    pub call: CallHandler,
}

type CallHandler = Box<dyn Fn(Message, &Handle) -> HandlerFuture + Send + Sync>;

impl Poll {
    /// Polls the queue with this name or URL every 60 seconds, one message at a time.
    #[must_use = "a poll does nothing until it is given to `App::sqs`"]
    pub fn new<Arguments, C: MessageHandler<Arguments>>(
        queue: impl Into<String>,
        handler: C,
    ) -> Self {
        let erased = ErasedHandler {
            dependencies: C::dependencies,
            ready: C::ready,
            call: Box::new(move |message, handle| handler.call(message, handle)),
        };
        Self {
            queue: queue.into(),
            interval: Duration::from_secs(60),
            attribute_names: Vec::new(),
            message_attribute_names: Vec::new(),
            max_number_of_messages: 1,
            receive_request_attempt_id: None,
            visibility_timeout: None,
            wait_time: Duration::ZERO,
            handler: Arc::new(erased),
        }
    }

    /// Sets the time to wait after the queue was found empty. **Default: 60 seconds.**
    #[must_use]
    pub fn interval(self, interval: Duration) -> Self {
        Self { interval, ..self }
    }

    /// Requests system attributes of each message: `All`, or names such as `SentTimestamp` and
    /// `ApproximateReceiveCount`. **Default: none.**
    #[must_use]
    pub fn attribute_names<N: Into<String>>(self, names: impl IntoIterator<Item = N>) -> Self {
        Self { attribute_names: names.into_iter().map(Into::into).collect(), ..self }
    }

    /// Requests the sender's attributes: `All`, names, or prefixes such as `order.*`.
    /// **Default: none.**
    #[must_use]
    pub fn message_attribute_names<N: Into<String>>(
        self,
        names: impl IntoIterator<Item = N>,
    ) -> Self {
        Self { message_attribute_names: names.into_iter().map(Into::into).collect(), ..self }
    }

    /// Sets the maximum number of messages per call, 1 to 10. More need fewer calls, but messages that wait
    /// to be handled are hidden from other replicas. **Default: 1.**
    #[must_use]
    pub fn max_number_of_messages(self, number: u32) -> Self {
        Self { max_number_of_messages: number, ..self }
    }

    /// Sets the token by which a FIFO queue recognizes a retried receive call. **Default: a new one for each
    /// call, which is nearly always right.**
    #[must_use]
    pub fn receive_request_attempt_id(self, id: impl Into<String>) -> Self {
        Self { receive_request_attempt_id: Some(id.into()), ..self }
    }

    /// Sets how long a received message is hidden from other consumers, in whole seconds up to 12 hours.
    /// While its handler runs the time is extended as often as needed; so it is the time until a message
    /// is delivered again that was kept, or whose replica died. **Default: the queue's own.**
    #[must_use]
    pub fn visibility_timeout(self, timeout: Duration) -> Self {
        Self { visibility_timeout: Some(timeout), ..self }
    }

    /// Sets how long a call waits for a message if the queue is empty (long polling), in whole seconds up to
    /// 20. **Default: 0.**
    #[must_use]
    pub fn wait_time(self, time: Duration) -> Self {
        Self { wait_time: time, ..self }
    }

    /// Adds the parts that the handler needs.
    pub(super) fn dependencies(&self, dependencies: &mut Dependencies) {
        (self.handler.dependencies)(dependencies);
    }

    /// Returns the reason why this poll cannot work, with the fix.
    pub(super) fn problem(&self) -> Option<Problem> {
        let refuse = |option: &str, why: String, fix: &str| {
            let key = format!("the poll of the queue `{}`: {option}", self.queue);
            Some(Problem::new(key, why, fix))
        };
        if let Some(why) = check_name(&self.queue).err() {
            return refuse("queue", why.to_owned(), "use the queue's name or its whole URL");
        }
        let number = self.max_number_of_messages;
        if !(1..=10).contains(&number) {
            let why = format!("{number} messages at once, and it must be 1 to 10");
            return refuse("max_number_of_messages", why, "10");
        }
        if self.interval.is_zero() && self.wait_time.is_zero() {
            let why = "an empty queue would be polled without a pause".to_owned();
            return refuse("interval", why, "leave it out (60 seconds), or wait with `wait_time`");
        }
        let visibility = self.visibility_timeout.unwrap_or_default();
        let limits =
            [("visibility_timeout", visibility, 43_200), ("wait_time", self.wait_time, 20)];
        for (option, time, max) in limits {
            if time.subsec_nanos() > 0 || time.as_secs() > max {
                let time = humantime::format_duration(time);
                let why = format!("{time}, and it must be whole seconds up to {max}");
                return refuse(option, why, &format!("{max}s"));
            }
        }
        if self.receive_request_attempt_id.is_some() && !is_fifo(&self.queue) {
            let why = "only FIFO queues have it".to_owned();
            return refuse("receive_request_attempt_id", why, "remove it");
        }
        None
    }
}

impl std::fmt::Debug for Poll {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Poll")
            .field("queue", &self.queue)
            .field("interval", &self.interval)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn poll(queue: &str) -> Poll {
        Poll::new(queue, |_: Message| async {})
    }

    #[test]
    fn the_defaults_are_those_of_gnar_gear() {
        let poll = poll("q");
        assert!(poll.problem().is_none());
        assert_eq!((poll.interval.as_secs(), poll.max_number_of_messages), (60, 1));
        assert!(poll.visibility_timeout.is_none() && poll.wait_time.is_zero());
    }

    #[test]
    fn options_that_sqs_would_refuse_are_refused_at_launch() {
        let seconds = Duration::from_secs;
        for (poll, option) in [
            (poll("no such name"), "queue"),
            (poll("q").max_number_of_messages(0), "max_number_of_messages"),
            (poll("q").max_number_of_messages(11), "max_number_of_messages"),
            (poll("q").interval(Duration::ZERO), "interval"),
            (poll("q").visibility_timeout(seconds(43_201)), "visibility_timeout"),
            (poll("q").visibility_timeout(Duration::from_millis(1500)), "visibility_timeout"),
            (poll("q").wait_time(seconds(21)), "wait_time"),
            (poll("q").receive_request_attempt_id("x"), "receive_request_attempt_id"),
        ] {
            let problem = poll.problem().expect("it is refused");
            assert!(problem.key.ends_with(option), "{problem}");
        }
        let patient = poll("q").interval(Duration::ZERO).wait_time(seconds(20));
        assert!(patient.problem().is_none());
        let fifo =
            poll("q.fifo").receive_request_attempt_id("x").visibility_timeout(seconds(43_200));
        assert!(fifo.problem().is_none());
    }
}
