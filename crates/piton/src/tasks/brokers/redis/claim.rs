//! Claims tasks.

use std::collections::HashSet;
use std::sync::atomic::Ordering;

use redis::Value;
use tracing::{error, warn};

use super::delivery_tag::{DeliveryTag, Holder};
use super::enqueue::NewValue;
use super::incoming::{ClaimReply, Incoming, Unreadable};
use super::keys;
use super::link::Arguments;
use super::scripts::Script;
use super::stored_record::{PROGRESS, REVOKED, STARTED, SUCCESS, StoredRecord};
use super::times::seconds;
use super::{HeldTask, Inner};
use crate::tasks::brokers::records::{
    ClaimedBatch, ClaimedTask, FinalState, FinishedTask, NewTask, Outcome, Settlement, WorkerId,
};
use crate::tasks::error::BrokerError;
use crate::tasks::group::{abandoned_by, revoked};

/// The size of the messages of one claim beyond which no further one is taken.
const MAX_CLAIM_BYTES: usize = 16 << 20;

/// Maximum number of tasks of one claim: the others run meanwhile.
const MAX_CLAIM: usize = 2000;

/// Maximum number of claims in one call.
const MAX_ROUNDS: usize = 50;

/// Maximum number of messages that cannot be read, in each queue's list of them. The oldest are removed.
const MAX_DEAD_LETTERS: isize = 10_000;

impl Inner {
    pub async fn claim(
        &self,
        worker: WorkerId,
        queues: &[String],
        max: usize,
    ) -> Result<ClaimedBatch, BrokerError> {
        self.give_back_unknown(worker).await?;
        let (max, mut claimed) = (max.min(MAX_CLAIM), ClaimedBatch::default());
        // Again while all that was found waits for its time: ready ones may come after it.
        for _ in 0..MAX_ROUNDS {
            let number = self.last_batch.fetch_add(1, Ordering::Relaxed) + 1;
            let wanted = max - claimed.tasks.len();
            let batch = self.claim_batch(worker, queues, wanted, number).await.inspect_err(|_| {
                self.give_back_later(worker, &claimed.tasks);
                let mut claims = self.claims.lock();
                claims.entry(worker.0).or_default().unknown_batches.push(number);
            });
            let (batch, found) = batch?;
            claimed.next_due_at_ms = batch.next_due_at_ms;
            let is_full = found < wanted || batch.tasks.len() == wanted;
            claimed.tasks.extend(batch.tasks);
            if is_full {
                break;
            }
        }
        Ok(claimed)
    }

    /// Claims once. Returns the tasks that are ready, and the number of messages that were found.
    async fn claim_batch(
        &self,
        worker: WorkerId,
        queues: &[String],
        max: usize,
        batch: u64,
    ) -> Result<(ClaimedBatch, usize), BrokerError> {
        let arguments = self.claim_arguments(worker, queues, max, batch);
        let reply: Vec<Value> = self.broker.run(Script::Claim, &arguments).await?;
        let Some(reply) = ClaimReply::read(reply) else { return Ok(Default::default()) };
        self.log_fault(reply.fault);
        let found = reply.messages.len();
        let mut next_due_at_ms = reply.next_due_at_ms;
        let (mut unreadable, mut incoming) = (Vec::new(), Vec::with_capacity(reply.messages.len()));
        for (tag, message) in reply.messages {
            match Incoming::read(&tag, message, self.new_key()) {
                Ok(message) => incoming.push(message),
                Err(message) => unreadable.push(*message),
            }
        }
        self.put_aside(unreadable).await?;
        let now_ms = self.clock.now_ms();
        let (ready, early): (Vec<_>, Vec<_>) = incoming
            .into_iter()
            .partition(|message| message.task.due_at_ms.is_none_or(|due| due <= now_ms));
        let first_due = early.iter().filter_map(|message| message.task.due_at_ms).min();
        next_due_at_ms = [next_due_at_ms, first_due].into_iter().flatten().min();
        self.park(&early).await?;
        let tasks = self.start(worker, ready, reply.has_revoked, reply.has_lost, now_ms).await?;
        Ok((ClaimedBatch { tasks, next_due_at_ms }, found))
    }

    /// Logs why the list of a queue cannot be read, once.
    fn log_fault(&self, fault: Option<String>) {
        let mut last = self.last_fault.lock();
        if *last != fault {
            if let Some(fault) = &fault {
                warn!(
                    "The list of a queue cannot be read, so its tasks do not run: {fault}. Remove or rename the key"
                );
            }
            *last = fault;
        }
    }

    fn claim_arguments(
        &self,
        worker: WorkerId,
        queues: &[String],
        max: usize,
        batch: u64,
    ) -> Arguments {
        let mut arguments = Arguments::default();
        arguments
            .push(self.keys.prefix())
            .push_number(worker.0)
            .push(self.offset_ms())
            .push_number(max)
            .push_number(MAX_CLAIM_BYTES)
            .push_number(self.visibility_timeout.as_secs_f64())
            .push_number(batch);
        // Another queue is first each time, so that a full one does not keep the others waiting.
        let first = usize::try_from(batch).unwrap_or_default() % queues.len().max(1);
        for step in self.keys.steps() {
            for queue in queues[first..].iter().chain(&queues[..first]) {
                arguments.push(self.keys.list(queue, *step)).push_number(step).push(queue.as_str());
            }
        }
        arguments
    }

    /// Moves messages that nobody can run to their queue's list of dead letters, with the reason.
    async fn put_aside(&self, messages: Vec<Unreadable>) -> Result<(), BrokerError> {
        if messages.is_empty() {
            return Ok(());
        }
        let (mut stored, mut removed) = (redis::pipe(), redis::pipe());
        for Unreadable { tag, queue, message, why } in messages {
            let list = self.keys.dead_letters(&queue);
            error!(
                queue,
                "A message of the queue `{queue}` cannot be read, and goes to the list `{list}`: {why}"
            );
            let letter = serde_json::json!({
                "reason": why,
                "queue": queue,
                "put_aside_at_ms": self.clock.now_ms(),
                "message": String::from_utf8_lossy(&message),
            });
            stored.cmd("LPUSH").arg(&list).arg(letter.to_string()).ignore();
            stored.cmd("LTRIM").arg(&list).arg(0).arg(MAX_DEAD_LETTERS - 1).ignore();
            removed.cmd("HDEL").arg(self.keys.named("unacked")).arg(&tag).ignore();
            removed.cmd("ZREM").arg(self.keys.named("unacked_index")).arg(&tag).ignore();
        }
        // One after the other: what cannot be stored stays where it is.
        self.broker.pipe::<()>(&stored).await?;
        self.broker.pipe(&removed).await
    }

    /// Lets messages wait for their time, in the broker.
    async fn park(&self, messages: &[Incoming]) -> Result<(), BrokerError> {
        if messages.is_empty() {
            return Ok(());
        }
        let mut arguments = Arguments::default();
        arguments.push(self.keys.prefix()).push_number(self.visibility_timeout.as_secs_f64());
        for Incoming { tag, task, .. } in messages {
            let due_at_ms = task.due_at_ms.unwrap_or_default();
            let target = self.schedule_tag(&tag.queue, tag.step);
            arguments.push(tag.to_string()).push(target).push(seconds(due_at_ms));
        }
        self.broker.run(Script::Park, &arguments).await
    }

    /// Returns a new tag of a message that waits for its time.
    pub fn schedule_tag(&self, queue: &str, step: u8) -> String {
        let number = format!("{:016x}", fastrand::u64(..));
        DeliveryTag { holder: Holder::Schedule, number, step, queue: queue.to_owned() }.to_string()
    }

    /// Marks claimed tasks as started. Ends those that are revoked, or that another worker has finished.
    async fn start(
        &self,
        worker: WorkerId,
        mut messages: Vec<Incoming>,
        has_revoked: bool,
        has_lost: bool,
        now_ms: i64,
    ) -> Result<Vec<ClaimedTask>, BrokerError> {
        if messages.is_empty() {
            return Ok(Vec::new());
        }
        let ids = || messages.iter().map(|message| message.task.id.as_str());
        let revoked = if has_revoked {
            self.revoked_among(keys::REVOKED, ids()).await?
        } else {
            HashSet::new()
        };
        if has_lost {
            let losses = self.losses_of(ids()).await?;
            for (message, losses) in messages.iter_mut().zip(losses) {
                message.task.losses = losses;
            }
        }
        let records = self.records_of(&messages).await?;
        let name = self.worker_name(worker);
        let (mut started, mut values, mut ended) = (Vec::new(), Vec::new(), Vec::new());
        for (message, record) in messages.into_iter().zip(records) {
            let status = record.as_ref().map_or("", |record| record.status.as_str());
            let is_revoked = status == REVOKED || revoked.contains(&message.task.id);
            let is_done = status == SUCCESS && (message.is_redelivered || message.task.losses > 0);
            // Put back by a worker of Celery, which counts no losses, after it had started.
            let has_started = matches!(status, STARTED | PROGRESS) || record.is_none();
            let is_lost = message.is_redelivered && message.task.losses == 0 && has_started;
            let Incoming { name: task_name, mut task, tag, ignores_result, chord, .. } = message;
            let (parent_id, group) = (message.parent_id, message.group);
            task.losses += u32::from(is_lost);
            let mut record = record.unwrap_or_default();
            record.parent_id = record.parent_id.or(parent_id);
            record.group_id = record.group_id.or(group);
            record.start(&task, &task_name, &name, now_ms);
            let created_at_ms = record.created_at_ms();
            task.created_at_ms = if created_at_ms > 0 { created_at_ms } else { now_ms };
            record.own().created_at_ms = task.created_at_ms;
            // The result of a task that is done, and its place in a chord, are stored.
            let has_record = !ignores_result && !is_done;
            let chord = chord.filter(|_| !is_done);
            let held = HeldTask { id: task.id.clone(), tag, record, has_record, chord };
            if is_revoked || is_done {
                let abandoned =
                    if is_revoked { abandoned_by(&task.message, now_ms) } else { Vec::new() };
                ended.push((task.key, is_revoked, abandoned));
                self.hold(worker, task.key, held);
                continue;
            }
            values.extend(has_record.then(|| self.value_of(&held.record)));
            self.hold(worker, task.key, held);
            started.push(task);
        }
        self.store_unless_final(&values, false).await?;
        self.end(worker, ended, now_ms).await?;
        Ok(started)
    }

    /// Ends tasks that are not run: revoked, or finished by another worker that could not acknowledge them.
    async fn end(
        &self,
        worker: WorkerId,
        ended: Vec<(i64, bool, Vec<NewTask>)>,
        now_ms: i64,
    ) -> Result<(), BrokerError> {
        let settlement = |(key, is_revoked, abandoned): (i64, bool, Vec<NewTask>)| {
            let finished = FinishedTask {
                state: FinalState::Revoked,
                result: revoked(),
                traceback: None,
                started_at_ms: None,
                finished_at_ms: now_ms,
                keep_message: true,
            };
            let outcome = Outcome::Finished(is_revoked.then_some(finished));
            let id = self.held(worker, key).map(|held| held.id).unwrap_or_default();
            Settlement { key, id, outcome, follow_ups: Vec::new(), groups: Vec::new(), abandoned }
        };
        let settlements: Vec<_> = ended.into_iter().map(settlement).collect();
        if !settlements.is_empty() {
            self.settle(worker, settlements).await?;
        }
        Ok(())
    }

    /// Returns the records of messages whose senders want a result.
    async fn records_of(
        &self,
        messages: &[Incoming],
    ) -> Result<Vec<Option<StoredRecord>>, BrokerError> {
        let wants = |message: &&Incoming| !message.ignores_result;
        let mut command = redis::cmd("MGET");
        messages.iter().filter(wants).for_each(|message| {
            command.arg(self.keys.result(&message.task.id));
        });
        let mut stored: std::vec::IntoIter<Option<Vec<u8>>> =
            match messages.iter().any(|it| wants(&it)) {
                true => self.results().query::<Vec<_>>(&command).await?.into_iter(),
                false => Vec::new().into_iter(),
            };
        let record = |message: &Incoming| {
            let json = wants(&message).then(|| stored.next()).flatten().flatten()?;
            StoredRecord::parse(&json)
        };
        Ok(messages.iter().map(record).collect())
    }

    /// Stores records of tasks that have not ended, except over those of tasks that have: this worker may be late. Returns
    /// the number of those that were stored.
    pub async fn store_unless_final(
        &self,
        values: &[NewValue],
        publishes: bool,
    ) -> Result<usize, BrokerError> {
        self.store_unless("final", values.iter(), publishes).await
    }

    /// Stores records, except over those of tasks that have ended: in any state (`final`), or with a `success`.
    pub async fn store_unless<'a>(
        &self,
        mode: &str,
        values: impl Iterator<Item = &'a NewValue>,
        publishes: bool,
    ) -> Result<usize, BrokerError> {
        let mut arguments = Arguments::default();
        arguments.push(mode).push(if publishes { "1" } else { "0" });
        let mut is_empty = true;
        for NewValue { key, value, ttl_ms } in values {
            arguments.push(key.as_str()).push(value.as_slice()).push_number(ttl_ms);
            is_empty = false;
        }
        if is_empty {
            return Ok(0);
        }
        self.results().run(Script::StoreUnlessFinal, &arguments).await
    }

    /// Stores records, without telling those who wait for results.
    pub async fn store(&self, values: &[NewValue]) -> Result<(), BrokerError> {
        if values.is_empty() {
            return Ok(());
        }
        let mut pipeline = redis::pipe();
        for NewValue { key, value, ttl_ms } in values {
            pipeline.cmd("SET").arg(key).arg(value).arg("PX").arg(ttl_ms).ignore();
        }
        self.results().pipe(&pipeline).await
    }

    /// Returns those of `ids` that are in a set of revoked tasks.
    pub async fn revoked_among<'a>(
        &self,
        set: &str,
        ids: impl Iterator<Item = &'a str> + Clone,
    ) -> Result<HashSet<String>, BrokerError> {
        let mut command = redis::cmd("ZMSCORE");
        command.arg(self.keys.named(set));
        ids.clone().for_each(|id| {
            command.arg(id);
        });
        let scores: Vec<Option<f64>> = self.broker.query(&command).await?;
        let is_revoked = ids.zip(scores).filter(|(_, score)| score.is_some());
        Ok(is_revoked.map(|(id, _)| id.to_owned()).collect())
    }

    async fn losses_of<'a>(
        &self,
        ids: impl Iterator<Item = &'a str>,
    ) -> Result<Vec<u32>, BrokerError> {
        let mut command = redis::cmd("HMGET");
        command.arg(self.keys.named("piton:losses"));
        ids.for_each(|id| {
            command.arg(id);
        });
        let losses: Vec<Option<u32>> = self.broker.query(&command).await?;
        Ok(losses.into_iter().map(Option::unwrap_or_default).collect())
    }

    /// Lets the next claim give back tasks that were claimed for a caller that is gone.
    pub fn give_back_later(&self, worker: WorkerId, tasks: &[ClaimedTask]) {
        let mut claims = self.claims.lock();
        let Some(claims) = claims.get_mut(&worker.0) else { return };
        for task in tasks {
            let Some(batch) = claims.held.remove(&task.key).and_then(|held| held.tag.batch())
            else {
                continue;
            };
            if claims.unknown_batches.last() != Some(&batch) {
                claims.unknown_batches.push(batch);
            }
        }
    }
}
