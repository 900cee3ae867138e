//! A bare axum service on bare sqlx: `axum-db 5001 postgres://..` until SIGTERM.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Serialize;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

#[derive(Serialize, sqlx::FromRow)]
struct Item {
    id: i64,
    name: String,
    cents: i64,
}

type Answer<T> = Result<Json<T>, StatusCode>;

fn failed(_: sqlx::Error) -> StatusCode {
    StatusCode::INTERNAL_SERVER_ERROR
}

async fn hello() -> &'static str {
    "Hello, world!"
}

async fn one(State(pool): State<PgPool>, Path(id): Path<i64>) -> Answer<Item> {
    let item = sqlx::query_as::<_, Item>("SELECT id, name, cents FROM items WHERE id = $1")
        .bind(id)
        .fetch_optional(&pool)
        .await
        .map_err(failed)?;
    item.map(Json).ok_or(StatusCode::NOT_FOUND)
}

async fn twenty(State(pool): State<PgPool>, Path(id): Path<i64>) -> Answer<Vec<Item>> {
    let sql = "SELECT id, name, cents FROM items WHERE id >= $1 ORDER BY id LIMIT 20";
    let items = sqlx::query_as::<_, Item>(sql).bind(id).fetch_all(&pool).await.map_err(failed)?;
    Ok(Json(items))
}

async fn insert(State(pool): State<PgPool>, Path(cents): Path<i64>) -> Answer<i64> {
    let sql = "INSERT INTO orders (name, cents) VALUES ($1, $2) RETURNING id";
    let id = sqlx::query_scalar::<_, i64>(sql)
        .bind("an order")
        .bind(cents)
        .fetch_one(&pool)
        .await
        .map_err(failed)?;
    Ok(Json(id))
}

async fn update(State(pool): State<PgPool>, Path(id): Path<i64>) -> Answer<u64> {
    let done = sqlx::query("UPDATE items SET cents = cents + 1 WHERE id = $1")
        .bind(id)
        .execute(&pool)
        .await
        .map_err(failed)?;
    Ok(Json(done.rows_affected()))
}

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let port = arguments.next().and_then(|port| port.parse().ok()).unwrap_or(5000_u16);
    let url = arguments.next().expect("the database's URL");
    let pool = PgPoolOptions::new().max_connections(8).connect(&url).await.expect("it is there");
    let listener = TcpListener::bind(("127.0.0.1", port)).await.expect("the port is free");
    let mut term = signal(SignalKind::terminate()).expect("SIGTERM can be listened to");
    let router = Router::new()
        .route("/", get(hello))
        .route("/one/{id}", get(one))
        .route("/twenty/{id}", get(twenty))
        .route("/insert/{cents}", post(insert))
        .route("/update/{id}", post(update))
        .with_state(pool);
    axum::serve(listener, router)
        .with_graceful_shutdown(async move {
            term.recv().await;
        })
        .await
        .expect("axum's server does not fail");
}
