//! A constant row, a row from PostgreSQL, and the same row cached:
//! `piton-cache --port 5001 --set db.url=postgres://..` until SIGTERM; with `--set cache.host=127.0.0.1
//! --set cache.port=6379` the cache is in Redis.

use piton::prelude::*;

#[derive(Serialize, JsonSchema, FromRow)]
struct Item {
    id: i64,
    name: String,
    cents: i64,
}

#[get("/")]
async fn hello() -> &'static str {
    "Hello, world!"
}

/// Returns a constant row: the cost of JSON and of the stack alone.
#[get("/plain/{id}")]
async fn plain(Path(id): Path<i64>) -> Json<Item> {
    Json(Item { id, name: format!("item {id}"), cents: id })
}

#[get("/row/{id}")]
async fn row(db: Db, Path(id): Path<i64>) -> Result<Json<Item>> {
    find(&db, id).await
}

#[get("/cached/{id}")]
#[cached(tags = ["items", "item:{id}"])]
async fn remembered(db: Db, Path(id): Path<i64>) -> Result<Json<Item>> {
    find(&db, id).await
}

async fn find(db: &Db, id: i64) -> Result<Json<Item>> {
    let item = db.one::<Item>("SELECT id, name, cents FROM items WHERE id = $1", (id,)).await?;
    item.map(Json).ok_or_else(|| Error::not_found("no such item"))
}

fn main() -> piton::Exit {
    App::new("piton_cache").production(true).set("admin.address", "off").run()
}
