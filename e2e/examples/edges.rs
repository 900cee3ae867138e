//! A service with a route for each kind of exchange that has an edge: refusals and successes before the
//! body is read, large and endless responses, slow handlers. The hostile suite and real clients use it.

use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::stream;
use piton::axum::body::{Body, Bytes};
use piton::axum::response::sse::{Event, KeepAlive, Sse};
use piton::axum::response::{IntoResponse, Response};
use piton::prelude::*;

/// Size of the parts of a large response.
const PART_BYTES: usize = 64 << 10;

/// Number of parts of a large response: 15.9 MB, more than the buffers of any system.
const PARTS: usize = 243;

static OPENED: AtomicU64 = AtomicU64::new(0);

static SMUGGLED: AtomicU64 = AtomicU64::new(0);

#[get("/")]
async fn hello() -> &'static str {
    "hello"
}

/// Responds with its number, so that a response to another request is noticed.
#[get("/number/{number}")]
async fn number(Path(number): Path<u64>) -> String {
    number.to_string()
}

/// Responds with the body that it has read.
#[post("/echo")]
async fn echo(body: Bytes) -> Bytes {
    body
}

/// Refuses every request without reading its body.
#[post("/closed")]
async fn closed() -> Result<()> {
    Err(Error::unauthorized("wrong key"))
}

/// Succeeds without reading the request's body, and counts.
#[post("/opened")]
async fn opened() -> Created<String> {
    let number = OPENED.fetch_add(1, Ordering::Relaxed) + 1;
    Created::at(format!("/number/{number}"), number.to_string())
}

/// Responds with the number of successes of `POST /opened`.
#[get("/opened")]
async fn opened_count() -> String {
    OPENED.load(Ordering::Relaxed).to_string()
}

/// Counts requests that no client sends by itself.
#[get("/smuggled")]
async fn smuggled() {
    SMUGGLED.fetch_add(1, Ordering::Relaxed);
}

#[get("/smuggled/count")]
async fn smuggled_count() -> String {
    SMUGGLED.load(Ordering::Relaxed).to_string()
}

/// Responds with 15.9 MB in parts.
#[get("/large")]
async fn large() -> Response {
    let part = Bytes::from_static(&[b'x'; PART_BYTES]);
    let parts = stream::iter((0..PARTS).map(move |_| Ok::<_, Infallible>(part.clone())));
    Body::from_stream(parts).into_response()
}

/// Responds with events that never end: one at once, then heartbeats only.
#[get("/quiet")]
async fn quiet() -> Response {
    let events = stream::unfold(false, |said| async move {
        if said {
            std::future::pending::<()>().await;
        }
        Some((Ok::<_, Infallible>(Event::default().data("first")), true))
    });
    let heartbeat = KeepAlive::new().interval(Duration::from_secs(1));
    Sse::new(events).keep_alive(heartbeat).into_response()
}

/// Responds after 200 milliseconds.
#[get("/slow")]
async fn slow() -> &'static str {
    tokio::time::sleep(Duration::from_millis(200)).await;
    "slow"
}

fn main() -> piton::Exit {
    App::new("edges").run()
}
