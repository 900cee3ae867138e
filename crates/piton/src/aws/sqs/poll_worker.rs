//! The loop of one poll: receive, handle, delete; back off when the queue is unavailable or the handler
//! fails.

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::time::{Instant, sleep, timeout};
use tracing::{error, info, warn};

use super::handler::Disposition;
use super::message::Message;
use super::metrics::PollMetrics;
use super::poll::Poll;
use super::poll_state::{PollPhase, PollState};
use super::queue_client::QueueClient;
use super::sqs_sender::Sqs;
use super::visibility::VisibilityLease;
use crate::aws::Error;
use crate::handle::Handle;
use crate::stop_signal::Stop;
use crate::support::backoff::{Backoff, JITTER};

/// Time for a handler to end after the service was told to stop. The service itself waits ten seconds for
/// all background work; the rest is for giving back unhandled messages.
const HANDLER_GRACE: Duration = Duration::from_secs(8);

/// Delays after a failure: of the queue while it is unavailable, of the handler while it fails.
const FAILURE_BACKOFF: Backoff =
    Backoff::new(Duration::from_millis(500), Duration::from_secs(30), JITTER);

/// Delays between checks whether the parts that the handler needs are available.
const PARTS_BACKOFF: Backoff =
    Backoff::new(Duration::from_millis(100), Duration::from_secs(5), JITTER);

/// Maximum number of message ids that are remembered as handled but not deleted.
const MAX_UNDELETED: usize = 1000;

pub(super) struct PollWorker {
    handle: Handle,
    poll: Poll,
    queue: QueueClient,
    state: Arc<PollState>,
    metrics: PollMetrics,
    stop: Stop,
    /// Ids of messages that were handled and could not be deleted, so that the queue delivers them again.
    undeleted: VecDeque<String>,
}

/// The delays of the loop, each starting anew after a success.
struct LoopBackoffs {
    unavailable: Backoff,
    failing: Backoff,
}

/// The result of a handler for one message.
enum HandlerCompletion {
    Returned(Disposition),
    Panicked(String),
    /// The service stopped before the handler had ended.
    Stopped,
}

/// The result of one message, for the loop.
#[derive(Clone, Copy, PartialEq, Eq)]
enum MessageResult {
    Deleted,
    Kept,
    Failed,
}

impl PollWorker {
    pub fn new(
        handle: Handle,
        sqs: Sqs,
        poll: Poll,
        state: Arc<PollState>,
        metrics: PollMetrics,
        stop: Stop,
    ) -> Self {
        let queue = QueueClient::new(sqs, &poll);
        Self { handle, poll, queue, state, metrics, stop, undeleted: VecDeque::new() }
    }

    pub async fn run(mut self) {
        let mut backoffs = LoopBackoffs { unavailable: FAILURE_BACKOFF, failing: FAILURE_BACKOFF };
        while self.wait_for_parts().await {
            self.state.set_receiving();
            let Some(received) = self.receive().await else { break };
            let Some(delay) = self.process_received(received, &mut backoffs).await else {
                continue;
            };
            self.state.set_waiting();
            tokio::select! {
                () = sleep(delay) => {}
                () = self.stop.stopped() => break,
            }
        }
        self.state.set_phase(PollPhase::Stopped);
    }

    /// Handles the result of a receive call. Returns the delay before the next call, if there is to be one.
    async fn process_received(
        &mut self,
        received: Result<Vec<Message>, Error>,
        backoffs: &mut LoopBackoffs,
    ) -> Option<Duration> {
        let batch = match received {
            Ok(batch) => batch,
            Err(error) => {
                self.state.record_unavailable(&error);
                return Some(backoffs.unavailable.next_delay());
            }
        };
        backoffs.unavailable = FAILURE_BACKOFF;
        self.state.record_received(batch.len());
        if batch.is_empty() {
            return Some(self.poll.interval);
        }
        match self.process(batch).await {
            // Backs off, because a failing handler would fail the next messages too, and push each towards the
            // dead-letter queue.
            MessageResult::Failed => Some(backoffs.failing.next_delay()),
            MessageResult::Deleted => {
                backoffs.failing = FAILURE_BACKOFF;
                None
            }
            MessageResult::Kept => None,
        }
    }

    /// Waits until all parts that the handler needs are available. Returns false if the service stops first.
    async fn wait_for_parts(&self) -> bool {
        let mut backoff = PARTS_BACKOFF;
        while !self.stop.is_stopped() {
            let ready = tokio::select! {
                ready = (self.poll.handler.ready)(&self.handle) => ready,
                () = self.stop.stopped() => break,
            };
            let Err(why) = ready else {
                self.state.set_waits_for(None);
                return true;
            };
            self.state.set_waits_for(Some(&why));
            tokio::select! {
                () = sleep(backoff.next_delay()) => {}
                () = self.stop.stopped() => {}
            }
        }
        false
    }

    /// Receives messages. Returns `None` if the service stops; messages received by then are given back.
    async fn receive(&self) -> Option<Result<Vec<Message>, Error>> {
        // Boxed, because the SDK's future is several KiB large.
        let mut receive = Box::pin(self.queue.receive());
        tokio::select! {
            received = &mut receive => return Some(received),
            () = self.stop.stopped() => {}
        }
        if let Ok(Ok(batch)) = timeout(receive_grace(self.poll.wait_time), receive).await {
            self.give_back(&batch).await;
        }
        None
    }

    /// Handles messages one after the other, in the order received. Returns the best of their results.
    async fn process(&mut self, batch: Vec<Message>) -> MessageResult {
        let (mut any_deleted, mut any_failed) = (false, false);
        let mut lease = VisibilityLease::new(self.queue.visibility());
        let mut batch = VecDeque::from(batch);
        while let Some(message) = batch.pop_front() {
            if self.stop.is_stopped() {
                batch.push_front(message);
                break;
            }
            let in_hand: Vec<&Message> = std::iter::once(&message).chain(&batch).collect();
            let handled = self.handle_message(&message, &in_hand, &mut lease).await;
            let result = self.settle(&message, handled, &in_hand, &mut lease).await;
            any_deleted |= result == MessageResult::Deleted;
            any_failed |= result == MessageResult::Failed;
            if self.queue.is_fifo && lease.is_expired() {
                self.abandon(std::mem::take(&mut batch).len());
                break;
            }
            if result != MessageResult::Deleted && self.queue.is_fifo {
                // The rest of the group waits too, because FIFO order would be broken otherwise.
                let (same_group, rest) = split_group(batch, message.group());
                self.give_back(&same_group).await;
                batch = rest;
            }
        }
        self.give_back(batch.make_contiguous()).await;
        match (any_deleted, any_failed) {
            (true, _) => MessageResult::Deleted,
            (false, true) => MessageResult::Failed,
            (false, false) => MessageResult::Kept,
        }
    }

    /// Logs messages that are neither handled nor given back. Another replica may have received them by
    /// now: handled here as well, they would be out of order.
    fn abandon(&self, messages: usize) {
        if messages > 0 {
            let queue = &self.state.queue;
            warn!(
                queue,
                "{messages} messages of the SQS queue {queue} are left to other consumers: their visibility timeout could not be extended"
            );
        }
    }

    /// Calls the handler, and keeps the messages in hand hidden while it runs.
    async fn handle_message(
        &self,
        message: &Message,
        in_hand: &[&Message],
        lease: &mut VisibilityLease,
    ) -> HandlerCompletion {
        if self.undeleted.iter().any(|id| id == message.id()) {
            return HandlerCompletion::Returned(Disposition::Delete);
        }
        if !message.is_intact() {
            let why = crate::Error::internal("the body does not match the MD5 of the queue");
            return HandlerCompletion::Returned(Disposition::Failed(why));
        }
        let started = Instant::now();
        let call = async { (self.poll.handler.call)(message.clone(), &self.handle).await };
        let mut call = pin!(AssertUnwindSafe(call).catch_unwind());
        let grace_over = async {
            self.stop.stopped().await;
            sleep(HANDLER_GRACE).await;
        };
        let result = tokio::select! {
            // In this order, so that a handler that has ended counts as such even if its time is over.
            biased;
            returned = &mut call => match returned {
                Ok(disposition) => HandlerCompletion::Returned(disposition),
                Err(panic) => HandlerCompletion::Panicked(panic_message(&*panic)),
            },
            () = grace_over => HandlerCompletion::Stopped,
            never = lease.keep_hidden(&self.queue, in_hand) => match never {},
        };
        self.metrics.observe_duration(&self.state.queue, started.elapsed());
        result
    }

    /// Deletes, keeps or gives back a message, by the result of its handler.
    async fn settle(
        &mut self,
        message: &Message,
        result: HandlerCompletion,
        in_hand: &[&Message],
        lease: &mut VisibilityLease,
    ) -> MessageResult {
        let (queue, id) = (&self.state.queue, message.id());
        match result {
            HandlerCompletion::Returned(Disposition::Delete) => {
                self.delete(message, in_hand, lease).await;
                self.state.record_success();
                self.metrics.count(&self.state.queue, "deleted");
                MessageResult::Deleted
            }
            HandlerCompletion::Returned(Disposition::Keep) => self.keep(),
            HandlerCompletion::Returned(Disposition::Failed(failure)) => {
                error!(queue, id, "Message {id} of the SQS queue {queue} was kept: {failure}");
                self.fail(&failure.to_string())
            }
            HandlerCompletion::Panicked(why) => {
                error!(
                    queue,
                    id,
                    "Message {id} of the SQS queue {queue} was kept, its handler panicked: {why}"
                );
                self.fail(&why)
            }
            HandlerCompletion::Stopped => {
                warn!(
                    queue,
                    id,
                    "Message {id} of the SQS queue {queue} was given back: its handler did not end in time"
                );
                self.give_back(std::slice::from_ref(message)).await;
                self.keep()
            }
        }
    }

    fn keep(&self) -> MessageResult {
        self.metrics.count(&self.state.queue, "kept");
        self.state.record_kept(None);
        MessageResult::Kept
    }

    fn fail(&self, why: &str) -> MessageResult {
        self.metrics.count(&self.state.queue, "failed");
        self.state.record_kept(Some(why));
        MessageResult::Failed
    }

    /// Deletes a message. One that cannot be deleted is delivered again, and is then deleted without being
    /// handled a second time.
    async fn delete(
        &mut self,
        message: &Message,
        in_hand: &[&Message],
        lease: &mut VisibilityLease,
    ) {
        let id = message.id();
        // Boxed, because the SDK's future is several KiB large.
        let delete = Box::pin(self.queue.delete(message));
        let deleted = tokio::select! {
            deleted = delete => deleted,
            never = lease.keep_hidden(&self.queue, in_hand) => match never {},
        };
        match deleted {
            Ok(()) => {
                self.undeleted.retain(|other| other != id);
                self.state.record_deleted();
            }
            Err(error) => {
                let queue = &self.state.queue;
                warn!(
                    queue,
                    id,
                    "Message {id} of the SQS queue {queue} was handled, but not deleted: {error}"
                );
                if self.undeleted.len() >= MAX_UNDELETED {
                    self.undeleted.pop_front();
                }
                self.undeleted.push_back(id.to_owned());
            }
        }
    }

    /// Makes messages visible to other consumers at once, in their order.
    async fn give_back(&self, messages: &[Message]) {
        if messages.is_empty() {
            return;
        }
        let all: Vec<&Message> = messages.iter().collect();
        match Box::pin(self.queue.extend_visibility(&all, Duration::ZERO)).await {
            Ok(()) => self.state.record_given_back(messages.len()),
            Err(error) => {
                info!(queue = self.state.queue, "Messages could not be given back: {error}");
            }
        }
    }
}

/// Returns how long a receive call may go on after the service was told to stop. It is not cancelled at
/// once, because the queue does not notice: a message that arrives before its wait is over would be
/// hidden from every consumer for the visibility timeout.
fn receive_grace(wait_time: Duration) -> Duration {
    // At most eight seconds, because the service waits ten for all background work.
    (wait_time + Duration::from_secs(1)).min(Duration::from_secs(8))
}

/// Splits the messages of one group from the others. Both keep their order.
fn split_group(batch: VecDeque<Message>, group: Option<&str>) -> (Vec<Message>, VecDeque<Message>) {
    let (same, rest): (Vec<_>, Vec<_>) =
        batch.into_iter().partition(|message| message.group() == group);
    (same, rest.into())
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
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
        Message::from_sdk(
            Received::builder().message_id(id).set_attributes(Some(attributes)).build(),
        )
    }

    #[test]
    fn the_rest_of_a_failed_group_is_split_off_in_its_order() {
        let batch = [("2", "a"), ("3", "b"), ("4", "a"), ("5", "b")];
        let batch = batch.iter().map(|(id, group)| of_group(id, group)).collect();
        let (same, rest) = split_group(batch, Some("a"));
        let ids = |messages: &mut dyn Iterator<Item = &Message>| {
            messages.map(|message| message.id().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(ids(&mut same.iter()), ["2", "4"]);
        assert_eq!(ids(&mut rest.iter()), ["3", "5"]);
    }

    #[test]
    fn a_receive_call_may_end_within_its_wait_time_but_not_longer_than_eight_seconds() {
        let grace = |seconds| receive_grace(Duration::from_secs(seconds)).as_secs();
        assert_eq!([grace(0), grace(5), grace(20)], [1, 6, 8]);
    }
}
