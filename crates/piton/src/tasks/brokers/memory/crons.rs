//! The schedules of the memory broker.

use super::MemoryBroker;
use crate::tasks::brokers::records::{CronRecord, NewTask};
use crate::tasks::brokers::{Call, CronStore};

impl CronStore for MemoryBroker {
    fn cron<'a>(&'a self, name: &'a str, first_tick_ms: i64) -> Call<'a, CronRecord> {
        self.call(move |state, _| {
            let new = || CronRecord {
                name: name.to_owned(),
                last_tick_ms: first_tick_ms,
                is_paused: false,
            };
            Ok(state.crons.entry(name.to_owned()).or_insert_with(new).clone())
        })
    }

    fn fire<'a>(
        &'a self,
        name: &'a str,
        tick_ms: i64,
        task: Option<&'a NewTask>,
    ) -> Call<'a, bool> {
        self.call(move |state, now_ms| {
            let is_next = |cron: &&CronRecord| cron.last_tick_ms < tick_ms;
            if state.crons.get(name).filter(is_next).is_none() {
                return Ok(false);
            }
            // First, because it may be refused: the tick is then still to come.
            state.enqueue(task.map_or(&[], std::slice::from_ref), None, now_ms)?;
            state.crons.get_mut(name).into_iter().for_each(|cron| cron.last_tick_ms = tick_ms);
            Ok(true)
        })
    }

    fn pause_cron<'a>(&'a self, name: &'a str, paused: bool) -> Call<'a, bool> {
        self.call(move |state, _| {
            let cron = state.crons.get_mut(name);
            Ok(cron.map(|cron| cron.is_paused = paused).is_some())
        })
    }

    fn reset_cron<'a>(&'a self, name: &'a str, last_tick_ms: i64) -> Call<'a, bool> {
        self.call(move |state, _| {
            let cron = state.crons.get_mut(name);
            Ok(cron.map(|cron| cron.last_tick_ms = last_tick_ms).is_some())
        })
    }

    fn crons(&self) -> Call<'_, Vec<CronRecord>> {
        self.call(move |state, _| Ok(state.crons.values().cloned().collect()))
    }
}
