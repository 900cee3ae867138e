//! Relays the outbox: sends its entries, each once as far as the server remembers.

use std::iter;

use super::link::Arguments;
use super::scripts::Script;
use super::{Inner, RedisBroker};
use crate::tasks::brokers::Call;
use crate::tasks::brokers::outbox::{Destination, Refusal, StoredEntry};
use crate::tasks::brokers::records::NewTask;
use crate::tasks::error::{BrokerError, Kind};

/// Number of entries of an outbox that are remembered: more than two batches, of which the last may be sent again.
const REMEMBERED: usize = 2000;

/// An entry that the server has not taken: its position from 1, and why.
type Unsent = (usize, String);

/// The reason that stands for an entry whose task is stored already.
const KNOWN: &str = "known";

impl Destination for RedisBroker {
    fn relay<'a>(&'a self, outbox: &'a str, entries: &'a [StoredEntry]) -> Call<'a, Vec<Refusal>> {
        let (inner, outbox, entries) = (self.0.clone(), outbox.to_owned(), entries.to_vec());
        self.detached(async move { inner.relay(&outbox, &entries).await })
    }
}

impl Inner {
    async fn relay(
        &self,
        outbox: &str,
        entries: &[StoredEntry],
    ) -> Result<Vec<Refusal>, BrokerError> {
        let remembered = self.keys.named(&format!("piton:outbox:{outbox}"));
        let mut refusals = Vec::new();
        // Groups are sent by themselves, in their place.
        for entries in entries.chunk_by(|a, b| a.is_single() && b.is_single()) {
            match entries {
                [entry] if !entry.is_single() => {
                    refusals.extend(self.relay_group(&remembered, entry).await?);
                }
                singles => refusals.extend(self.relay_singles(&remembered, singles).await?),
            }
        }
        Ok(refusals)
    }

    /// Relays entries that are one task each.
    async fn relay_singles(
        &self,
        remembered: &str,
        entries: &[StoredEntry],
    ) -> Result<Vec<Refusal>, BrokerError> {
        let tasks = entries.iter().flat_map(|stored| &stored.entry.tasks);
        self.remember_queues(tasks.clone().map(|task| task.queue.as_str())).await?;
        self.create_separate_records(tasks.clone()).await?;
        let mut arguments = Arguments::default();
        arguments.push(remembered).push_number(REMEMBERED).push_number(entries.len());
        for (stored, task) in entries.iter().zip(tasks) {
            let record = self.record_of(task).filter(|_| self.separate_results.is_none());
            arguments.push_number(stored.id);
            match record {
                Some(record) => {
                    arguments.push(record.key).push(record.value).push_number(record.ttl_ms);
                }
                None => {
                    arguments.push_all(iter::repeat_n("", 3));
                }
            }
            arguments.push(self.keys.list(&task.queue, self.keys.step_of(task.priority)));
            arguments.push(task.message.as_str());
        }
        let unsent: Vec<Unsent> = self.broker.run(Script::Relay, &arguments).await?;
        let refusal = |(position, reason): Unsent| {
            let stored = &entries[position - 1];
            if reason == KNOWN {
                warn_of_known(&stored.entry.tasks);
                return None;
            }
            Some(Refusal { id: stored.id, reason })
        };
        Ok(unsent.into_iter().filter_map(refusal).collect())
    }

    /// Creates the records of tasks on the server of results, if that is another one.
    async fn create_separate_records<'a>(
        &self,
        tasks: impl Iterator<Item = &'a NewTask>,
    ) -> Result<(), BrokerError> {
        let Some(results) = &self.separate_results else { return Ok(()) };
        let mut pipeline = redis::pipe();
        for record in tasks.filter_map(|task| self.record_of(task)) {
            let set = pipeline.cmd("SET").arg(record.key).arg(record.value);
            set.arg("PX").arg(record.ttl_ms).arg("NX").ignore();
        }
        results.pipe(&pipeline).await
    }

    async fn relay_group(
        &self,
        remembered: &str,
        stored: &StoredEntry,
    ) -> Result<Option<Refusal>, BrokerError> {
        let mut command = redis::cmd("ZSCORE");
        command.arg(remembered).arg(stored.id);
        if self.broker.query::<Option<f64>>(&command).await?.is_some() {
            return Ok(None);
        }
        match self.enqueue(&stored.entry.tasks, stored.entry.group.as_ref()).await {
            Ok(()) => {}
            // Sent by an attempt that was interrupted before it could be remembered.
            Err(error) if error.kind() == Kind::Duplicate => {}
            Err(error) if error.kind() == Kind::Unavailable => return Err(error),
            Err(error) => {
                return Ok(Some(Refusal { id: stored.id, reason: error.to_string() }));
            }
        }
        let mut command = redis::cmd("ZADD");
        command.arg(remembered).arg(self.clock.now_ms()).arg(stored.id);
        self.broker.query::<()>(&command).await?;
        Ok(None)
    }
}

impl StoredEntry {
    /// Returns whether it is one task, of no group.
    fn is_single(&self) -> bool {
        matches!(&self.entry.tasks[..], [task] if task.group.is_none() && self.entry.group.is_none())
    }
}

fn warn_of_known(tasks: &[NewTask]) {
    for task in tasks {
        tracing::warn!(
            "The task `{}` with the id {:?} is not sent from the outbox: a task with this id is stored already",
            task.name,
            task.id
        );
    }
}
