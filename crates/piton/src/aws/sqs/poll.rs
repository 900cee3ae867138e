//! What is said of a queue that is read: which, by which function, how often.

use std::sync::Arc;
use std::time::Duration;

use super::callback::{Callback, Called, Ready};
use super::{Message, Polls, queues};
use crate::app::App;
use crate::config::Problem;
use crate::handle::Handle;
use crate::part::Dependencies;

/// A queue to be read, and the function that its messages are given to. Give it to [`App::sqs`].
///
/// At the start of the service, and whenever the interval is over, the queue is read until it is
/// empty. Messages are dealt with one after the other, in the order received.
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
    pub(super) function: Arc<Function>,
}

/// A callback whose arguments are not known any more.
pub(super) struct Function {
    dependencies: fn(&mut Dependencies),
    pub ready: fn(&Handle) -> Ready<'_>,
    pub call: Call,
}

type Call = Box<dyn Fn(Message, &Handle) -> Called + Send + Sync>;

impl Poll {
    /// Reads the queue with this name, or with this URL, every 60 seconds, a message at a time.
    #[must_use = "a poll does nothing until it is given to `App::sqs`"]
    pub fn new<Arguments, C: Callback<Arguments>>(queue: impl Into<String>, callback: C) -> Self {
        let function = Function {
            dependencies: C::dependencies,
            ready: C::ready,
            call: Box::new(move |message, handle| callback.call(message, handle)),
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
            function: Arc::new(function),
        }
    }

    /// How long to wait after the queue was found empty. **Default: 60 seconds.**
    #[must_use]
    pub fn interval(self, interval: Duration) -> Self {
        Self { interval, ..self }
    }

    /// What the queue is to say of each message: `All`, `SentTimestamp`,
    /// `ApproximateReceiveCount` and their like. **Default: nothing.**
    #[must_use]
    pub fn attribute_names<N: Into<String>>(self, names: impl IntoIterator<Item = N>) -> Self {
        Self { attribute_names: names.into_iter().map(Into::into).collect(), ..self }
    }

    /// Which of the sender's attributes to receive: `All`, names, or beginnings such as `order.*`.
    /// **Default: none.**
    #[must_use]
    pub fn message_attribute_names<N: Into<String>>(
        self,
        names: impl IntoIterator<Item = N>,
    ) -> Self {
        Self { message_attribute_names: names.into_iter().map(Into::into).collect(), ..self }
    }

    /// How many messages are received at once, 1 to 10. More cost fewer calls, and those that wait
    /// for their turn are hidden from other replicas. **Default: 1.**
    #[must_use]
    pub fn max_number_of_messages(self, number: u32) -> Self {
        Self { max_number_of_messages: number, ..self }
    }

    /// The token by which a FIFO queue knows that a receive is the same one again. **Default: a new
    /// one for each receive, which is nearly always what is meant.**
    #[must_use]
    pub fn receive_request_attempt_id(self, id: impl Into<String>) -> Self {
        Self { receive_request_attempt_id: Some(id.into()), ..self }
    }

    /// How long a received message is hidden from others, whole seconds up to 12 hours. While its
    /// function runs that is made longer as often as needed; so it is how long a message waits that
    /// was kept, or whose replica died. **Default: the queue's own.**
    #[must_use]
    pub fn visibility_timeout(self, timeout: Duration) -> Self {
        Self { visibility_timeout: Some(timeout), ..self }
    }

    /// How long an empty queue waits for a message before it answers, whole seconds up to 20.
    /// **Default: not at all.**
    #[must_use]
    pub fn wait_time(self, time: Duration) -> Self {
        Self { wait_time: time, ..self }
    }

    /// Names the parts that the callback takes.
    pub(super) fn dependencies(&self, dependencies: &mut Dependencies) {
        (self.function.dependencies)(dependencies);
    }

    /// What is wrong with it.
    pub(super) fn problem(&self) -> Option<Problem> {
        let refuse = |option: &str, why: String, fix: &str| {
            let key = format!("the poll of the queue `{}`: {option}", self.queue);
            Some(Problem::new(key, why, fix))
        };
        if let Some(why) = queues::wrong_name(&self.queue) {
            return refuse("queue", why.to_owned(), "give it the queue's name or its whole URL");
        }
        let number = self.max_number_of_messages;
        if !(1..=10).contains(&number) {
            let why = format!("{number} messages at once, and it must be 1 to 10");
            return refuse("max_number_of_messages", why, "10");
        }
        if self.interval.is_zero() && self.wait_time.is_zero() {
            let why = "an empty queue would be asked without a pause".to_owned();
            return refuse("interval", why, "leave it out (60 seconds), or wait with `wait_time`");
        }
        let visibility = self.visibility_timeout.unwrap_or_default();
        let limits =
            [("visibility_timeout", visibility, 43_200), ("wait_time", self.wait_time, 20)];
        for (option, time, most) in limits {
            if time.subsec_nanos() > 0 || time.as_secs() > most {
                let time = humantime::format_duration(time);
                let why = format!("{time}, and it must be whole seconds up to {most}");
                return refuse(option, why, &format!("{most}s"));
            }
        }
        if self.receive_request_attempt_id.is_some() && !queues::is_fifo(&self.queue) {
            let why = "only FIFO queues know it".to_owned();
            return refuse("receive_request_attempt_id", why, "remove it");
        }
        None
    }
}

impl App {
    /// Reads a queue and gives its messages to a function; as often as there are queues. What
    /// `#[piton::sqs(..)]` above a function does.
    #[must_use]
    pub fn sqs(self, poll: Poll) -> Self {
        self.enable::<Polls>()
            .enable_dependencies(|dependencies| poll.dependencies(dependencies))
            .provide(poll)
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
    fn gnars_defaults_are_right() {
        let poll = poll("q");
        assert!(poll.problem().is_none());
        assert_eq!((poll.interval.as_secs(), poll.max_number_of_messages), (60, 1));
        assert!(poll.visibility_timeout.is_none() && poll.wait_time.is_zero());
    }

    #[test]
    fn what_amazon_would_refuse_is_refused_at_launch_by_its_name() {
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
