//! Sends tasks.

use std::collections::HashSet;
use std::time::Duration;

use super::Inner;
use super::link::Arguments;
use super::scripts::Script;
use super::stored_record::StoredRecord;
use crate::tasks::brokers::records::{NewGroup, NewTask};
use crate::tasks::clock::millis;
use crate::tasks::error::{BrokerError, Kind};

/// A value to store, and the time for which it is kept.
#[derive(Clone)]
pub(super) struct NewValue {
    pub key: String,
    pub value: Vec<u8>,
    pub ttl_ms: i64,
}

/// The time for which the state of a group is kept that does not end, as in Celery.
pub(super) const KEEP_GROUP: Duration = Duration::from_secs(86_400);

/// Maximum time to live, a thousand years: Redis refuses one whose end does not fit its clock.
const MAX_TTL_MS: i64 = 1000 * 365 * 86_400_000;

/// Maximum number of queues that are known to be stored: a service may make up their names.
const MAX_KNOWN_QUEUES: usize = 10_000;

impl Inner {
    pub async fn enqueue(
        &self,
        tasks: &[NewTask],
        group: Option<&NewGroup>,
    ) -> Result<(), BrokerError> {
        refuse_twice(tasks)?;
        let chords = self.new_chords(tasks, group.map_or(&[], std::slice::from_ref)).await?;
        let tasks = chords.as_ref().map_or(tasks, |chords| &chords.tasks);
        let mut values: Vec<NewValue> =
            tasks.iter().filter_map(|task| self.record_of(task)).collect();
        if let Some(chords) = &chords {
            values.extend(chords.values.iter().chain(&chords.records).cloned());
        }
        let lists = self.lists_of(tasks);
        if lists.is_empty() && values.is_empty() {
            return Ok(());
        }
        self.remember_queues(tasks.iter().map(|task| task.queue.as_str())).await?;
        let conflict = match &self.separate_results {
            None => self.broker.run(Script::Enqueue, &arguments(&values, &lists)).await?,
            Some(results) => {
                let conflict: usize =
                    results.run(Script::Enqueue, &arguments(&values, &[])).await?;
                if conflict == 0 {
                    self.send_after_records(&values, &lists).await?;
                }
                conflict
            }
        };
        if conflict > 0 {
            return Err(duplicate(self.keys.id_of(&values[conflict - 1].key)));
        }
        match group {
            Some(group) if tasks.is_empty() => self.end_empty_group(group).await,
            _ => Ok(()),
        }
    }

    /// Sends messages whose records are stored on another server. Removes the records if that fails.
    async fn send_after_records(
        &self,
        values: &[NewValue],
        lists: &[(String, Vec<&str>)],
    ) -> Result<(), BrokerError> {
        let sent = self.broker.run::<usize>(Script::Enqueue, &arguments(&[], lists)).await;
        if sent.is_err() && !values.is_empty() {
            let mut command = redis::cmd("DEL");
            values.iter().for_each(|value| {
                command.arg(&value.key);
            });
            // If it fails as well, the records expire.
            let _ = self.results().query::<()>(&command).await;
        }
        sent.map(|_| ())
    }

    /// Returns the record that a new task gets, unless its sender wants no result.
    pub fn record_of(&self, task: &NewTask) -> Option<NewValue> {
        (!task.ignore_result).then(|| {
            let record = StoredRecord::pending(task);
            self.value_of(&record)
        })
    }

    /// Returns a record with the time for which it is kept: while the task waits, that of failures after it is due.
    pub fn value_of(&self, record: &StoredRecord) -> NewValue {
        let due_at_ms = record.piton.as_ref().and_then(|own| own.due_at_ms).unwrap_or_default();
        let until_due = due_at_ms.saturating_sub(self.clock.now_ms()).max(0);
        let ttl_ms = millis(self.keep_failures).saturating_add(until_due).min(MAX_TTL_MS);
        let key = self.keys.result(&record.task_id);
        NewValue { key, value: record.to_json(), ttl_ms }
    }

    /// Returns the messages by the list that they go to, in the order of the tasks.
    pub fn lists_of<'a>(&self, tasks: &'a [NewTask]) -> Vec<(String, Vec<&'a str>)> {
        let mut lists: Vec<((&str, u8), Vec<&str>)> = Vec::new();
        for task in tasks {
            let place = (task.queue.as_str(), self.keys.step_of(task.priority));
            match lists.iter_mut().find(|(other, _)| *other == place) {
                Some((_, messages)) => messages.push(&task.message),
                None => lists.push((place, vec![&task.message])),
            }
        }
        let named = |((queue, step), messages)| (self.keys.list(queue, step), messages);
        lists.into_iter().map(named).collect()
    }

    /// Stores the names of queues, for those who list them. Once for each process and queue.
    pub async fn remember_queues(
        &self,
        queues: impl Iterator<Item = &str>,
    ) -> Result<(), BrokerError> {
        let new: HashSet<String> = {
            let known = self.known_queues.lock();
            queues.filter(|queue| !known.contains(*queue)).map(str::to_owned).collect()
        };
        if new.is_empty() {
            return Ok(());
        }
        let mut command = redis::cmd("SADD");
        command.arg(self.keys.named("piton:queues"));
        new.iter().for_each(|queue| {
            command.arg(queue);
        });
        self.broker.query::<()>(&command).await?;
        let mut known = self.known_queues.lock();
        if known.len() >= MAX_KNOWN_QUEUES {
            known.clear();
        }
        known.extend(new);
        Ok(())
    }
}

fn arguments(values: &[NewValue], lists: &[(String, Vec<&str>)]) -> Arguments {
    let mut arguments = Arguments::default();
    arguments.push_number(values.len());
    for NewValue { key, value, ttl_ms } in values {
        arguments.push(key.as_str()).push(value.as_slice()).push_number(ttl_ms);
    }
    arguments.push_number(lists.len());
    for (list, messages) in lists {
        arguments.push(list.as_str()).push_number(messages.len());
        arguments.push_all(messages.iter().copied());
    }
    arguments
}

fn refuse_twice(tasks: &[NewTask]) -> Result<(), BrokerError> {
    if tasks.len() < 2 {
        return Ok(());
    }
    let mut ids = HashSet::with_capacity(tasks.len());
    match tasks.iter().find(|task| !ids.insert(&task.id)) {
        Some(task) => Err(duplicate(&task.id)),
        None => Ok(()),
    }
}

pub(super) fn duplicate(id: &str) -> BrokerError {
    BrokerError::new(Kind::Duplicate, format!("a task with the id {id:?} is stored"))
}
