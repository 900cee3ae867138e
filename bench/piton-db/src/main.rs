//! A Piton service on PostgreSQL: `piton-db --port 5001 --set db.url=postgres://..` until SIGTERM.

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

#[get("/one/{id}")]
async fn one(db: Db, Path(id): Path<i64>) -> Result<Json<Item>> {
    let item = db.one::<Item>("SELECT id, name, cents FROM items WHERE id = $1", (id,)).await?;
    item.map(Json).ok_or_else(|| Error::not_found("no such item"))
}

#[get("/twenty/{id}")]
async fn twenty(db: Db, Path(id): Path<i64>) -> Result<Json<Vec<Item>>> {
    let sql = "SELECT id, name, cents FROM items WHERE id >= $1 ORDER BY id LIMIT 20";
    Ok(Json(db.all(sql, (id,)).await?))
}

#[post("/insert/{cents}")]
async fn insert(db: Db, Path(cents): Path<i64>) -> Result<Json<i64>> {
    let sql = "INSERT INTO orders (name, cents) VALUES ($1, $2) RETURNING id";
    Ok(Json(db.one(sql, ("an order", cents)).await?.unwrap_or_default()))
}

#[post("/update/{id}")]
async fn update(db: Db, Path(id): Path<i64>) -> Result<Json<u64>> {
    Ok(Json(db.run("UPDATE items SET cents = cents + 1 WHERE id = $1", (id,)).await?))
}

fn main() -> piton::Exit {
    App::new("piton_db").production(true).set("admin.address", "off").run()
}
