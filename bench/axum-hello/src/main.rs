//! Bare axum's hello service: `axum-hello 5001` listens on 127.0.0.1:5001 until SIGTERM.

use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

#[derive(Serialize)]
struct Greeting {
    message: &'static str,
}

async fn hello() -> &'static str {
    "Hello, world!"
}

async fn json() -> Json<Greeting> {
    Json(Greeting { message: "Hello, world!" })
}

#[tokio::main]
async fn main() {
    let port = std::env::args().nth(1).and_then(|port| port.parse().ok()).unwrap_or(5000_u16);
    let listener = TcpListener::bind(("127.0.0.1", port)).await.expect("the port is free");
    let mut term = signal(SignalKind::terminate()).expect("SIGTERM can be listened to");
    let router = Router::new().route("/", get(hello)).route("/json", get(json));
    axum::serve(listener, router)
        .with_graceful_shutdown(async move {
            term.recv().await;
        })
        .await
        .expect("axum's server does not fail");
}
