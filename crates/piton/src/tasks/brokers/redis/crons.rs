//! Schedules of the broker on Redis: the last tick of each, in one hash.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::FutureExt;

use super::enqueue::{NewValue, duplicate};
use super::link::Arguments;
use super::scripts::Script;
use super::{Inner, RedisBroker};
use crate::tasks::brokers::records::{CronRecord, NewTask};
use crate::tasks::brokers::{Call, CronStore};
use crate::tasks::error::BrokerError;

impl CronStore for RedisBroker {
    fn cron<'a>(&'a self, name: &'a str, first_tick_ms: i64) -> Call<'a, CronRecord> {
        async move {
            let (ticks, paused) = self.0.cron_keys();
            let mut pipeline = redis::pipe();
            pipeline.cmd("HSETNX").arg(&ticks).arg(name).arg(first_tick_ms).ignore();
            pipeline.cmd("HGET").arg(&ticks).arg(name);
            pipeline.cmd("SISMEMBER").arg(&paused).arg(name);
            let (last_tick_ms, is_paused): (i64, bool) = self.0.broker.pipe(&pipeline).await?;
            Ok(CronRecord { name: name.to_owned(), last_tick_ms, is_paused })
        }
        .boxed()
    }

    fn fire<'a>(
        &'a self,
        name: &'a str,
        tick_ms: i64,
        task: Option<&'a NewTask>,
    ) -> Call<'a, bool> {
        self.0.fire(name, tick_ms, task).boxed()
    }

    fn pause_cron<'a>(&'a self, name: &'a str, paused: bool) -> Call<'a, bool> {
        async move {
            let (ticks, set) = self.0.cron_keys();
            if !self.0.has_cron(&ticks, name).await? {
                return Ok(false);
            }
            let mut command = redis::cmd(if paused { "SADD" } else { "SREM" });
            command.arg(set).arg(name);
            self.0.broker.query::<()>(&command).await?;
            Ok(true)
        }
        .boxed()
    }

    fn reset_cron<'a>(&'a self, name: &'a str, last_tick_ms: i64) -> Call<'a, bool> {
        async move {
            let (ticks, _) = self.0.cron_keys();
            if !self.0.has_cron(&ticks, name).await? {
                return Ok(false);
            }
            let mut command = redis::cmd("HSET");
            command.arg(ticks).arg(name).arg(last_tick_ms);
            self.0.broker.query::<()>(&command).await?;
            Ok(true)
        }
        .boxed()
    }

    fn crons(&self) -> Call<'_, Vec<CronRecord>> {
        async move {
            let (ticks, paused) = self.0.cron_keys();
            let mut pipeline = redis::pipe();
            pipeline.cmd("HGETALL").arg(ticks).cmd("SMEMBERS").arg(paused);
            let (ticks, paused): (BTreeMap<String, i64>, BTreeSet<String>) =
                self.0.broker.pipe(&pipeline).await?;
            let record = |(name, last_tick_ms): (String, i64)| {
                let is_paused = paused.contains(&name);
                CronRecord { name, last_tick_ms, is_paused }
            };
            Ok(ticks.into_iter().map(record).collect())
        }
        .boxed()
    }
}

impl Inner {
    /// Returns the keys of the last ticks, and of the schedules that are paused.
    fn cron_keys(&self) -> (String, String) {
        (self.keys.named("piton:crons"), self.keys.named("piton:paused-crons"))
    }

    async fn has_cron(&self, ticks: &str, name: &str) -> Result<bool, BrokerError> {
        let mut command = redis::cmd("HEXISTS");
        command.arg(ticks).arg(name);
        self.broker.query(&command).await
    }

    async fn fire(
        &self,
        name: &str,
        tick_ms: i64,
        task: Option<&NewTask>,
    ) -> Result<bool, BrokerError> {
        let mut arguments = Arguments::default();
        arguments.push(self.keys.prefix()).push(name).push_number(tick_ms);
        let mut separate = None;
        if let Some(task) = task {
            self.remember_queues(std::iter::once(task.queue.as_str())).await?;
            match self.record_of(task) {
                Some(NewValue { key, value, ttl_ms }) if self.separate_results.is_none() => {
                    arguments.push(key).push(value).push_number(ttl_ms);
                }
                record => {
                    if let Some(record) = &record {
                        self.refuse_stored(record, task).await?;
                        // Before it is sent: it may end at once.
                        self.store(std::slice::from_ref(record)).await?;
                    }
                    separate = record;
                    arguments.push("").push("").push("");
                }
            }
            let list = self.keys.list(&task.queue, self.keys.step_of(task.priority));
            arguments.push(list).push(task.message.as_str());
        }
        let fired: i64 = self.broker.run(Script::Fire, &arguments).await?;
        if let Some(record) = separate.filter(|_| fired != 1) {
            let mut command = redis::cmd("DEL");
            command.arg(&record.key);
            self.results().query::<()>(&command).await?;
        }
        if fired < 0 {
            return Err(duplicate(task.map_or("", |task| task.id.as_str())));
        }
        Ok(fired == 1)
    }

    /// Refuses a task whose record is stored already, on another server.
    async fn refuse_stored(&self, record: &NewValue, task: &NewTask) -> Result<(), BrokerError> {
        let mut command = redis::cmd("EXISTS");
        command.arg(&record.key);
        match self.results().query(&command).await? {
            true => Err(duplicate(&task.id)),
            false => Ok(()),
        }
    }
}
