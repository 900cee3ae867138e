//! The registrations of workers, their leases, and what is given back when they end.

use std::collections::HashMap;
use std::time::Duration;

use redis::Value;
use serde_json::json;
use tokio::time::Instant;

use super::delivery::Delivery;
use super::delivery_tag::DeliveryTag;
use super::keys::{Keys, TERMINATED};
use super::link::Arguments;
use super::scripts::Script;
use super::stored_record::StoredRecord;
use super::times::{seconds, ttl_ms};
use super::{HeldTask, Inner, WorkerClaims};
use crate::tasks::brokers::records::{WorkerId, WorkerInfo};
use crate::tasks::clock::millis;
use crate::tasks::error::BrokerError;

/// Maximum number of messages that one script puts back, so that none keeps Redis busy for long.
const MAX_RESTORED: usize = 200;

/// A message to put back to the head of its list.
struct Returned {
    tag: String,
    /// Empty if it is not known.
    id: String,
    list: String,
    /// `None` for the one that is stored.
    message: Option<String>,
}

impl Inner {
    pub async fn register(
        &self,
        worker: &WorkerInfo,
        lease: Duration,
    ) -> Result<WorkerId, BrokerError> {
        // At random, and within the integers that Lua has, so that none is used again even if the server was emptied.
        let id = fastrand::i64(1..1 << 53);
        let description = json!({
            "name": worker.name,
            "queues": worker.queues,
            "concurrency": worker.concurrency,
            "started_at_ms": worker.started_at_ms,
        });
        let mut pipeline = redis::pipe();
        for queue in &worker.queues {
            // So that messages to the exchange of the queue's name arrive, and Celery's monitors show the queue.
            pipeline.cmd("SADD").arg(self.keys.bindings(queue)).arg(Keys::binding(queue)).ignore();
        }
        if !worker.queues.is_empty() {
            self.broker.pipe::<()>(&pipeline).await?;
        }
        // Written again, because the server may have come back empty.
        self.known_queues.lock().clear();
        self.remember_queues(worker.queues.iter().map(String::as_str)).await?;
        let mut arguments = self.worker_arguments("register");
        arguments.push_number(id).push_number(millis(lease)).push(description.to_string());
        self.broker.run::<Value>(Script::Worker, &arguments).await?;
        let claims = WorkerClaims { name: worker.name.clone(), ..WorkerClaims::default() };
        self.claims.lock().insert(id, claims);
        Ok(WorkerId(id))
    }

    fn worker_arguments(&self, verb: &str) -> Arguments {
        let mut arguments = Arguments::default();
        arguments.push(self.keys.prefix()).push(self.offset_ms()).push(verb);
        arguments
    }

    pub async fn renew(
        &self,
        worker: WorkerId,
        lease: Duration,
    ) -> Result<Option<Vec<i64>>, BrokerError> {
        let mut arguments = self.worker_arguments("renew");
        arguments.push_number(worker.0).push_number(millis(lease));
        let tags = self.tags_to_show(worker);
        arguments.push_all(tags);
        let reply: Vec<u64> = self.broker.run(Script::Worker, &arguments).await?;
        let [1, revoked] = reply[..] else {
            self.claims.lock().remove(&worker.0);
            return Ok(None);
        };
        if revoked == 0 {
            return Ok(Some(Vec::new()));
        }
        let held: Vec<(i64, String)> = {
            let claims = self.claims.lock();
            let held = claims.get(&worker.0).into_iter().flat_map(|claims| &claims.held);
            held.map(|(key, task)| (*key, task.id.clone())).collect()
        };
        if held.is_empty() {
            return Ok(Some(Vec::new()));
        }
        let revoked =
            self.revoked_among(TERMINATED, held.iter().map(|(_, id)| id.as_str())).await?;
        let is_revoked = held.iter().filter(|(_, id)| revoked.contains(id));
        Ok(Some(is_revoked.map(|(key, _)| *key).collect()))
    }

    /// Returns the tags of the claims that workers of Celery are to see as alive: they put back what is older than the
    /// visibility timeout.
    fn tags_to_show(&self, worker: WorkerId) -> Vec<String> {
        let mut claims = self.claims.lock();
        let Some(claims) = claims.get_mut(&worker.0) else { return Vec::new() };
        let is_due =
            claims.shown.is_none_or(|shown| shown.elapsed() >= self.visibility_timeout / 4);
        if !is_due {
            return Vec::new();
        }
        claims.shown = Some(Instant::now());
        claims.held.values().map(|task| task.tag.to_string()).collect()
    }

    pub async fn unregister(&self, worker: WorkerId) -> Result<(), BrokerError> {
        let mut arguments = self.worker_arguments("give_up");
        arguments.push_number(worker.0);
        self.broker.run::<Value>(Script::Worker, &arguments).await?;
        self.restore_all_of(worker.0, false).await?;
        self.claims.lock().remove(&worker.0);
        Ok(())
    }

    pub async fn release_lost(&self) -> Result<u64, BrokerError> {
        let mut arguments = self.worker_arguments("give_up");
        arguments.push("");
        let lost: Vec<i64> = self.broker.run(Script::Worker, &arguments).await?;
        let mut restored = 0;
        for worker in lost {
            restored += self.restore_all_of(worker, true).await?;
        }
        Ok(restored + self.sweep().await?)
    }

    /// Puts back all messages of a worker, and removes it.
    async fn restore_all_of(&self, worker: i64, is_loss: bool) -> Result<u64, BrokerError> {
        let tags = self.tags_like(&DeliveryTag::all_of(worker)).await?;
        let restored = self.restore_own(tags, is_loss).await?;
        let mut arguments = self.worker_arguments("remove");
        arguments.push_number(worker);
        self.broker.run::<Value>(Script::Worker, &arguments).await?;
        Ok(restored)
    }

    /// Puts back the messages of claims whose replies were lost.
    pub async fn give_back_unknown(&self, worker: WorkerId) -> Result<(), BrokerError> {
        let batches = {
            let claims = self.claims.lock();
            claims.get(&worker.0).map(|claims| claims.unknown_batches.clone()).unwrap_or_default()
        };
        for batch in &batches {
            let tags = self.tags_like(&DeliveryTag::all_of_batch(worker.0, *batch)).await?;
            self.restore_own(tags, false).await?;
        }
        if let Some(claims) = self.claims.lock().get_mut(&worker.0) {
            claims.unknown_batches.retain(|batch| !batches.contains(batch));
            if !batches.is_empty() {
                let is_back =
                    |task: &HeldTask| task.tag.batch().is_some_and(|it| batches.contains(&it));
                claims.held.retain(|_, task| !is_back(task));
            }
        }
        Ok(())
    }

    /// Returns the tags of unacknowledged messages that match a pattern.
    async fn tags_like(&self, pattern: &str) -> Result<Vec<String>, BrokerError> {
        let (mut tags, mut cursor) = (Vec::new(), 0_u64);
        loop {
            let mut command = redis::cmd("ZSCAN");
            command.arg(self.keys.named("unacked_index")).arg(cursor);
            command.arg("MATCH").arg(pattern).arg("COUNT").arg(1000);
            let (next, found): (u64, Vec<(String, f64)>) = self.broker.query(&command).await?;
            tags.extend(found.into_iter().map(|(tag, _)| tag));
            cursor = next;
            if cursor == 0 {
                return Ok(tags);
            }
        }
    }

    /// Puts back messages that a worker of ours had claimed. Returns their number.
    async fn restore_own(&self, tags: Vec<String>, is_loss: bool) -> Result<u64, BrokerError> {
        let mut tags: Vec<DeliveryTag> =
            tags.iter().filter_map(|tag| DeliveryTag::parse(tag)).collect();
        // The first message last, because each goes to the head of its list.
        tags.sort_unstable_by_key(|tag| std::cmp::Reverse(tag.place()));
        tags.dedup();
        let mut restored = 0;
        for tags in tags.chunks(MAX_RESTORED) {
            let ids = self.ids_of(tags).await?;
            let returned = tags.iter().zip(ids).map(|(tag, id)| Returned {
                tag: tag.to_string(),
                id,
                list: self.keys.list(&tag.queue, tag.step),
                message: None,
            });
            restored += self.restore(returned.collect(), is_loss).await?;
        }
        Ok(restored)
    }

    /// Returns the ids of the tasks of unacknowledged messages, empty where they cannot be read.
    pub(super) async fn ids_of(&self, tags: &[DeliveryTag]) -> Result<Vec<String>, BrokerError> {
        let mut command = redis::cmd("HMGET");
        command.arg(self.keys.named("unacked"));
        tags.iter().for_each(|tag| {
            command.arg(tag.to_string());
        });
        let values: Vec<Option<Vec<u8>>> = self.broker.query(&command).await?;
        let id = |value: Option<Vec<u8>>| Delivery::read(&value?)?.id();
        Ok(values.into_iter().map(|value| id(value).unwrap_or_default()).collect())
    }

    /// Puts messages back. Returns their number.
    async fn restore(&self, returned: Vec<Returned>, is_loss: bool) -> Result<u64, BrokerError> {
        let mut arguments = Arguments::default();
        arguments.push(self.keys.prefix()).push(if is_loss { "1" } else { "0" });
        for Returned { tag, id, list, message } in &returned {
            arguments.push(tag.as_str()).push(id.as_str()).push(list.as_str());
            arguments.push(message.as_deref().unwrap_or_default());
        }
        let tags: Vec<String> = self.broker.run(Script::Restore, &arguments).await?;
        let is_restored = |it: &&Returned| !it.id.is_empty() && tags.contains(&it.tag);
        let ids: Vec<&str> = returned.iter().filter(is_restored).map(|it| it.id.as_str()).collect();
        self.mark_waiting(&ids).await?;
        Ok(tags.len() as u64)
    }

    /// Marks the records of tasks that were put back as waiting.
    async fn mark_waiting(&self, ids: &[&str]) -> Result<(), BrokerError> {
        if ids.is_empty() {
            return Ok(());
        }
        let mut command = redis::cmd("MGET");
        ids.iter().for_each(|id| {
            command.arg(self.keys.result(id));
        });
        let records: Vec<Option<Vec<u8>>> = self.results().query(&command).await?;
        let now_ms = self.clock.now_ms();
        let waiting = |json: Option<Vec<u8>>| {
            let mut record = StoredRecord::parse(&json?)?;
            if record.state(now_ms).is_final() {
                return None;
            }
            record.wait(None);
            Some(self.value_of(&record))
        };
        let values: Vec<_> = records.into_iter().filter_map(waiting).collect();
        self.store_unless_final(&values, false).await.map(|_| ())
    }

    /// Puts back what other programs have claimed and given up: messages older than the visibility timeout. Workers of
    /// Celery do the same, every 100 seconds.
    async fn sweep(&self) -> Result<u64, BrokerError> {
        let (mut restored, mut skipped) = (0, 0);
        loop {
            let end = self.clock.now_ms().saturating_sub(ttl_ms(self.visibility_timeout));
            let mut command = redis::cmd("ZRANGEBYSCORE");
            command.arg(self.keys.named("unacked_index")).arg("-inf");
            command.arg(seconds(end)).arg("LIMIT").arg(skipped).arg(MAX_RESTORED);
            let tags: Vec<String> = self.broker.query(&command).await?;
            let found = tags.len();
            // Those that wait for their time are put back by every claim.
            let tags: Vec<String> = tags
                .into_iter()
                .filter(|tag| {
                    let own = DeliveryTag::parse(tag);
                    own.is_none_or(|own| own.holder != super::delivery_tag::Holder::Schedule)
                })
                .collect();
            let (mut returned, mut broken) = (Vec::new(), Vec::new());
            for (tag, value) in self.deliveries(tags).await? {
                match value.as_deref().and_then(Delivery::read) {
                    // Of an exchange only Celery's workers know which queues are bound to it: they put it back.
                    Some(delivery) if !delivery.exchange.is_empty() => {}
                    Some(delivery) => returned.push(self.redelivered(tag, delivery)),
                    None => broken.push((tag, value)),
                }
            }
            // Losses of Celery's own tasks are counted by nobody, so the numbers would stay for good.
            let is_own = |it: &Returned| DeliveryTag::parse(&it.tag).is_some();
            let (own, theirs): (Vec<_>, Vec<_>) = returned.into_iter().partition(is_own);
            let moved = self.restore(own, true).await? + self.restore(theirs, false).await?;
            restored += moved;
            let removed = usize::try_from(moved).unwrap_or(found) + broken.len();
            self.drop_broken(broken).await?;
            // What stays would be found again.
            skipped += found.saturating_sub(removed);
            if found < MAX_RESTORED {
                return Ok(restored);
            }
        }
    }

    /// Returns the entries of unacknowledged messages by their tags.
    async fn deliveries(
        &self,
        tags: Vec<String>,
    ) -> Result<Vec<(String, Option<Vec<u8>>)>, BrokerError> {
        if tags.is_empty() {
            return Ok(Vec::new());
        }
        let mut command = redis::cmd("HMGET");
        command.arg(self.keys.named("unacked")).arg(&tags);
        let values: Vec<Option<Vec<u8>>> = self.broker.query(&command).await?;
        Ok(tags.into_iter().zip(values).collect())
    }

    /// Returns a message as a worker of Celery puts it back: marked as delivered before.
    fn redelivered(&self, tag: String, mut delivery: Delivery) -> Returned {
        let id = delivery.id().unwrap_or_default();
        let message = &mut delivery.message;
        if let Some(headers) = message.get_mut("headers").and_then(|it| it.as_object_mut()) {
            headers.insert("redelivered".to_owned(), true.into());
        }
        let info = message.get_mut("properties").and_then(|it| it.get_mut("delivery_info"));
        if let Some(info) = info.and_then(|it| it.as_object_mut()) {
            info.insert("redelivered".to_owned(), true.into());
        }
        let priority = message["properties"]["priority"].as_u64().unwrap_or_default();
        let step = self.keys.step_of(u8::try_from(priority).unwrap_or(u8::MAX));
        let list = self.keys.list(&delivery.routing_key, step);
        let message = piton_celery::python_json::to_vec(&*message);
        let message = message.ok().and_then(|json| String::from_utf8(json).ok());
        Returned { tag, id, list, message }
    }

    /// Moves entries that are no messages to the list of dead letters: they would be found by every sweep.
    async fn drop_broken(
        &self,
        entries: Vec<(String, Option<Vec<u8>>)>,
    ) -> Result<(), BrokerError> {
        let mut pipeline = redis::pipe();
        pipeline.atomic();
        for (tag, value) in &entries {
            if let Some(value) = value {
                let letter = json!({
                    "reason": "an unacknowledged message cannot be read",
                    "put_aside_at_ms": self.clock.now_ms(),
                    "message": String::from_utf8_lossy(value),
                });
                let list = self.keys.dead_letters("unacked");
                pipeline.cmd("LPUSH").arg(list).arg(letter.to_string()).ignore();
            }
            pipeline.cmd("HDEL").arg(self.keys.named("unacked")).arg(tag).ignore();
            pipeline.cmd("ZREM").arg(self.keys.named("unacked_index")).arg(tag).ignore();
        }
        if entries.is_empty() { Ok(()) } else { self.broker.pipe(&pipeline).await }
    }

    pub async fn workers(&self) -> Result<Vec<WorkerInfo>, BrokerError> {
        let mut pipeline = redis::pipe();
        pipeline.cmd("ZRANGEBYSCORE").arg(self.keys.named("piton:workers"));
        pipeline.arg(format!("({}", self.clock.now_ms())).arg("+inf");
        pipeline.cmd("HGETALL").arg(self.keys.named("piton:worker-info"));
        let (live, infos): (Vec<String>, HashMap<String, String>) =
            self.broker.pipe(&pipeline).await?;
        let info = |id: &String| {
            let info: serde_json::Value = serde_json::from_str(infos.get(id)?).ok()?;
            let queues = info["queues"].as_array()?.iter();
            Some(WorkerInfo {
                name: info["name"].as_str()?.to_owned(),
                queues: queues.filter_map(|queue| Some(queue.as_str()?.to_owned())).collect(),
                concurrency: u32::try_from(info["concurrency"].as_u64()?).ok()?,
                started_at_ms: info["started_at_ms"].as_i64()?,
            })
        };
        Ok(live.iter().filter_map(info).collect())
    }

    pub fn worker_name(&self, worker: WorkerId) -> String {
        let claims = self.claims.lock();
        claims.get(&worker.0).map(|claims| claims.name.clone()).unwrap_or_default()
    }

    pub fn hold(&self, worker: WorkerId, key: i64, task: HeldTask) {
        self.claims.lock().entry(worker.0).or_default().held.insert(key, task);
    }

    pub fn held(&self, worker: WorkerId, key: i64) -> Option<HeldTask> {
        self.claims.lock().get(&worker.0)?.held.get(&key).cloned()
    }

    pub fn change_held(&self, worker: WorkerId, key: i64, change: impl FnOnce(&mut HeldTask)) {
        let mut claims = self.claims.lock();
        let held = claims.get_mut(&worker.0).and_then(|claims| claims.held.get_mut(&key));
        if let Some(held) = held {
            change(held);
        }
    }
}
