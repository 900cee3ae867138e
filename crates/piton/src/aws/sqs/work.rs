//! One poll at work: receive, give to the function, delete; wait when there is nothing, and when
//! nobody answers.

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::time::{Instant, sleep, timeout};
use tracing::{error, info, warn};

use super::calls::Queue;
use super::figures::PollFigures;
use super::message::Message;
use super::pace::{FAILURE_BACKOFF, Hold, last_receive};
use super::state::{Doing, State};
use super::{Poll, Sqs, Verdict};
use crate::aws::Error;
use crate::handle::Handle;
use crate::stop::Stop;
use crate::support::backoff::{Backoff, JITTER};

/// How long a function may go on after the service was told to stop. The service itself waits ten
/// seconds for all background work; the rest is for giving back what was not finished.
const LAST_MESSAGE: Duration = Duration::from_secs(8);

/// How many messages are remembered that were dealt with and could not be deleted.
const MOST_UNDELETED: usize = 1000;

/// One poll at work.
pub(super) struct Worker {
    handle: Handle,
    poll: Poll,
    queue: Queue,
    state: Arc<State>,
    figures: PollFigures,
    stop: Stop,
    /// Ids of messages that were dealt with, and that the queue will deliver again all the same.
    undeleted: VecDeque<String>,
}

/// What became of one message.
enum Done {
    Verdict(Verdict),
    Panicked(String),
    /// The service stopped before the function had ended.
    CutOff,
}

/// What that means for the message, and for what is received next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Became {
    Deleted,
    Kept,
    Failed,
}

impl Worker {
    pub fn new(
        handle: Handle,
        sqs: Sqs,
        poll: Poll,
        state: Arc<State>,
        figures: PollFigures,
        stop: Stop,
    ) -> Self {
        let queue = Queue::new(sqs, &poll);
        Self { handle, poll, queue, state, figures, stop, undeleted: VecDeque::new() }
    }

    pub async fn run(mut self) {
        let (mut while_away, mut while_failing) = (FAILURE_BACKOFF, FAILURE_BACKOFF);
        while self.wait_for_parts().await {
            self.state.receiving();
            let pause = match self.receive().await {
                None => break,
                Some(Ok(batch)) => {
                    while_away = FAILURE_BACKOFF;
                    self.state.received(batch.len());
                    let was_empty = batch.is_empty();
                    match self.deal_with(batch).await {
                        _ if was_empty => self.poll.interval,
                        // What ails the function ails it for the next messages too: received at
                        // once, each would be a step nearer to the dead letters.
                        Became::Failed => while_failing.next_delay(),
                        Became::Deleted => {
                            while_failing = FAILURE_BACKOFF;
                            continue;
                        }
                        Became::Kept => continue,
                    }
                }
                Some(Err(error)) => {
                    self.state.away(&error);
                    while_away.next_delay()
                }
            };
            self.state.waiting();
            tokio::select! {
                () = sleep(pause) => {}
                () = self.stop.stopped() => break,
            }
        }
        self.state.is(Doing::Stopped);
    }

    /// Waits until the function can be given all it takes. `false` if the service stops first.
    async fn wait_for_parts(&self) -> bool {
        let mut pauses = Backoff::new(Duration::from_millis(100), Duration::from_secs(5), JITTER);
        while !self.stop.is_stopped() {
            let asked = tokio::select! {
                asked = (self.poll.function.ready)(&self.handle) => asked,
                () = self.stop.stopped() => break,
            };
            let Err(why) = asked else {
                self.state.waits_for(None);
                return true;
            };
            self.state.waits_for(Some(&why));
            tokio::select! {
                () = sleep(pauses.next_delay()) => {}
                () = self.stop.stopped() => {}
            }
        }
        false
    }

    /// `None` if the service stops.
    async fn receive(&self) -> Option<Result<Vec<Message>, Error>> {
        // The SDK's futures are large.
        let mut receive = Box::pin(self.queue.receive());
        tokio::select! {
            received = &mut receive => return Some(received),
            () = self.stop.stopped() => {}
        }
        if let Ok(Ok(batch)) = timeout(last_receive(self.poll.wait_time), receive).await {
            self.give_back(&batch).await;
        }
        None
    }

    /// One message after the other, in the order received. Says what became of the best of them.
    async fn deal_with(&mut self, batch: Vec<Message>) -> Became {
        let (mut any_deleted, mut any_failed) = (false, false);
        let mut hold = Hold::new(self.queue.visibility());
        let mut batch = VecDeque::from(batch);
        while let Some(message) = batch.pop_front() {
            if self.stop.is_stopped() {
                batch.push_front(message);
                break;
            }
            let in_hand: Vec<&Message> = std::iter::once(&message).chain(&batch).collect();
            let done = self.deal_with_one(&message, &in_hand, &mut hold).await;
            let became = self.conclude(&message, done, &in_hand, &mut hold).await;
            any_deleted |= became == Became::Deleted;
            any_failed |= became == Became::Failed;
            if self.queue.is_fifo && hold.is_lost() {
                self.drop_rest(std::mem::take(&mut batch).len());
                break;
            }
            if became != Became::Deleted && self.queue.is_fifo {
                let (same, rest) = parted(batch, message.group());
                self.give_back(&same).await;
                batch = rest;
            }
        }
        self.give_back(batch.make_contiguous()).await;
        match (any_deleted, any_failed) {
            (true, _) => Became::Deleted,
            (false, true) => Became::Failed,
            (false, false) => Became::Kept,
        }
    }

    /// Another replica may have received the messages by now: dealt with here as well, they would be
    /// out of their order. They are not given back, as they are not ours any more.
    fn drop_rest(&self, messages: usize) {
        if messages > 0 {
            let queue = &self.state.queue;
            warn!(
                queue,
                "{messages} messages of the SQS queue {queue} are left to whoever receives them next: they could not be kept hidden"
            );
        }
    }

    /// Calls the function, and keeps the messages in hand hidden while it runs.
    async fn deal_with_one(
        &self,
        message: &Message,
        in_hand: &[&Message],
        hold: &mut Hold,
    ) -> Done {
        if self.undeleted.iter().any(|id| id == message.id()) {
            return Done::Verdict(Verdict::Delete);
        }
        if !message.is_whole() {
            let why = crate::Error::internal("the body is not the one that the queue has");
            return Done::Verdict(Verdict::Failed(why));
        }
        let begin = Instant::now();
        let call = async { (self.poll.function.call)(message.clone(), &self.handle).await };
        let mut call = pin!(AssertUnwindSafe(call).catch_unwind());
        let last = async {
            self.stop.stopped().await;
            sleep(LAST_MESSAGE).await;
        };
        let done = tokio::select! {
            biased;
            returned = &mut call => match returned {
                Ok(verdict) => Done::Verdict(verdict),
                Err(panic) => Done::Panicked(what_it_said(&*panic)),
            },
            () = last => Done::CutOff,
            never = self.hide(in_hand, hold) => match never {},
        };
        self.figures.took(&self.state.queue, begin.elapsed());
        done
    }

    /// Keeps messages hidden for as long as it is polled.
    async fn hide(&self, messages: &[&Message], hold: &mut Hold) -> std::convert::Infallible {
        loop {
            hold.until_due().await;
            let begin = Instant::now();
            match Box::pin(self.queue.hide(messages, hold.time)).await {
                Ok(()) => hold.renewed(begin),
                Err(error) => {
                    warn!(queue = self.state.queue, "A message may be delivered twice: {error}");
                }
            }
        }
    }

    /// Does what the function's answer means.
    async fn conclude(
        &mut self,
        message: &Message,
        done: Done,
        in_hand: &[&Message],
        hold: &mut Hold,
    ) -> Became {
        let (queue, id) = (&self.state.queue, message.id());
        let (outcome, became, why) = match done {
            Done::Verdict(Verdict::Delete) => {
                self.delete(message, in_hand, hold).await;
                self.state.succeeded();
                self.figures.count(&self.state.queue, "deleted");
                return Became::Deleted;
            }
            Done::Verdict(Verdict::Keep) => ("kept", Became::Kept, None),
            Done::Verdict(Verdict::Failed(failure)) => {
                error!(queue, id, "Message {id} of the SQS queue {queue} was kept: {failure}");
                ("failed", Became::Failed, Some(failure.to_string()))
            }
            Done::Panicked(why) => {
                error!(
                    queue,
                    id,
                    "Message {id} of the SQS queue {queue} was kept, its function panicked: {why}"
                );
                ("failed", Became::Failed, Some(why))
            }
            Done::CutOff => {
                warn!(
                    queue,
                    id,
                    "Message {id} of the SQS queue {queue} was given back: its function did not end in time"
                );
                self.give_back(std::slice::from_ref(message)).await;
                ("kept", Became::Kept, None)
            }
        };
        self.figures.count(queue, outcome);
        self.state.kept(why.as_deref());
        became
    }

    /// Deletes a message. One that cannot be deleted comes again, and is then deleted without being
    /// dealt with a second time.
    async fn delete(&mut self, message: &Message, in_hand: &[&Message], hold: &mut Hold) {
        let id = message.id();
        // The SDK's futures are large.
        let delete = Box::pin(self.queue.delete(message));
        let deleted = tokio::select! {
            deleted = delete => deleted,
            never = self.hide(in_hand, hold) => match never {},
        };
        match deleted {
            Ok(()) => {
                self.undeleted.retain(|other| other != id);
                self.state.deleted();
            }
            Err(error) => {
                let queue = &self.state.queue;
                warn!(
                    queue,
                    id,
                    "Message {id} of the SQS queue {queue} was dealt with, but not deleted: {error}"
                );
                if self.undeleted.len() >= MOST_UNDELETED {
                    self.undeleted.pop_front();
                }
                self.undeleted.push_back(id.to_owned());
            }
        }
    }

    /// Lets others have messages at once, in their order.
    async fn give_back(&self, messages: &[Message]) {
        if messages.is_empty() {
            return;
        }
        let all: Vec<&Message> = messages.iter().collect();
        match Box::pin(self.queue.hide(&all, Duration::ZERO)).await {
            Ok(()) => self.state.given_back(messages.len()),
            Err(error) => {
                info!(queue = self.state.queue, "Messages could not be given back: {error}");
            }
        }
    }
}

/// The messages of one group, and the others, each in their order.
fn parted(batch: VecDeque<Message>, group: Option<&str>) -> (Vec<Message>, VecDeque<Message>) {
    let (same, rest): (Vec<_>, Vec<_>) =
        batch.into_iter().partition(|message| message.group() == group);
    (same, rest.into())
}

fn what_it_said(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use aws_sdk_sqs::types::{Message as Received, MessageSystemAttributeName};

    use super::*;

    fn of_group(id: &str, group: &str) -> Message {
        let attributes =
            HashMap::from([(MessageSystemAttributeName::MessageGroupId, group.to_owned())]);
        Message::of(Received::builder().message_id(id).set_attributes(Some(attributes)).build())
    }

    #[test]
    fn of_a_group_that_failed_the_rest_is_given_back_in_its_order() {
        let batch = [("2", "a"), ("3", "b"), ("4", "a"), ("5", "b")];
        let batch = batch.iter().map(|(id, group)| of_group(id, group)).collect();
        let (same, rest) = parted(batch, Some("a"));
        let ids = |messages: &mut dyn Iterator<Item = &Message>| {
            messages.map(|message| message.id().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(ids(&mut same.iter()), ["2", "4"]);
        assert_eq!(ids(&mut rest.iter()), ["3", "5"]);
    }
}
