//! Asks which unfinished tasks run. PostgreSQL has that in the task's row, SQLite in a table of its own, so that a claim
//! does not write the row again with the message of the task.

/// The parts of statements on `piton_tasks` that ask which of them run. Literals and not parameters, because a partial
/// index serves only the literal of its definition.
pub(in crate::tasks::brokers) struct StateSql {
    /// Condition: a worker has claimed the task.
    pub is_running: &'static str,
    /// Condition: no worker has claimed the task.
    pub is_waiting: &'static str,
    /// Condition: the task could be claimed.
    pub is_ready: &'static str,
    /// Condition: the task runs, or waits for its time.
    pub is_not_ready: &'static str,
    /// Column: 0 ready, 1 scheduled, 2 running.
    pub state: &'static str,
    /// Column: the id of the worker that has claimed the task.
    pub worker: &'static str,
    /// Query: the number of ready tasks and the first of them by queue and priority.
    pub ready_heads: &'static str,
    /// Query: the number of running tasks by queue.
    pub running_counts: &'static str,
}

impl StateSql {
    /// Returns those of a database.
    pub fn of(is_postgres: bool) -> &'static Self {
        if is_postgres { &POSTGRES } else { &SQLITE }
    }
}

static POSTGRES: StateSql = StateSql {
    is_running: "state = 2",
    is_waiting: "state <> 2",
    is_ready: "state = 0",
    is_not_ready: "state <> 0",
    state: "state",
    worker: "worker",
    ready_heads: "SELECT queue, priority, count(*) AS tasks, min(key) AS head FROM piton_tasks WHERE state = 0 \
        GROUP BY queue, priority",
    running_counts: "SELECT queue, count(*) AS tasks FROM piton_tasks WHERE state = 2 GROUP BY queue",
};

static SQLITE: StateSql = StateSql {
    is_running: "key IN (SELECT key FROM piton_task_claims)",
    is_waiting: "key NOT IN (SELECT key FROM piton_task_claims)",
    is_ready: "(state = 0 AND key NOT IN (SELECT key FROM piton_task_claims))",
    is_not_ready: "(state = 1 OR key IN (SELECT key FROM piton_task_claims))",
    state: "CASE WHEN key IN (SELECT key FROM piton_task_claims) THEN 2 ELSE state END",
    worker: "(SELECT c.worker FROM piton_task_claims c WHERE c.key = piton_tasks.key)",
    ready_heads: "SELECT queue, priority, count(*) AS tasks, min(key) AS head FROM piton_task_ready \
        GROUP BY queue, priority",
    running_counts: "SELECT t.queue AS queue, count(*) AS tasks \
        FROM piton_task_claims c CROSS JOIN piton_tasks t ON t.key = c.key GROUP BY t.queue",
};
