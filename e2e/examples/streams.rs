//! A service of streams for the tests of restarts: numbered events and messages that do not end.

use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use piton::axum::response::{Html, Response};
use piton::http::{Event, LastEventId, Sse, Stream, WebSocketUpgrade};
use piton::prelude::*;
use piton::tokio::time::sleep;

/// Time between two events. 400 streams are 4 MB/s then, which a client of a debug build can read.
const PERIOD: Duration = Duration::from_millis(200);

/// A numbered event. Its length and its end show whether it has arrived whole.
fn text(number: u64) -> String {
    format!(r#"{{"number":{number},"padding":"{}","end":true}}"#, "x".repeat(2_000))
}

/// Numbers that go on after the last one that the client has received.
#[get("/events")]
async fn events(last: LastEventId) -> Sse<impl Stream<Item = Event>> {
    let first = last.parse::<u64>().map_or(1, |last| last + 1);
    Sse::new(stream::unfold(first, move |number| async move {
        if number > first {
            sleep(PERIOD).await;
        }
        let event = Event::new(text(number)).id(number.to_string());
        Some((event.retry(Duration::from_millis(200)), number + 1))
    }))
}

/// The same by a WebSocket.
#[get("/socket")]
async fn socket(upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(|socket| async move {
        let mut number = 1;
        while socket.send(text(number)).await.is_ok() {
            sleep(PERIOD).await;
            number += 1;
        }
    })
}

/// Fails after one event.
#[get("/fails")]
async fn fails() -> Sse<impl Stream<Item = Result<Event>>> {
    let error = Error::internal("the queue is gone");
    Sse::new(stream::iter([Ok(Event::new("one")), Err(error)]))
}

/// Panics after one event.
#[get("/panics")]
async fn panics() -> Sse<impl Stream<Item = Event>> {
    Sse::new(stream::iter([1, 2]).map(|number| {
        assert_eq!(number, 1, "unheard of");
        Event::new("one")
    }))
}

/// Panics after one message.
#[get("/panicking-socket")]
async fn panicking_socket(upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(|mut socket| async move {
        assert_eq!(socket.recv().await, None, "unheard of");
    })
}

/// A page that collects the events, and says in `seen` what it has received.
#[get("/")]
async fn page() -> Html<&'static str> {
    Html(
        "<!doctype html><title>Streams</title><script>
const seen = { opens: 0, ids: [], broken: 0 };
const source = new EventSource('/events');
source.onopen = () => { seen.opens += 1; };
source.onmessage = (event) => {
  seen.ids.push(Number(event.lastEventId));
  if (JSON.parse(event.data).end !== true) seen.broken += 1;
};
</script>",
    )
}

fn main() -> piton::Exit {
    App::new("streams").run()
}
