//! Ends claims: results, retries, what is given back, and the tasks that follow.

use std::collections::HashSet;

use piton_celery::{Envelope, TaskHeaders};

use super::chord_member::MAX_BODY_BYTES;
use super::delivery::Delivery;
use super::delivery_tag::DeliveryTag;
use super::effects::{Effects, SentTask};
use super::enqueue::NewValue;
use super::link::{Arguments, Link};
use super::scripts::Script;
use super::times::{seconds, ttl_ms};
use super::{HeldTask, Inner};
use crate::tasks::brokers::records::{
    Batch, FinalState, FinishedTask, NewTask, Outcome, Settled, Settlement, WorkerId,
};
use crate::tasks::error::{BrokerError, Kind};

/// Maximum number of settlements in one script, so that none keeps Redis busy for long.
const MAX_SETTLED: usize = 200;

/// The end of a claimed message.
enum Action {
    Acknowledge {
        keeps_message: bool,
    },
    /// Moves it back to the head of its list.
    Restore,
    /// Schedules it for a time. `message` replaces the one that was claimed.
    Park {
        due_at_ms: i64,
        message: String,
    },
}

/// One settlement, ready to be applied.
struct Ending {
    position: usize,
    key: i64,
    task: HeldTask,
    action: Action,
    effects: Effects,
}

impl Inner {
    pub async fn settle(
        &self,
        worker: WorkerId,
        settlements: Vec<Settlement>,
    ) -> Result<Settled, BrokerError> {
        let keys: Vec<i64> = settlements.iter().map(|settlement| settlement.key).collect();
        let (mut fenced, mut seen) = (HashSet::new(), HashSet::new());
        for (part, settlements) in chunks(settlements).into_iter().enumerate() {
            let first = part * MAX_SETTLED;
            let mut endings = Vec::with_capacity(settlements.len());
            for (index, settlement) in settlements.into_iter().enumerate() {
                let position = first + index;
                // Of two settlements of a task the first counts.
                let is_first = seen.insert(settlement.key);
                if let Some(task) = self.held(worker, settlement.key).filter(|_| is_first) {
                    endings.extend(self.ending(position, task, settlement).await?);
                }
            }
            let applied = self.apply(&mut endings).await?;
            fenced.extend(
                (first..keys.len().min(first + MAX_SETTLED)).filter(|at| !applied.contains(at)),
            );
            if let Some(claims) = self.claims.lock().get_mut(&worker.0) {
                endings.iter().for_each(|ending| drop(claims.held.remove(&ending.key)));
            }
        }
        let mut fenced: Vec<usize> = fenced.into_iter().collect();
        fenced.sort_unstable();
        Ok(Settled { fenced: fenced.into_iter().map(|at| keys[at]).collect() })
    }

    /// Returns what a settlement does. `None` if its claim is gone already.
    async fn ending(
        &self,
        position: usize,
        task: HeldTask,
        settlement: Settlement,
    ) -> Result<Option<Ending>, BrokerError> {
        let abandoned: Vec<(NewTask, String)> = settlement
            .failures()
            .map(|(task, exception)| (task.clone(), exception.to_owned()))
            .collect();
        let Settlement { key, outcome, follow_ups, groups, .. } = settlement;
        let mut effects = Effects::default();
        let children: Vec<String> = follow_ups.iter().map(|task| task.id.clone()).collect();
        self.send_batch(&mut effects, Batch { tasks: follow_ups, groups }).await?;
        let action = match outcome {
            Outcome::Finished(finished) => {
                // What is counted in chords cannot be taken back.
                let is_counted = task.chord.is_some() || !abandoned.is_empty();
                if is_counted && !self.is_claimed(&task.tag).await? {
                    return Ok(None);
                }
                self.abandon_all(&abandoned, &mut effects).await?;
                let keeps_message = finished.as_ref().is_some_and(|it| it.keep_message);
                let children: Vec<&str> = children.iter().map(String::as_str).collect();
                self.finish(&task, finished.as_ref(), &children, &mut effects);
                if let Some(member) = &task.chord {
                    let (state, result) = match &finished {
                        Some(finished) => (finished.state, finished.result.as_str()),
                        None => (FinalState::Success, "null"),
                    };
                    self.end_member(member, &task.id, state, result, &mut effects).await?;
                }
                Action::Acknowledge { keeps_message }
            }
            Outcome::Released => {
                if task.has_record {
                    let mut record = task.record.clone();
                    record.wait(None);
                    effects.set.push((self.value_of(&record), false));
                }
                Action::Restore
            }
            Outcome::Rescheduled { due_at_ms, retries, error } => {
                let Some(message) = self.message_of(&task.tag).await? else { return Ok(None) };
                let message = again(&message, due_at_ms, retries)?;
                if task.has_record {
                    let mut record = task.record.clone();
                    record.retry(due_at_ms, retries, error.as_deref());
                    effects.set.push((self.value_of(&record), error.is_some()));
                }
                Action::Park { due_at_ms, message }
            }
        };
        Ok(Some(Ending { position, key, task, action, effects }))
    }

    /// Adds the result of a task.
    fn finish(
        &self,
        task: &HeldTask,
        finished: Option<&FinishedTask>,
        children: &[&str],
        effects: &mut Effects,
    ) {
        let key = self.keys.result(&task.id);
        let Some(finished) = finished else {
            effects.remove.extend(task.has_record.then_some(key));
            return;
        };
        // A failure is worth knowing of even if nobody waits for the result: it can be run again.
        if finished.state == FinalState::Success && !task.has_record {
            return;
        }
        let mut record = task.record.clone();
        record.finish(finished, children);
        let keep = match finished.state {
            FinalState::Failure => self.keep_failures,
            FinalState::Success | FinalState::Revoked => self.keep_results,
        };
        let value = NewValue { key, value: record.to_json(), ttl_ms: ttl_ms(keep) };
        effects.set.push((value, true));
    }

    /// Adds tasks that are sent with a settlement.
    pub fn send_later(&self, effects: &mut Effects, tasks: &[NewTask]) {
        let sent = tasks.iter().map(|task| SentTask {
            record: self.record_of(task),
            list: self.keys.list(&task.queue, self.keys.step_of(task.priority)),
            message: task.message.clone(),
        });
        effects.send.extend(sent);
    }

    /// Applies settlements. Returns the positions of those that were applied.
    async fn apply(&self, endings: &mut [Ending]) -> Result<HashSet<usize>, BrokerError> {
        if endings.is_empty() {
            return Ok(HashSet::new());
        }
        let Some(results) = &self.separate_results else {
            return self.apply_steps(endings, Steps::All).await;
        };
        // First what follows, then the result, then the end of the claim: if it stops in between, the task runs again.
        self.leave_out_sent(results, endings).await?;
        let mut groups = redis::pipe();
        endings.iter().for_each(|ending| ending.effects.prepare_in(&mut groups));
        // Also those of claims that are gone: nobody counts in them, or another run opens the same ones.
        results.pipe::<()>(&groups).await?;
        let held = self.apply_steps(endings, Steps::Send).await?;
        let mut removed = redis::pipe();
        let held = || endings.iter().filter(|ending| held.contains(&ending.position));
        let set = |publishes| {
            let all = held().flat_map(|ending| &ending.effects.set);
            all.filter(move |(_, published)| *published == publishes).map(|(value, _)| value)
        };
        self.store_unless("success", set(true), true).await?;
        self.store_unless("final", set(false), false).await?;
        held().for_each(|ending| ending.effects.remove_and_create_in(&mut removed));
        results.pipe::<()>(&removed).await?;
        self.apply_steps(endings, Steps::Acknowledge).await
    }

    /// Removes the tasks from `endings` whose records exist: they were sent before.
    async fn leave_out_sent(
        &self,
        results: &Link,
        endings: &mut [Ending],
    ) -> Result<(), BrokerError> {
        let sent = endings.iter().flat_map(|ending| &ending.effects.send);
        let keys: Vec<&str> =
            sent.filter_map(|task| Some(task.record.as_ref()?.key.as_str())).collect();
        if keys.is_empty() {
            return Ok(());
        }
        let mut pipeline = redis::pipe();
        for key in &keys {
            pipeline.cmd("EXISTS").arg(key);
        }
        let exist: Vec<bool> = results.pipe(&pipeline).await?;
        let is_sent = keys.into_iter().zip(exist).filter(|(_, exists)| *exists);
        let is_sent: HashSet<String> = is_sent.map(|(key, _)| key.to_owned()).collect();
        for ending in endings {
            let is_new = |task: &SentTask| {
                task.record.as_ref().is_none_or(|record| !is_sent.contains(&record.key))
            };
            ending.effects.send.retain(is_new);
        }
        Ok(())
    }

    async fn apply_steps(
        &self,
        endings: &[Ending],
        steps: Steps,
    ) -> Result<HashSet<usize>, BrokerError> {
        let mut arguments = Arguments::default();
        arguments.push(self.keys.prefix()).push_number(self.visibility_timeout.as_secs_f64());
        arguments.push(if steps == Steps::Send { "0" } else { "1" }).push_number(endings.len());
        for ending in endings {
            self.add_ending(&mut arguments, ending);
            add_effects(&mut arguments, &ending.effects, steps);
        }
        let fenced: Vec<usize> = self.broker.run(Script::Settle, &arguments).await?;
        let applied = endings.iter().enumerate().filter(|(at, _)| !fenced.contains(&(at + 1)));
        Ok(applied.map(|(_, ending)| ending.position).collect())
    }

    fn add_ending(&self, arguments: &mut Arguments, ending: &Ending) {
        let HeldTask { id, tag, .. } = &ending.task;
        let DeliveryTag { queue, step, .. } = tag;
        arguments.push(tag.to_string()).push(id.as_str());
        match &ending.action {
            Action::Acknowledge { .. } => arguments.push("ack").push("").push("").push(""),
            Action::Restore => {
                arguments.push("restore").push("").push(self.keys.list(queue, *step)).push("")
            }
            Action::Park { due_at_ms, message } => {
                let tag = self.schedule_tag(queue, *step);
                arguments.push("park").push(message.as_str()).push(tag).push(seconds(*due_at_ms))
            }
        };
        match ending.action {
            Action::Acknowledge { keeps_message: true } => {
                arguments.push(self.keys.message(id)).push_number(ttl_ms(self.keep_failures));
            }
            _ => {
                arguments.push("").push("0");
            }
        }
    }

    async fn is_claimed(&self, tag: &DeliveryTag) -> Result<bool, BrokerError> {
        let mut command = redis::cmd("HEXISTS");
        command.arg(self.keys.named("unacked")).arg(tag.to_string());
        self.broker.query(&command).await
    }

    /// Returns an unacknowledged message.
    async fn message_of(&self, tag: &DeliveryTag) -> Result<Option<Vec<u8>>, BrokerError> {
        let mut command = redis::cmd("HGET");
        command.arg(self.keys.named("unacked")).arg(tag.to_string());
        let value: Option<Vec<u8>> = self.broker.query(&command).await?;
        let delivery = value.as_deref().and_then(Delivery::read);
        Ok(delivery.map(|delivery| delivery.message.to_string().into_bytes()))
    }

    pub async fn report_progress(
        &self,
        worker: WorkerId,
        progress: &[(i64, String)],
    ) -> Result<(), BrokerError> {
        let mut values = Vec::new();
        for (key, progress) in progress {
            self.change_held(worker, *key, |held| {
                if !held.has_record {
                    return;
                }
                let record = &mut held.record;
                record.report(progress);
                values.push(self.value_of(record));
            });
        }
        self.store_unless_final(&values, true).await.map(|_| ())
    }
}

/// The parts of settlements that one script does.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Steps {
    All,
    /// Sends the tasks that follow, and stores nothing.
    Send,
    /// Ends the claims.
    Acknowledge,
}

fn add_effects(arguments: &mut Arguments, effects: &Effects, steps: Steps) {
    let Effects { before, set, remove, send } = effects;
    let stores = steps == Steps::All;
    let (set, remove) = if stores { (&set[..], &remove[..]) } else { Default::default() };
    let before = if stores { &before[..] } else { Default::default() };
    arguments.push_number(before.len() + set.len());
    for NewValue { key, value, ttl_ms } in before {
        arguments.push(key.as_str()).push(value.as_slice()).push_number(ttl_ms).push("0");
    }
    for (NewValue { key, value, ttl_ms }, publishes) in set {
        arguments.push(key.as_str()).push(value.as_slice()).push_number(ttl_ms);
        arguments.push(if *publishes { "1" } else { "0" });
    }
    arguments.push_number(remove.len());
    arguments.push_all(remove.iter().map(String::as_str));
    let send = if steps == Steps::Acknowledge { Default::default() } else { &send[..] };
    arguments.push_number(send.len());
    for SentTask { record, list, message } in send {
        match record.as_ref().filter(|_| stores) {
            Some(NewValue { key, value, ttl_ms }) => {
                arguments.push(key.as_str()).push(value.as_slice()).push_number(ttl_ms)
            }
            None => arguments.push("").push("").push("0"),
        };
        arguments.push(list.as_str()).push(message.as_str());
    }
}

fn chunks(settlements: Vec<Settlement>) -> Vec<Vec<Settlement>> {
    let mut chunks = Vec::with_capacity(settlements.len().div_ceil(MAX_SETTLED));
    let mut settlements = settlements.into_iter().peekable();
    while settlements.peek().is_some() {
        chunks.push(settlements.by_ref().take(MAX_SETTLED).collect());
    }
    chunks
}

/// Returns a message for another attempt: as a worker of Celery sends it, with the id of the task, one more retry, and the
/// time at which it is due. Under a tag of its own, because Celery keeps messages by their tags.
fn again(message: &[u8], due_at_ms: i64, retries: u32) -> Result<String, BrokerError> {
    let malformed = |error: piton_celery::Error| {
        BrokerError::new(
            Kind::Other,
            format!("the task cannot be sent for another attempt: {error}"),
        )
    };
    let mut envelope = Envelope::<TaskHeaders>::from_slice(message).map_err(malformed)?;
    if envelope.headers.task.is_empty() {
        // Protocol 1 has all of this in its body: reading it makes it protocol 2.
        envelope.decode_body(MAX_BODY_BYTES).map_err(malformed)?;
    }
    envelope.headers.retries = retries;
    // It is a delivery of its own, that nobody has lost.
    envelope.headers.redelivered = None;
    envelope.properties.delivery_info.redelivered = None;
    let eta = chrono::DateTime::<chrono::Utc>::from_timestamp_millis(due_at_ms);
    envelope.headers.eta = eta.map(Into::into);
    envelope.properties.delivery_tag = uuid::Uuid::from_u128(fastrand::u128(..)).to_string();
    let message = envelope.to_vec().map_err(malformed)?;
    Ok(String::from_utf8(message).expect("JSON is UTF-8"))
}
