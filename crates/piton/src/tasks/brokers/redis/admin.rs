//! The questions and commands of operators to the broker on Redis.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use futures_util::FutureExt;
use piton_celery::{Envelope, TaskHeaders};

use super::delivery_tag::{DeliveryTag, Holder};
use super::effects::Effects;
use super::enqueue::NewValue;
use super::keys::{REVOKED, TERMINATED};
use super::stored_record::{StoredRecord, time_of_id};
use super::times::ttl_ms;
use super::{Inner, RedisBroker};
use crate::tasks::brokers::records::{
    FinalState, FinishedTask, QueueStats, TaskFilter, TaskRecord, TaskState, WorkerInfo,
};
use crate::tasks::brokers::{Call, TaskAdmin};
use crate::tasks::clock::millis;
use crate::tasks::error::BrokerError;

/// Number of records that are read at once.
const PAGE: usize = 500;

/// Maximum number of messages of a queue that are looked at for the time at which they are due.
const MAX_LOOKED_AT: usize = 1000;

/// Maximum number of messages of a list whose age is looked up.
const MAX_AGED: usize = 20;

/// Maximum number of unacknowledged messages that are counted.
const MAX_COUNTED: usize = 100_000;

/// Maximum number of revoked tasks that are remembered, and for how long: those of Celery's workers.
const MAX_REVOKED: isize = 50_000;
const KEEP_REVOKED: Duration = Duration::from_secs(3 * 3600);

impl TaskAdmin for RedisBroker {
    fn task<'a>(&'a self, id: &'a str) -> Call<'a, Option<TaskRecord>> {
        self.0.task(id).boxed()
    }

    fn list<'a>(&'a self, filter: &'a TaskFilter) -> Call<'a, Vec<TaskRecord>> {
        let inner = &self.0;
        async move {
            let now_ms = inner.clock.now_ms();
            let records = inner.matching(filter).await?;
            Ok(records.iter().map(|record| record.to_task_record(now_ms, None)).collect())
        }
        .boxed()
    }

    fn revoke<'a>(&'a self, filter: &'a TaskFilter) -> Call<'a, u64> {
        let (inner, filter) = (self.0.clone(), filter.clone());
        self.detached(async move { inner.revoke(&filter).await })
    }

    fn retry<'a>(&'a self, filter: &'a TaskFilter) -> Call<'a, u64> {
        let (inner, filter) = (self.0.clone(), filter.clone());
        self.detached(async move { inner.retry(&filter).await })
    }

    fn purge<'a>(&'a self, filter: &'a TaskFilter) -> Call<'a, u64> {
        let (inner, filter) = (self.0.clone(), filter.clone());
        self.detached(async move { inner.purge(&filter).await })
    }

    fn pause<'a>(&'a self, queue: &'a str, paused: bool) -> Call<'a, ()> {
        async move {
            let mut command = redis::cmd(if paused { "SADD" } else { "SREM" });
            command.arg(self.0.keys.named("piton:paused")).arg(queue);
            self.0.broker.query(&command).await
        }
        .boxed()
    }

    fn queues(&self) -> Call<'_, Vec<QueueStats>> {
        self.0.queue_stats().boxed()
    }

    fn workers(&self) -> Call<'_, Vec<WorkerInfo>> {
        self.0.workers().boxed()
    }
}

impl Inner {
    async fn task(&self, id: &str) -> Result<Option<TaskRecord>, BrokerError> {
        let Some(record) = self.record(id).await? else { return Ok(None) };
        let message = match record.state(i64::MAX) {
            TaskState::Failed | TaskState::Revoked => self.kept_message(id).await?,
            _ => None,
        };
        Ok(Some(record.to_task_record(self.clock.now_ms(), message)))
    }

    async fn record(&self, id: &str) -> Result<Option<StoredRecord>, BrokerError> {
        let mut command = redis::cmd("GET");
        command.arg(self.keys.result(id));
        let json: Option<Vec<u8>> = self.results().query(&command).await?;
        Ok(json.and_then(|json| StoredRecord::parse(&json)))
    }

    /// Returns the message of a task that has failed or was revoked.
    async fn kept_message(&self, id: &str) -> Result<Option<String>, BrokerError> {
        let mut command = redis::cmd("GET");
        command.arg(self.keys.message(id));
        self.broker.query(&command).await
    }

    /// Returns the records that `filter` chooses, the newest first. Reads all there are, unless it names ids.
    async fn matching(&self, filter: &TaskFilter) -> Result<Vec<StoredRecord>, BrokerError> {
        let mut found = Vec::new();
        if filter.ids.is_empty() {
            let mut cursor = 0_u64;
            loop {
                let mut command = redis::cmd("SCAN");
                command.arg(cursor).arg("MATCH").arg(self.keys.all_results());
                command.arg("COUNT").arg(PAGE);
                let (next, keys): (u64, Vec<String>) = self.results().query(&command).await?;
                self.add_matching(&mut found, filter, keys).await?;
                cursor = next;
                if cursor == 0 {
                    break;
                }
            }
        } else {
            let keys: Vec<String> = filter.ids.iter().map(|id| self.keys.result(id)).collect();
            for keys in keys.chunks(PAGE) {
                self.add_matching(&mut found, filter, keys.to_vec()).await?;
            }
        }
        sort_newest_first(&mut found);
        if filter.limit > 0 {
            found.truncate(filter.limit);
        }
        Ok(found)
    }

    async fn add_matching(
        &self,
        found: &mut Vec<StoredRecord>,
        filter: &TaskFilter,
        keys: Vec<String>,
    ) -> Result<(), BrokerError> {
        if keys.is_empty() {
            return Ok(());
        }
        let mut command = redis::cmd("MGET");
        command.arg(&keys);
        let values: Vec<Option<Vec<u8>>> = self.results().query(&command).await?;
        let now_ms = self.clock.now_ms();
        let records = values.into_iter().flatten().filter_map(|json| StoredRecord::parse(&json));
        found.extend(records.filter(|record| record.matches(filter, now_ms)));
        // Bounded, because a server may hold millions.
        if filter.limit > 0 && found.len() > 2 * filter.limit + PAGE {
            sort_newest_first(found);
            found.truncate(filter.limit);
        }
        Ok(())
    }

    /// Revokes tasks. Those that wait are revoked at once in their records, and by whoever claims them.
    async fn revoke(&self, filter: &TaskFilter) -> Result<u64, BrokerError> {
        let now_ms = self.clock.now_ms();
        let records = self.matching(filter).await?;
        let unfinished: Vec<StoredRecord> =
            records.into_iter().filter(|record| !record.state(now_ms).is_final()).collect();
        let ids: Vec<&str> = unfinished.iter().map(|record| record.task_id.as_str()).collect();
        // Ids without a record, too: tasks that Celery has sent have none until they run.
        let unknown = filter.ids.iter().map(String::as_str).filter(|id| !ids.contains(id));
        let all = || ids.iter().copied().chain(unknown.clone());
        self.remember(REVOKED, all()).await?;
        self.remember(TERMINATED, all()).await?;
        for record in &unfinished {
            if record.state(now_ms) != TaskState::Running {
                self.end_revoked(record.clone()).await?;
            }
        }
        Ok(unfinished.len() as u64)
    }

    /// Lets every worker know that tasks are revoked, or are to be cancelled.
    pub(super) async fn remember<'a>(
        &self,
        set: &str,
        ids: impl Iterator<Item = &'a str>,
    ) -> Result<(), BrokerError> {
        let now_ms = self.clock.now_ms();
        let key = self.keys.named(set);
        let mut command = redis::cmd("ZADD");
        command.arg(&key);
        let mut is_empty = true;
        for id in ids {
            command.arg(now_ms).arg(id);
            is_empty = false;
        }
        if is_empty {
            return Ok(());
        }
        let mut pipeline = redis::pipe();
        pipeline.add_command(command).ignore();
        let oldest = now_ms.saturating_sub(millis(KEEP_REVOKED));
        pipeline.cmd("ZREMRANGEBYSCORE").arg(&key).arg("-inf").arg(oldest).ignore();
        pipeline.cmd("ZREMRANGEBYRANK").arg(&key).arg(0).arg(-MAX_REVOKED - 1).ignore();
        self.broker.pipe(&pipeline).await
    }

    async fn end_revoked(&self, mut record: StoredRecord) -> Result<(), BrokerError> {
        let member = self.member_of(&record).await?;
        let finished = FinishedTask {
            state: FinalState::Revoked,
            result: crate::tasks::group::revoked(),
            traceback: None,
            started_at_ms: None,
            finished_at_ms: self.clock.now_ms(),
            keep_message: true,
        };
        record.finish(&finished, &[]);
        let mut effects = Effects::default();
        let key = self.keys.result(&record.task_id);
        let value = NewValue { key, value: record.to_json(), ttl_ms: ttl_ms(self.keep_results) };
        // It may have ended since it was read.
        let is_stored = self.store_unless_final(&[value], true).await? == 1;
        if let Some(member) = member.filter(|_| is_stored) {
            let (id, state) = (&record.task_id, FinalState::Revoked);
            self.end_member(&member, id, state, &finished.result, &mut effects).await?;
        }
        self.apply_effects(effects).await
    }

    async fn retry(&self, filter: &TaskFilter) -> Result<u64, BrokerError> {
        let now_ms = self.clock.now_ms();
        let has_failed = |record: &StoredRecord| {
            matches!(record.state(now_ms), TaskState::Failed | TaskState::Revoked)
        };
        let mut retried = 0;
        for record in self.matching(filter).await?.into_iter().filter(has_failed) {
            let Some(message) = self.kept_message(&record.task_id).await? else { continue };
            self.send_again(record, message).await?;
            retried += 1;
        }
        Ok(retried)
    }

    /// Sends a failed task again, with all attempts.
    async fn send_again(
        &self,
        mut record: StoredRecord,
        message: String,
    ) -> Result<(), BrokerError> {
        let id = record.task_id.clone();
        if let Some(member) = self.member_of(&record).await? {
            self.reopen_member(&member, &id).await?;
        }
        let message = with_all_attempts(message);
        let queue = record.queue.clone().unwrap_or_default();
        let step = self.keys.step_of(record.own().priority);
        (record.retries, record.date_done, record.traceback) = (Some(0), None, None);
        let own = record.own();
        (own.finished_at_ms, own.started_at_ms, own.losses) = (None, None, None);
        record.wait(None);
        let value = self.value_of(&record);
        let mut pipeline = redis::pipe();
        pipeline.atomic();
        if self.separate_results.is_none() {
            let NewValue { key, value, ttl_ms } = &value;
            pipeline.cmd("SET").arg(key).arg(value).arg("PX").arg(ttl_ms).ignore();
        } else {
            self.store(&[value]).await?;
        }
        for set in [REVOKED, TERMINATED] {
            pipeline.cmd("ZREM").arg(self.keys.named(set)).arg(&id).ignore();
        }
        pipeline.cmd("HDEL").arg(self.keys.named("piton:losses")).arg(&id).ignore();
        pipeline.cmd("DEL").arg(self.keys.message(&id)).ignore();
        pipeline.cmd("LPUSH").arg(self.keys.list(&queue, step)).arg(message).ignore();
        self.broker.pipe(&pipeline).await
    }

    /// Removes tasks that are not running, without a trace.
    async fn purge(&self, filter: &TaskFilter) -> Result<u64, BrokerError> {
        let removed = self.purge_known(filter).await?;
        Ok(removed + self.purge_unknown(filter).await?)
    }

    /// Removes tasks that have a record.
    async fn purge_known(&self, filter: &TaskFilter) -> Result<u64, BrokerError> {
        let now_ms = self.clock.now_ms();
        let records = self.matching(filter).await?;
        let idle: Vec<StoredRecord> = records
            .into_iter()
            .filter(|record| record.state(now_ms) != TaskState::Running)
            .collect();
        let waiting = idle.iter().filter(|record| !record.state(now_ms).is_final());
        self.remove_messages(waiting.clone()).await?;
        for record in waiting {
            if let Some(member) = self.member_of(record).await? {
                let mut effects = Effects::default();
                self.fail_chord(&member, &mut effects).await?;
                self.apply_effects(effects).await?;
            }
        }
        for records in idle.chunks(PAGE) {
            let (mut results, mut messages) = (redis::cmd("DEL"), redis::cmd("DEL"));
            for record in records {
                results.arg(self.keys.result(&record.task_id));
                messages.arg(self.keys.message(&record.task_id));
            }
            self.results().query::<()>(&results).await?;
            self.broker.query::<()>(&messages).await?;
        }
        Ok(idle.len() as u64)
    }

    /// Removes the messages without a record, of Celery's senders, if the filter asks for whole queues. Returns the number.
    async fn purge_unknown(&self, filter: &TaskFilter) -> Result<u64, BrokerError> {
        let TaskFilter { ids, states, names, parent_id, created_before_ms, limit, .. } = filter;
        let asks_for_queues = ids.is_empty()
            && names.is_empty()
            && parent_id.is_none()
            && created_before_ms.is_none()
            && *limit == 0
            && [TaskState::Queued, TaskState::Scheduled, TaskState::Retrying]
                .iter()
                .all(|state| states.contains(state));
        let mut removed = 0;
        for queue in filter.queues.iter().filter(|_| asks_for_queues) {
            for list in self.keys.lists(queue).collect::<Vec<_>>() {
                let mut pipeline = redis::pipe();
                pipeline.atomic().cmd("LLEN").arg(&list).cmd("DEL").arg(&list).ignore();
                let (waiting,): (u64,) = self.broker.pipe(&pipeline).await?;
                removed += waiting;
            }
        }
        Ok(removed)
    }

    /// Removes the messages of tasks from their queues and from the schedule.
    async fn remove_messages(
        &self,
        records: impl Iterator<Item = &StoredRecord>,
    ) -> Result<(), BrokerError> {
        let mut queues: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for record in records {
            let queue = record.queue.as_deref().unwrap_or_default();
            queues.entry(queue).or_default().insert(&record.task_id);
        }
        for (queue, ids) in queues {
            for list in self.keys.lists(queue).collect::<Vec<_>>() {
                self.remove_from_list(&list, &ids).await?;
            }
            self.remove_from_schedule(queue, &ids).await?;
        }
        Ok(())
    }

    async fn remove_from_list(&self, list: &str, ids: &BTreeSet<&str>) -> Result<(), BrokerError> {
        let mut start = 0_isize;
        loop {
            let page = isize::try_from(PAGE).unwrap_or(isize::MAX);
            let mut command = redis::cmd("LRANGE");
            command.arg(list).arg(start).arg(start + page - 1);
            let messages: Vec<Vec<u8>> = self.broker.query(&command).await?;
            let mut pipeline = redis::pipe();
            let mut removed = 0;
            for message in &messages {
                if id_of(message).is_some_and(|id| ids.contains(id.as_str())) {
                    pipeline.cmd("LREM").arg(list).arg(1).arg(message).ignore();
                    removed += 1;
                }
            }
            if removed > 0 {
                self.broker.pipe::<()>(&pipeline).await?;
            }
            if messages.len() < PAGE {
                return Ok(());
            }
            start += page - removed;
        }
    }

    async fn remove_from_schedule(
        &self,
        queue: &str,
        ids: &BTreeSet<&str>,
    ) -> Result<(), BrokerError> {
        let tags = self.unacked_tags().await?;
        let is_ours =
            |(tag, _): &&(DeliveryTag, f64)| tag.holder == Holder::Schedule && tag.queue == queue;
        let tags: Vec<DeliveryTag> =
            tags.iter().filter(is_ours).map(|(tag, _)| tag.clone()).collect();
        for tags in tags.chunks(PAGE) {
            let found = self.ids_of(tags).await?;
            let mut pipeline = redis::pipe();
            let mut is_empty = true;
            for (tag, _) in tags.iter().zip(found).filter(|(_, id)| ids.contains(id.as_str())) {
                let tag = tag.to_string();
                pipeline.cmd("ZREM").arg(self.keys.named("unacked_index")).arg(&tag).ignore();
                pipeline.cmd("HDEL").arg(self.keys.named("unacked")).arg(&tag).ignore();
                is_empty = false;
            }
            if !is_empty {
                self.broker.pipe::<()>(&pipeline).await?;
            }
        }
        Ok(())
    }

    /// Returns the tags of our own unacknowledged messages with their scores.
    async fn unacked_tags(&self) -> Result<Vec<(DeliveryTag, f64)>, BrokerError> {
        let mut command = redis::cmd("ZRANGE");
        command.arg(self.keys.named("unacked_index")).arg(0).arg(MAX_COUNTED).arg("WITHSCORES");
        let tags: Vec<(String, f64)> = self.broker.query(&command).await?;
        let own = |(tag, score): (String, f64)| Some((DeliveryTag::parse(&tag)?, score));
        Ok(tags.into_iter().filter_map(own).collect())
    }

    async fn queue_stats(&self) -> Result<Vec<QueueStats>, BrokerError> {
        let mut pipeline = redis::pipe();
        pipeline.cmd("SMEMBERS").arg(self.keys.named("piton:queues"));
        pipeline.cmd("SMEMBERS").arg(self.keys.named("piton:paused"));
        let (known, paused): (BTreeSet<String>, BTreeSet<String>) =
            self.broker.pipe(&pipeline).await?;
        let mut stats: HashMap<String, QueueStats> = HashMap::new();
        for (tag, score) in self.unacked_tags().await? {
            self.count_unacked(stats.entry(tag.queue.clone()).or_default(), &tag, score);
        }
        let names = known.iter().chain(&paused).cloned().chain(stats.keys().cloned());
        let names: BTreeSet<String> = names.collect();
        let mut all = Vec::with_capacity(names.len());
        for queue in names {
            let mut stats = stats.remove(&queue).unwrap_or_default();
            self.count_waiting(&queue, &mut stats).await?;
            stats.is_paused = paused.contains(&queue);
            let is_empty = stats.queued + stats.scheduled + stats.running == 0;
            if !is_empty || stats.is_paused {
                all.push(QueueStats { queue, ..stats });
            }
        }
        Ok(all)
    }

    fn count_unacked(&self, stats: &mut QueueStats, tag: &DeliveryTag, score: f64) {
        if let Holder::Worker(_) = tag.holder {
            stats.running += 1;
            return;
        }
        #[expect(clippy::cast_possible_truncation, reason = "times in ms are far below 2^53")]
        let due_at_ms = ((score + self.visibility_timeout.as_secs_f64()) * 1000.0) as i64;
        let late_ms = self.clock.now_ms() - due_at_ms;
        if late_ms < 0 {
            stats.scheduled += 1;
        } else {
            stats.queued += 1;
            stats.oldest_ms = stats.oldest_ms.max(Some(late_ms));
        }
    }

    /// Counts the messages in the lists of a queue, and looks at the oldest of them.
    async fn count_waiting(&self, queue: &str, stats: &mut QueueStats) -> Result<(), BrokerError> {
        let mut pipeline = redis::pipe();
        let looked_at = -isize::try_from(MAX_LOOKED_AT).unwrap_or(isize::MAX);
        for list in self.keys.lists(queue) {
            pipeline.cmd("LLEN").arg(&list);
            pipeline.cmd("LRANGE").arg(&list).arg(looked_at).arg(-1);
        }
        let replies: Vec<redis::Value> = self.broker.pipe(&pipeline).await?;
        let now_ms = self.clock.now_ms();
        let mut ages = Vec::new();
        for pair in replies.chunks(2) {
            let [length, messages] = pair else { continue };
            let length: u64 = redis::from_redis_value_ref(length).unwrap_or_default();
            let messages: Vec<Vec<u8>> = redis::from_redis_value_ref(messages).unwrap_or_default();
            let (mut early, mut ready) = (0, Vec::new());
            for message in &messages {
                let Some((id, due_at_ms)) = id_and_time(message) else { continue };
                match due_at_ms {
                    Some(due_at_ms) if due_at_ms > now_ms => early += 1,
                    due_at_ms => ready.push((id, due_at_ms)),
                }
            }
            // The oldest is the last of its list; a few more, because some may have no record.
            ages.extend(ready.into_iter().rev().take(MAX_AGED));
            stats.scheduled += early;
            stats.queued += length.saturating_sub(early);
        }
        let oldest = self.oldest_of(&ages, now_ms).await?;
        stats.oldest_ms = stats.oldest_ms.max(oldest);
        Ok(())
    }

    /// Returns the age of the oldest of waiting messages, since it was sent or became due. Those of Celery tell no time.
    async fn oldest_of(
        &self,
        messages: &[(String, Option<i64>)],
        now_ms: i64,
    ) -> Result<Option<i64>, BrokerError> {
        let mut oldest = None;
        for (id, due_at_ms) in messages {
            let created_at_ms = match time_of_id(id) {
                Some(created_at_ms) => created_at_ms,
                None => match self.record(id).await? {
                    Some(record) => record.created_at_ms(),
                    None => continue,
                },
            };
            let since = due_at_ms.unwrap_or(created_at_ms).max(created_at_ms);
            oldest = oldest.max(Some((now_ms - since).max(0)));
        }
        Ok(oldest)
    }

    /// Removes results that are older than their retention by a clock that a test has moved. By the server's own clock they
    /// expire by themselves.
    pub(super) async fn expire_results(
        &self,
        successes: Duration,
        failures: Duration,
    ) -> Result<u64, BrokerError> {
        if self.clock.offset_ms() == 0 {
            return Ok(0);
        }
        let now_ms = self.clock.now_ms();
        let is_old = |record: &StoredRecord| {
            let state = record.state(now_ms);
            let retention = if state == TaskState::Failed { failures } else { successes };
            let finished = record.finished_at_ms().filter(|_| state.is_final());
            finished.is_some_and(|at| at.saturating_add(millis(retention)) <= now_ms)
        };
        let records = self.matching(&TaskFilter::default()).await?;
        let old: Vec<String> = records
            .iter()
            .filter(|record| is_old(record))
            .map(|record| self.keys.result(&record.task_id))
            .collect();
        for keys in old.chunks(PAGE) {
            let mut command = redis::cmd("DEL");
            command.arg(keys);
            self.results().query::<()>(&command).await?;
        }
        Ok(old.len() as u64)
    }
}

fn sort_newest_first(records: &mut [StoredRecord]) {
    records.sort_by_cached_key(|record| {
        std::cmp::Reverse((record.created_at_ms(), record.task_id.clone()))
    });
}

/// Returns the message of a task without the attempts that came before. One that cannot be read is sent as it is, and fails
/// as it did.
fn with_all_attempts(message: String) -> String {
    let Ok(mut envelope) = Envelope::<TaskHeaders>::from_slice(message.as_bytes()) else {
        return message;
    };
    if envelope.headers.retries == 0 && envelope.headers.eta.is_none() {
        return message;
    }
    (envelope.headers.retries, envelope.headers.eta) = (0, None);
    let written = envelope.to_vec().ok().and_then(|json| String::from_utf8(json).ok());
    written.unwrap_or(message)
}

fn id_of(message: &[u8]) -> Option<String> {
    id_and_time(message).map(|(id, _)| id)
}

/// Returns the id of a task in its message, and the time at which it is due.
fn id_and_time(message: &[u8]) -> Option<(String, Option<i64>)> {
    let headers = Envelope::<TaskHeaders>::from_slice(message).ok()?.headers;
    Some((headers.id, headers.eta.map(|eta| eta.to_utc().timestamp_millis())))
}
