//! The calls of operators and clients, for tasks in a database. Both databases have the same tables, and understand the
//! same statements.

use std::sync::Arc;

use futures_util::FutureExt;

use super::super::records::{
    CronRecord, NewTask, QueueStats, TaskFilter, TaskRecord, TaskState, WorkerInfo,
};
use super::super::{Call, CronStore, TaskAdmin};
use super::filter::{common, final_states, limit, unfinished};
use super::groups::{FinishedMembers, fail_groups, revoke_summaries};
use super::revoked::finish_revoked;
use super::state_sql::StateSql;
use super::{crons, listing, queues};
use crate::db::{Db, FromRow, Sql, Tx};
use crate::tasks::clock::Clock;
use crate::tasks::error::BrokerError;

/// The administration of the tasks in a database.
#[derive(Clone)]
pub(in crate::tasks::brokers) struct DatabaseAdmin {
    db: Db,
    clock: Clock,
    wake: Arc<dyn Fn() + Send + Sync>,
}

/// Implements the traits of administration for a broker by its field `admin`.
macro_rules! delegate_to_admin {
    ($broker:ty) => {
        impl $crate::tasks::brokers::TaskAdmin for $broker {
            $crate::tasks::brokers::database::admin::delegate_to_admin! { @calls
                task(id: &'a str) -> Option<$crate::tasks::brokers::records::TaskRecord>;
                list(filter: &'a $crate::tasks::brokers::records::TaskFilter)
                    -> Vec<$crate::tasks::brokers::records::TaskRecord>;
                revoke(filter: &'a $crate::tasks::brokers::records::TaskFilter) -> u64;
                retry(filter: &'a $crate::tasks::brokers::records::TaskFilter) -> u64;
                purge(filter: &'a $crate::tasks::brokers::records::TaskFilter) -> u64;
                pause(queue: &'a str, paused: bool) -> ();
                queues() -> Vec<$crate::tasks::brokers::records::QueueStats>;
                workers() -> Vec<$crate::tasks::brokers::records::WorkerInfo>;
            }
        }

        impl $crate::tasks::brokers::CronStore for $broker {
            $crate::tasks::brokers::database::admin::delegate_to_admin! { @calls
                cron(name: &'a str, first_tick_ms: i64) -> $crate::tasks::brokers::records::CronRecord;
                fire(
                    name: &'a str,
                    tick_ms: i64,
                    task: Option<&'a $crate::tasks::brokers::records::NewTask>
                ) -> bool;
                pause_cron(name: &'a str, paused: bool) -> bool;
                reset_cron(name: &'a str, last_tick_ms: i64) -> bool;
                crons() -> Vec<$crate::tasks::brokers::records::CronRecord>;
            }
        }
    };
    (@calls $($call:ident($($argument:ident: $type:ty),*) -> $returned:ty;)*) => {$(
        fn $call<'a>(&'a self, $($argument: $type),*) -> $crate::tasks::brokers::Call<'a, $returned> {
            self.admin.$call($($argument),*)
        }
    )*};
}
pub(in crate::tasks::brokers) use delegate_to_admin;

impl DatabaseAdmin {
    /// Makes the administration of a database. `wake` is called when it has made tasks ready.
    pub fn new(db: Db, clock: Clock, wake: impl Fn() + Send + Sync + 'static) -> Self {
        Self { db, clock, wake: Arc::new(wake) }
    }

    fn wake(&self) -> impl FnOnce() + Send + use<> {
        let wake = Arc::clone(&self.wake);
        move || wake()
    }

    async fn revoke_tasks(&self, filter: &TaskFilter) -> Result<u64, BrokerError> {
        let state = StateSql::of(self.db.is_postgres());
        let Some(conditions) = unfinished(filter, state) else { return Ok(0) };
        let mut tx = self.db.begin().await?;
        // Marked first, which also locks the rows: what is claimed in the meantime is not missed.
        let sql = Sql::new(
            "UPDATE piton_tasks SET revoked = 1 WHERE key IN (SELECT key FROM piton_tasks",
        );
        let sql =
            sql.filter(&conditions).push(" ORDER BY key LIMIT ").bind(limit(filter)).push(")");
        let now_ms = self.clock.now_ms();
        let revoked = tx.run(sql, ()).await? + revoke_summaries(&mut tx, filter, now_ms).await?;
        finish_revoked(&mut tx, now_ms).await?;
        tx.after_commit(self.wake());
        tx.commit().await?;
        Ok(revoked)
    }

    async fn retry_tasks(&self, filter: &TaskFilter) -> Result<u64, BrokerError> {
        let failed = |state: &TaskState| matches!(state, TaskState::Failed | TaskState::Revoked);
        let mut filter = filter.clone();
        if filter.states.is_empty() {
            filter.states = vec![TaskState::Failed, TaskState::Revoked];
        }
        filter.states.retain(failed);
        if filter.states.is_empty() {
            return Ok(0);
        }
        let mut tx = self.db.begin().await?;
        let retried = enqueue_again(&mut tx, &filter, self.clock.now_ms()).await?;
        tx.after_commit(self.wake());
        tx.commit().await?;
        Ok(retried)
    }

    async fn purge_tasks(&self, filter: &TaskFilter) -> Result<u64, BrokerError> {
        let mut tx = self.db.begin().await?;
        let results = purge_results(&mut tx, filter).await?;
        let left = match filter.limit {
            0 => 0,
            limit => limit.saturating_sub(usize::try_from(results).unwrap_or(limit)),
        };
        let mut tasks = 0;
        if filter.limit == 0 || left > 0 {
            let filter = TaskFilter { limit: left, ..filter.clone() };
            tasks = purge_unfinished(&mut tx, &filter, self.clock.now_ms()).await?;
        }
        tx.commit().await?;
        Ok(results + tasks)
    }

    async fn pause_queue(&self, queue: &str, paused: bool) -> Result<(), BrokerError> {
        if paused {
            let sql = "INSERT INTO piton_task_queues (name, paused_at_ms) VALUES ($1, $2) \
                ON CONFLICT (name) DO UPDATE SET paused_at_ms = excluded.paused_at_ms";
            self.db.run(sql, (queue, self.clock.now_ms())).await?;
        } else {
            self.db.run("DELETE FROM piton_task_queues WHERE name = $1", (queue,)).await?;
            (self.wake)();
        }
        Ok(())
    }

    async fn live_workers(&self) -> Result<Vec<WorkerInfo>, BrokerError> {
        let sql = Sql::new(
            "SELECT name, queues, concurrency, started_at_ms FROM piton_task_workers WHERE lease_until_ms > ",
        );
        // On PostgreSQL leases go by the server's clock.
        let sql = match self.db.is_postgres() {
            true => sql
                .push("floor(extract(epoch FROM statement_timestamp()) * 1000)::bigint + ")
                .bind(self.clock.offset_ms()),
            false => sql.bind(self.clock.now_ms()),
        };
        let rows: Vec<WorkerRow> = self.db.all(sql.push(" ORDER BY id"), ()).await?;
        Ok(rows.into_iter().map(Into::into).collect())
    }
}

/// A row of `piton_task_workers`.
#[derive(FromRow)]
struct WorkerRow {
    name: String,
    #[row(json)]
    queues: Vec<String>,
    concurrency: u32,
    started_at_ms: i64,
}

impl From<WorkerRow> for WorkerInfo {
    fn from(row: WorkerRow) -> Self {
        let WorkerRow { name, queues, concurrency, started_at_ms } = row;
        Self { name, queues, concurrency, started_at_ms }
    }
}

/// Moves failed and revoked tasks from the history back to the tasks.
async fn enqueue_again(tx: &mut Tx, filter: &TaskFilter, now_ms: i64) -> Result<u64, BrokerError> {
    let conditions =
        || common(filter).one_of("state", Some(final_states(filter))).and("message IS NOT NULL");
    // The due time makes their age begin now.
    let sql = Sql::new(
        "INSERT INTO piton_tasks (id, name, queue, priority, state, due_at_ms, created_at_ms, retries, parent_id, \
             group_id, group_index, message) \
         SELECT id, name, queue, priority, 0, CAST($1 AS BIGINT), created_at_ms, 0, parent_id, group_id, \
             group_index, message FROM piton_task_results",
    )
    .filter(&conditions())
    .push(" ORDER BY finished_at_ms, id LIMIT ")
    .bind(limit(filter))
    // Another operator may send them again at the same time.
    .push(" ON CONFLICT (id) DO NOTHING");
    let retried = tx.run(sql, (now_ms,)).await?;
    // Found by what was just enqueued, because more may have failed in the meantime.
    let is_again = "EXISTS (SELECT 1 FROM piton_tasks t WHERE t.id = piton_task_results.id)";
    let members = Sql::new("SELECT group_id, count(*) AS members FROM piton_task_results")
        .filter(&conditions().and("group_id IS NOT NULL").and(is_again))
        .push(" GROUP BY group_id");
    for FinishedMembers { group_id, members } in tx.all(members, ()).await? {
        let sql = "UPDATE piton_task_groups SET done = done - $2 WHERE id = $1";
        tx.run(sql, (group_id, members)).await?;
    }
    let results = Sql::new("DELETE FROM piton_task_results");
    tx.run(results.filter(&conditions().and(is_again)), ()).await?;
    Ok(retried)
}

async fn purge_results(tx: &mut Tx, filter: &TaskFilter) -> Result<u64, BrokerError> {
    let states = final_states(filter);
    if states.is_empty() {
        return Ok(0);
    }
    let sql =
        Sql::new("DELETE FROM piton_task_results WHERE id IN (SELECT id FROM piton_task_results")
            .filter(
                &common(filter)
                    .one_of("state", Some(states))
                    // The summary of a group needs the results of its members.
                    .and(
                        "(group_id IS NULL OR group_id NOT IN (SELECT id FROM piton_task_groups))",
                    ),
            )
            .push(" ORDER BY finished_at_ms LIMIT ")
            .bind(limit(filter))
            .push(")");
    Ok(tx.run(sql, ()).await?)
}

/// Removes tasks that do not run. A group that waits for one of them can never be complete: its summary fails.
async fn purge_unfinished(
    tx: &mut Tx,
    filter: &TaskFilter,
    now_ms: i64,
) -> Result<u64, BrokerError> {
    let state = StateSql::of(tx.is_postgres());
    let Some(conditions) = unfinished(filter, state) else { return Ok(0) };
    let conditions = conditions.and(state.is_waiting);
    let keys = |sql: Sql| {
        sql.push("(SELECT key FROM piton_tasks")
            .filter(&conditions)
            .push(" ORDER BY key LIMIT ")
            .bind(limit(filter))
            .push(")")
    };
    let groups = Sql::new(
        "SELECT DISTINCT group_id FROM piton_tasks WHERE group_id IS NOT NULL AND key IN ",
    );
    let groups: Vec<String> = tx.all(keys(groups), ()).await?;
    // The state is asked for again, because a worker may have claimed one since the subquery read it.
    let delete =
        Sql::new("DELETE FROM piton_tasks WHERE ").push(state.is_waiting).push(" AND key IN ");
    let removed = tx.run(keys(delete), ()).await?;
    fail_groups(tx, groups, now_ms).await?;
    Ok(removed)
}

impl TaskAdmin for DatabaseAdmin {
    fn task<'a>(&'a self, id: &'a str) -> Call<'a, Option<TaskRecord>> {
        listing::task(&self.db, id).boxed()
    }

    fn list<'a>(&'a self, filter: &'a TaskFilter) -> Call<'a, Vec<TaskRecord>> {
        listing::list(&self.db, filter).boxed()
    }

    fn revoke<'a>(&'a self, filter: &'a TaskFilter) -> Call<'a, u64> {
        self.revoke_tasks(filter).boxed()
    }

    fn retry<'a>(&'a self, filter: &'a TaskFilter) -> Call<'a, u64> {
        self.retry_tasks(filter).boxed()
    }

    fn purge<'a>(&'a self, filter: &'a TaskFilter) -> Call<'a, u64> {
        self.purge_tasks(filter).boxed()
    }

    fn pause<'a>(&'a self, queue: &'a str, paused: bool) -> Call<'a, ()> {
        self.pause_queue(queue, paused).boxed()
    }

    fn queues(&self) -> Call<'_, Vec<QueueStats>> {
        queues::queues(&self.db, self.clock.now_ms()).boxed()
    }

    fn workers(&self) -> Call<'_, Vec<WorkerInfo>> {
        self.live_workers().boxed()
    }
}

impl CronStore for DatabaseAdmin {
    fn cron<'a>(&'a self, name: &'a str, first_tick_ms: i64) -> Call<'a, CronRecord> {
        crons::cron(&self.db, name, first_tick_ms).boxed()
    }

    fn fire<'a>(
        &'a self,
        name: &'a str,
        tick_ms: i64,
        task: Option<&'a NewTask>,
    ) -> Call<'a, bool> {
        crons::fire(&self.db, name, tick_ms, task, self.wake()).boxed()
    }

    fn pause_cron<'a>(&'a self, name: &'a str, paused: bool) -> Call<'a, bool> {
        let now_ms = paused.then(|| self.clock.now_ms());
        async move { crons::pause(&self.db, name, now_ms).await }.boxed()
    }

    fn reset_cron<'a>(&'a self, name: &'a str, last_tick_ms: i64) -> Call<'a, bool> {
        crons::reset(&self.db, name, last_tick_ms).boxed()
    }

    fn crons(&self) -> Call<'_, Vec<CronRecord>> {
        crons::all(&self.db).boxed()
    }
}
