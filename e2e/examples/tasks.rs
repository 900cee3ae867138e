//! A service whose tasks leave a trace of every run, so that lost and repeated ones are found.

use std::time::Duration;

use piton::db::{Migrations, sqlx};
use piton::prelude::*;
use piton::serde_json::Value;
use piton::tasks::TaskRun;

const MIGRATIONS: Migrations = Migrations::new(&[(
    "0001_runs.sql",
    "CREATE TABLE runs (task TEXT NOT NULL, number BIGINT NOT NULL, retries BIGINT NOT NULL);
         CREATE TABLE ticks (tick TEXT NOT NULL);",
)]);

/// Waits, then leaves a trace.
#[task(name = "tasks.work", retries = 3, priority = 5)]
async fn work(
    #[part] db: Db,
    #[part] run: TaskRun,
    number: i64,
    pause_ms: u64,
) -> task::Result<i64> {
    piton::tokio::time::sleep(Duration::from_millis(pause_ms)).await;
    let sql = "INSERT INTO runs (task, number, retries) VALUES ($1, $2, $3)";
    db.run(sql, (run.id(), number, run.retries())).await?;
    Ok(number)
}

/// Uses all connections of its process for a while. Starts before the other tasks.
#[task(name = "tasks.hold")]
async fn hold(#[part] db: Db, pause_ms: u64) -> task::Result<()> {
    let pause = piton::tokio::time::sleep(Duration::from_millis(pause_ms));
    if let Some(pool) = db.postgres_pool() {
        let _held = all_connections(pool).await?;
        pause.await;
    } else if let Some(pool) = db.sqlite_pool() {
        let _held = all_connections(pool).await?;
        pause.await;
    }
    Ok(())
}

async fn all_connections<D: sqlx::Database>(
    pool: &sqlx::Pool<D>,
) -> Result<Vec<sqlx::pool::PoolConnection<D>>, sqlx::Error> {
    let mut held = Vec::new();
    for _ in 0..pool.options().get_max_connections() {
        held.push(pool.acquire().await?);
    }
    Ok(held)
}

#[cron(every = "1s", name = "tasks.tick")]
async fn tick(db: Db, run: TaskRun) -> task::Result<()> {
    let tick = run.header("cron_tick").and_then(Value::as_str).unwrap_or_default().to_owned();
    db.run("INSERT INTO ticks (tick) VALUES ($1)", (tick,)).await?;
    Ok(())
}

/// `count` tasks with the numbers from `first` on, which pause for at least `pause_ms` and up to `spread_ms` longer.
#[derive(Deserialize, JsonSchema)]
struct Load {
    #[serde(default)]
    first: i64,
    count: i64,
    pause_ms: u64,
    #[serde(default)]
    spread_ms: u64,
}

impl Load {
    /// Returns the pause of a task: those of consecutive tasks are far apart, and their mean is that of all.
    fn pause_ms(&self, number: i64) -> u64 {
        self.pause_ms + number.unsigned_abs() * 61 % (self.spread_ms + 1)
    }
}

#[post("/send")]
async fn send(tasks: Tasks, Query(load): Query<Load>) -> Result<String> {
    let numbers: Vec<i64> = (load.first..load.first + load.count).collect();
    for batch in numbers.chunks(500) {
        let call = |number: &i64| work::apply(*number, load.pause_ms(*number));
        tasks.send_all(batch.iter().map(call)).await?;
    }
    Ok(load.count.to_string())
}

#[derive(Deserialize, JsonSchema)]
struct Hold {
    pause_ms: u64,
}

#[post("/hold")]
async fn send_hold(Query(hold): Query<Hold>) -> Result<String> {
    Ok(hold::delay(hold.pause_ms).await?.id().to_owned())
}

/// What is known of all tasks that were sent.
#[derive(Serialize, JsonSchema)]
struct Counts {
    runs: i64,
    distinct: i64,
    retried: i64,
    left: i64,
    succeeded: i64,
    failed: i64,
    losses: i64,
    /// Tasks that have used all connections of their process, and ended.
    held: i64,
}

#[get("/counts")]
async fn counts(db: Db) -> Result<Json<Counts>> {
    const OF_WORK: &str = "name = 'tasks.work'";
    let results = |condition: &'static str| {
        piton::db::Sql::new("SELECT count(*) FROM piton_task_results WHERE ")
            .push(OF_WORK)
            .push(condition)
    };
    Ok(Json(Counts {
        runs: db.scalar("SELECT count(*) FROM runs", ()).await?,
        distinct: db.scalar("SELECT count(DISTINCT number) FROM runs", ()).await?,
        retried: db.scalar("SELECT count(*) FROM runs WHERE retries > 0", ()).await?,
        left: db.scalar("SELECT count(*) FROM piton_tasks WHERE name = 'tasks.work'", ()).await?,
        succeeded: db.scalar(results(" AND state = 3"), ()).await?,
        failed: db.scalar(results(" AND state <> 3"), ()).await?,
        losses: db.scalar(results(" AND losses > 0"), ()).await?,
        held: db
            .scalar("SELECT count(*) FROM piton_task_results WHERE name = 'tasks.hold'", ())
            .await?,
    }))
}

/// What is known of the runs, wherever the tasks are stored.
#[derive(Serialize, JsonSchema)]
struct Runs {
    runs: i64,
    distinct: i64,
    retried: i64,
}

#[get("/runs")]
async fn runs(db: Db) -> Result<Json<Runs>> {
    Ok(Json(Runs {
        runs: db.scalar("SELECT count(*) FROM runs", ()).await?,
        distinct: db.scalar("SELECT count(DISTINCT number) FROM runs", ()).await?,
        retried: db.scalar("SELECT count(*) FROM runs WHERE retries > 0", ()).await?,
    }))
}

#[get("/ticks")]
async fn ticks(db: Db) -> Result<Json<Vec<String>>> {
    Ok(Json(db.all("SELECT tick FROM ticks ORDER BY tick", ()).await?))
}

fn main() -> piton::Exit {
    App::new("tasks").set("log.level", "error").migrations(MIGRATIONS).run()
}
