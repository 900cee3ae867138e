//! A service that stores orders in its database, and sends a task of a Celery worker for each in the same transaction.

use std::time::Duration;

use piton::db::Migrations;
use piton::prelude::*;
use piton::serde_json::{Value, json};
use piton::tasks::Call;

const MIGRATIONS: Migrations = Migrations::new(&[(
    "0001_orders.sql",
    "CREATE TABLE orders (number BIGINT PRIMARY KEY, task TEXT NOT NULL);",
)]);

#[derive(Deserialize, JsonSchema)]
struct Order {
    number: i64,
    /// Stores the order, sends its task, and then rolls both back.
    #[serde(default)]
    rolled_back: bool,
}

/// Returns the id of the order's task.
#[post("/orders")]
async fn order(db: Db, Json(order): Json<Order>) -> Result<String> {
    let mut tx = db.begin().await?;
    // Sent before the row is stored, so that the row has its id.
    let call = Call::<i64>::new("py.add").arg(&order.number).arg(&1);
    let sent = call.send_in(&mut tx).await?;
    let insert = "INSERT INTO orders (number, task) VALUES ($1, $2)";
    tx.run(insert, (order.number, sent.id())).await?;
    if order.rolled_back {
        tx.rollback().await?;
    } else {
        tx.commit().await?;
    }
    Ok(sent.id().to_owned())
}

#[get("/orders")]
async fn orders(db: Db) -> Result<Json<Vec<i64>>> {
    Ok(Json(db.all("SELECT number FROM orders ORDER BY number", ()).await?))
}

#[get("/waiting")]
async fn waiting(db: Db) -> Result<Json<i64>> {
    Ok(Json(db.scalar("SELECT count(*) FROM piton_task_outbox", ()).await?))
}

#[get("/status/{id}")]
async fn status(tasks: Tasks, Path(id): Path<String>) -> Result<Json<Value>> {
    Ok(Json(json!(tasks.status(&id).await?)))
}

/// Waits for the result of a task.
#[get("/result/{id}")]
async fn result(tasks: Tasks, Path(id): Path<String>) -> Result<Json<i64>> {
    let sent = tasks.sent::<i64>(id);
    Ok(Json(sent.result(Duration::from_secs(20)).await.map_err(Error::internal)?))
}

fn main() -> piton::Exit {
    App::new("outbox").set("tasks.broker", "redis").migrations(MIGRATIONS).run()
}
