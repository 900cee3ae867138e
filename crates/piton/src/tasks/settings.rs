//! The section `[tasks]`.

use std::time::Duration;

use super::outbox_settings::OutboxSettings;
use super::redis_settings::RedisTasksSettings;
use crate::config::{ByteSize, Reader};

/// Background tasks: where they are stored, and the worker that runs them.
#[derive(Clone, Debug, piton_macros::Settings)]
#[setting(check = Self::check)]
pub struct TasksSettings {
    /// The place where tasks are stored: `database` (the service's own, see `[db]`), `redis`, which is shared with workers of
    /// Celery, or `memory`, which is for tests and for work that may be lost when the service stops.
    /// **Default: `database`.**
    pub broker: TaskBroker,

    /// Runs tasks in the process that serves requests: `on`, `off`, or `auto`, which is `off` only in production with
    /// PostgreSQL, where workers are processes of their own (the command `worker`). Set `on` for a service whose few
    /// tasks do not need more processes. **Default: `auto`.**
    pub worker: TaskWorkerMode,

    /// The queues that the worker reads. Name some if slow tasks have a worker of their own. **Default: every queue
    /// that a task of this service names.**
    pub queues: Vec<String>,

    /// Maximum number of tasks that run at the same time in one process. Raise it for tasks that wait for other
    /// services, lower it for tasks that compute. **Default: `10`.**
    #[setting(min = 1, max = 10_000)]
    pub concurrency: u32,

    /// The time after which the tasks of a worker that is gone are given to others. It is renewed while the worker
    /// lives, so a task may take longer. Raise it if a loaded database makes workers lose it. **Default: `30s`.**
    #[setting(min = "3s", max = "1day")]
    pub lease: Duration,

    /// Maximum time between two looks for new tasks. Usually a worker is woken at once; this is for when it is not,
    /// as with PgBouncer in front of the database. **Default: `1s`.**
    #[setting(min = "10ms", max = "1h")]
    pub poll_interval: Duration,

    /// The time that running tasks have to end when the service stops. What has not ended by then is cancelled and
    /// runs again elsewhere, without losing an attempt. The service waits ten seconds for all background work.
    /// **Default: `8s`.**
    #[setting(max = "8s")]
    pub stop_grace: Duration,

    /// The time for which results of successful and revoked tasks are kept. **Default: `1day`.**
    #[setting(max = "3650days")]
    pub keep_results: Duration,

    /// The time for which failed tasks are kept with their message, so that they can be run again.
    /// **Default: `7days`.**
    #[setting(max = "3650days")]
    pub keep_failures: Duration,

    /// How often a task may be lost with its worker (killed, out of memory, cut off) before it fails: a task that
    /// kills every worker must not go round indefinitely. **Default: `20`.**
    #[setting(max = 1_000_000)]
    pub max_losses: u32,

    /// The age of the oldest waiting task beyond which the service's health is `degraded`: more workers are needed,
    /// or a queue has none. `0s` turns the check off. **Default: `5m`.**
    #[setting(max = "365days")]
    pub max_queue_age: Duration,

    /// Maximum size of a task's message: its arguments as JSON text, and headers. Larger ones are refused by the sender:
    /// store the data, and send its key. **Default: `1MiB`.**
    #[setting(min = "1KiB", max = "64MiB")]
    pub max_message_size: ByteSize,

    /// The Redis server, for `tasks.broker = "redis"`.
    #[setting(section)]
    pub redis: RedisTasksSettings,

    /// The outbox, for `tasks.broker = "redis"`.
    #[setting(section)]
    pub outbox: OutboxSettings,
}

impl Default for TasksSettings {
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(86_400);
        Self {
            broker: TaskBroker::default(),
            worker: TaskWorkerMode::default(),
            queues: Vec::new(),
            concurrency: 10,
            lease: Duration::from_secs(30),
            poll_interval: Duration::from_secs(1),
            stop_grace: Duration::from_secs(8),
            keep_results: DAY,
            keep_failures: 7 * DAY,
            max_losses: 20,
            max_queue_age: Duration::from_secs(300),
            max_message_size: ByteSize::mib(1),
            redis: RedisTasksSettings::default(),
            outbox: OutboxSettings::default(),
        }
    }
}

crate::setting_enum! {
    /// The place where tasks are stored.
    pub enum TaskBroker: default Database {
        /// The service's database.
        Database = "database" | "db",
        /// A Redis server, on Celery's wire.
        Redis = "redis",
        /// The memory of the process.
        Memory = "memory",
    }
}

crate::setting_enum! {
    /// Says whether the process that serves requests runs tasks, too.
    pub enum TaskWorkerMode: default Auto {
        /// It does, unless it is in production with PostgreSQL.
        Auto = "auto",
        /// It does.
        On = "on" | "true",
        /// It does not.
        Off = "off" | "false",
    }
}

impl TaskWorkerMode {
    /// Returns whether the process that serves requests runs tasks.
    #[must_use]
    pub fn runs_in_process(self, is_production: bool, is_postgres: bool) -> bool {
        match self {
            Self::Auto => !(is_production && is_postgres),
            Self::On => true,
            Self::Off => false,
        }
    }
}

/// A setting, why it cannot work, and the fix.
type TasksSettingProblem = (&'static str, &'static str, &'static str);

impl TasksSettings {
    fn check(&self, from: &mut Reader<'_>) {
        for (name, why, fix) in self.problems() {
            from.refuse(name, why, fix);
        }
    }

    /// Returns the settings that parse but cannot work.
    fn problems(&self) -> Vec<TasksSettingProblem> {
        let mut problems = Vec::new();
        let is_name = |queue: &String| !queue.is_empty() && !queue.chars().any(char::is_control);
        if !self.queues.iter().all(is_name) {
            problems.push((
                "queues",
                "a queue has no name, or one with control characters",
                "celery",
            ));
        }
        if self.poll_interval > self.lease / 3 {
            let why = "it is longer than a third of tasks.lease, in which the lease is renewed";
            problems.push(("poll_interval", why, "1s"));
        }
        if self.keep_results.is_zero() {
            let why =
                "no caller could read a result; to store none, set the task's `ignore_result`";
            problems.push(("keep_results", why, "1day"));
        }
        if self.keep_failures.is_zero() {
            problems.push(("keep_failures", "a failed task would be lost at once", "7days"));
        }
        problems.extend(self.redis.problems(self.broker == TaskBroker::Redis, self.lease));
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(settings: &TasksSettings) -> Vec<&'static str> {
        settings.problems().iter().map(|(name, ..)| *name).collect()
    }

    #[test]
    fn the_defaults_work() {
        assert!(names(&TasksSettings::default()).is_empty());
    }

    #[test]
    fn settings_that_cannot_work_are_refused_all_at_once() {
        let settings = TasksSettings {
            queues: vec!["good".into(), String::new()],
            poll_interval: Duration::from_secs(60),
            keep_results: Duration::ZERO,
            keep_failures: Duration::ZERO,
            ..TasksSettings::default()
        };
        let all = ["queues", "poll_interval", "keep_results", "keep_failures"];
        assert_eq!(names(&settings), all);
    }

    #[test]
    fn only_production_with_postgres_has_workers_of_its_own() {
        let auto = TaskWorkerMode::Auto;
        assert!(auto.runs_in_process(true, false) && auto.runs_in_process(false, true));
        assert!(!auto.runs_in_process(true, true));
        assert!(TaskWorkerMode::On.runs_in_process(true, true));
        assert!(!TaskWorkerMode::Off.runs_in_process(false, false));
    }
}
