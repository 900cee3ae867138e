//! `TestApp` opens WebSockets in memory.

use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use futures_util::FutureExt;
use piton::http::get;
use piton::prelude::*;
use piton::serde_json::{Value, json};
use piton::testing::{TestApp, TestMessage};

async fn echo(mut socket: WebSocket) {
    while let Some(Ok(message)) = socket.recv().await {
        match message {
            Message::Text(text) if text.as_str() == "leave" => {
                let frame = CloseFrame { code: 4001, reason: "as told".into() };
                let _ = socket.send(Message::Close(Some(frame))).await;
                return;
            }
            Message::Text(text) if text.as_str() == "crash" => return,
            message => {
                let _ = socket.send(message).await;
            }
        }
    }
}

async fn open(headers: axum::http::HeaderMap, ws: WebSocketUpgrade) -> Result<Response> {
    if headers.get("x-key").is_none() {
        return Err(Error::unauthorized("no key"));
    }
    Ok(ws.on_upgrade(echo))
}

async fn app() -> TestApp {
    let app = App::new("test_app_websocket").blueprints(["none"]).set("log.level", "critical");
    TestApp::new(app.route(get("/ws", open))).await
}

#[piton::test]
async fn messages_of_all_kinds_come_back() {
    let app = app().await;
    let mut socket = app.get("/ws").header("x-key", "1").websocket().await;
    socket.send_text("hello").await;
    socket.send_json(&json!({ "n": 1 })).await;
    let large = vec![7; 1 << 20];
    let (mut sender, bytes) = (socket, large.clone());
    assert_eq!(sender.text().await, "hello");
    assert_eq!(sender.json::<Value>().await, json!({ "n": 1 }));
    sender.send_binary(bytes).await;
    assert_eq!(sender.receive().await, TestMessage::Binary(large.into()));
    assert_eq!(sender.close(1000, "").await, TestMessage::Close(1000, String::new()));
}

#[piton::test]
async fn the_apps_close_frame_is_seen_and_so_is_its_absence() {
    let app = app().await;
    let mut socket = app.get("/ws").header("x-key", "1").websocket().await;
    socket.send_text("leave").await;
    assert_eq!(socket.closed().await, TestMessage::Close(4001, "as told".to_owned()));
    let mut socket = app.get("/ws").header("x-key", "1").websocket().await;
    socket.send_text("crash").await;
    assert_eq!(socket.closed().await, TestMessage::Cut);
}

#[piton::test]
async fn a_refusal_is_an_answer() {
    let app = app().await;
    let answer = app.get("/ws").try_websocket().await.unwrap_err();
    assert_eq!(answer.status(), 401);
    assert!(answer.is_problem());
    let panic =
        std::panic::AssertUnwindSafe(app.websocket("/ws")).catch_unwind().await.unwrap_err();
    let panic = panic.downcast::<String>().unwrap();
    assert!(panic.starts_with("GET /ws: no WebSocket, but 401 Unauthorized: {"), "{panic}");
}

#[piton::test]
async fn a_quiet_socket_fails_a_test_instead_of_hanging_it() {
    let app = app().await;
    let request = app.get("/ws").header("x-key", "1").read_timeout(Duration::from_millis(50));
    let mut socket = request.websocket().await;
    let panic = std::panic::AssertUnwindSafe(socket.text()).catch_unwind().await.unwrap_err();
    let panic = panic.downcast::<String>().unwrap();
    assert!(panic.starts_with("GET /ws: nothing arrived within 50ms"), "{panic}");
}
