//! The calls that a broker around another one passes on, as lists for a macro of its own that says how.

/// Passes the calls of a worker, apart from `settle`, to the macro `$delegate`.
macro_rules! worker_calls {
    ($delegate:ident) => {
        $delegate! {
            enqueue(tasks: &'a [NewTask], group: Option<&'a NewGroup>) -> ();
            register(worker: &'a WorkerInfo, lease: Duration) -> WorkerId;
            renew(worker: WorkerId, lease: Duration) -> Option<Vec<i64>>;
            unregister(worker: WorkerId) -> ();
            claim(worker: WorkerId, queues: &'a [String], max: usize) -> ClaimedBatch;
            report_progress(worker: WorkerId, progress: &'a [(i64, String)]) -> ();
            release_lost() -> u64;
            expire_results(successes: Duration, failures: Duration) -> u64;
        }
    };
}

/// Passes the calls of operators that concern no task by its id alone to the macro `$delegate`.
macro_rules! admin_calls {
    ($delegate:ident) => {
        $delegate! {
            list(filter: &'a TaskFilter) -> Vec<TaskRecord>;
            retry(filter: &'a TaskFilter) -> u64;
            pause(queue: &'a str, paused: bool) -> ();
            queues() -> Vec<QueueStats>;
            workers() -> Vec<WorkerInfo>;
        }
    };
}

/// Passes the calls of schedules to the macro `$delegate`.
macro_rules! cron_calls {
    ($delegate:ident) => {
        $delegate! {
            cron(name: &'a str, first_tick_ms: i64) -> CronRecord;
            fire(name: &'a str, tick_ms: i64, task: Option<&'a NewTask>) -> bool;
            pause_cron(name: &'a str, paused: bool) -> bool;
            reset_cron(name: &'a str, last_tick_ms: i64) -> bool;
            crons() -> Vec<CronRecord>;
        }
    };
}

pub(in crate::tasks::brokers) use {admin_calls, cron_calls, worker_calls};
