//! Sends the entries of the outbox, each once as far as the server remembers.

use super::enqueue::NewValue;
use super::link::Arguments;
use super::scripts::Script;
use super::{Inner, RedisBroker};
use crate::tasks::brokers::Call;
use crate::tasks::brokers::outbox::{Destination, OutboxEntry, Refusal, StoredEntry};
use crate::tasks::brokers::records::NewTask;
use crate::tasks::error::{BrokerError, Kind};

/// Maximum number of entries of an outbox that are remembered: four batches, of which the last may be sent again.
const MAX_REMEMBERED: usize = 2000;

/// An entry that was refused: its position, from 1, and the reason.
type RefusedPosition = (usize, String);

impl Destination for RedisBroker {
    fn relay<'a>(&'a self, outbox: &'a str, entries: &'a [StoredEntry]) -> Call<'a, Vec<Refusal>> {
        let (inner, outbox, entries) = (self.0.clone(), outbox.to_owned(), entries.to_vec());
        self.detached(async move { inner.relay(&outbox, &entries).await })
    }
}

/// An entry, ready to be sent.
struct SentEntry<'a> {
    stored: &'a StoredEntry,
    tasks: Vec<NewTask>,
    values: Vec<NewValue>,
}

impl Inner {
    async fn relay(
        &self,
        outbox: &str,
        entries: &[StoredEntry],
    ) -> Result<Vec<Refusal>, BrokerError> {
        let (mut ready, mut refusals) = (Vec::with_capacity(entries.len()), Vec::new());
        for stored in entries {
            match self.ready(stored).await {
                Ok(entry) => ready.push(entry),
                Err(error) if error.kind() == Kind::Unavailable => return Err(error),
                // Its message cannot be read, however often it is sent.
                Err(error) => refusals.push(Refusal { id: stored.id, reason: error.to_string() }),
            }
        }
        if ready.is_empty() {
            return Ok(refusals);
        }
        let queues = ready.iter().flat_map(|entry| &entry.tasks).map(|task| task.queue.as_str());
        self.remember_queues(queues).await?;
        self.create_separate_values(&ready).await?;
        let remembered = self.keys.named(&format!("piton:outbox:{outbox}"));
        let arguments = self.relay_arguments(&remembered, &ready);
        let refused: Vec<RefusedPosition> = self.broker.run(Script::Relay, &arguments).await?;
        for (position, reason) in refused {
            let entry = &ready[position - 1];
            self.remove_separate_values(entry).await?;
            refusals.push(Refusal { id: entry.stored.id, reason });
        }
        Ok(refusals)
    }

    /// Returns an entry with everything that is stored for it.
    async fn ready<'a>(&self, stored: &'a StoredEntry) -> Result<SentEntry<'a>, BrokerError> {
        let OutboxEntry { tasks, group } = &stored.entry;
        let groups = group.as_ref().map_or(&[][..], std::slice::from_ref);
        let (tasks, mut values) = match self.new_chords(tasks, groups).await? {
            Some(chords) => (chords.tasks, [chords.values, chords.records].concat()),
            None => (tasks.clone(), Vec::new()),
        };
        values.extend(tasks.iter().filter_map(|task| self.record_of(task)));
        Ok(SentEntry { stored, tasks, values })
    }

    fn relay_arguments(&self, remembered: &str, entries: &[SentEntry<'_>]) -> Arguments {
        let mut arguments = Arguments::default();
        arguments.push(remembered).push_number(MAX_REMEMBERED).push_number(entries.len());
        for entry in entries {
            arguments.push(entry.stored.remembered_as());
            // Those of another server are stored there.
            let values = if self.separate_results.is_none() { &entry.values[..] } else { &[] };
            arguments.push_number(values.len());
            for NewValue { key, value, ttl_ms } in values {
                arguments.push(key.as_str()).push(value.as_slice()).push_number(ttl_ms);
            }
            arguments.push_number(entry.tasks.len());
            for task in &entry.tasks {
                let list = self.keys.list(&task.queue, self.keys.step_of(task.priority));
                arguments.push(list).push(task.message.as_str());
            }
        }
        arguments
    }

    /// Creates the values on the server of results, if that is another one. An earlier attempt may have created them.
    async fn create_separate_values(&self, entries: &[SentEntry<'_>]) -> Result<(), BrokerError> {
        let Some(results) = &self.separate_results else { return Ok(()) };
        let mut pipeline = redis::pipe();
        for NewValue { key, value, ttl_ms } in entries.iter().flat_map(|entry| &entry.values) {
            pipeline.cmd("SET").arg(key).arg(value).arg("PX").arg(ttl_ms).arg("NX").ignore();
        }
        results.pipe(&pipeline).await
    }

    /// Removes the values of an entry that was refused.
    async fn remove_separate_values(&self, entry: &SentEntry<'_>) -> Result<(), BrokerError> {
        let Some(results) = &self.separate_results else { return Ok(()) };
        if entry.values.is_empty() {
            return Ok(());
        }
        let keys: Vec<&str> = entry.values.iter().map(|value| value.key.as_str()).collect();
        results.query(redis::cmd("DEL").arg(&keys)).await
    }
}

impl StoredEntry {
    /// Returns the text by which the server remembers the entry. The id alone is not enough: a database that was restored from
    /// a backup gives its ids to other entries.
    fn remembered_as(&self) -> String {
        let task = self.entry.tracked_task().map(|task| task.id.as_str());
        format!("{}:{}", self.id, task.unwrap_or_default())
    }
}
