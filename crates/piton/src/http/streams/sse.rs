//! The response `Sse`: a stream of server-sent events.

use std::fmt;
use std::time::Duration;

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use http::{HeaderName, HeaderValue, StatusCode, header};
use tokio::sync::mpsc;

use super::event::Event;
use super::live_body::LiveBody;
use super::registry::{StreamKind, admit};
use super::stream_item::StreamItem;
use crate::http::routing::operation::{Operation, Output};

/// The media type of server-sent events. Always UTF-8, so that it has no parameter.
const EVENT_STREAM: &str = "text/event-stream";

/// Tells nginx not to collect the response in its buffers.
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// The comment of a heartbeat.
const HEARTBEAT: Bytes = Bytes::from_static(b":\n\n");

/// A response of server-sent events, which a browser reads with `EventSource`.
///
/// It goes on after `http.timeout`, within the limits of `http.streams`, and ends between two events
/// when the service stops: browsers then connect again with `Last-Event-ID`
/// ([`LastEventId`](crate::http::LastEventId)). The stream runs in the context of its request:
/// `piton::app()` works in it, and log lines have the request's id.
///
/// ```
/// use std::time::Duration;
///
/// use piton::http::{Event, Sse, Stream};
/// use piton::prelude::*;
///
/// /// Tells the time.
/// #[get("/time")]
/// async fn time() -> Sse<impl Stream<Item = Event>> {
///     let events = futures_util::stream::unfold((), |()| async {
///         piton::tokio::time::sleep(Duration::from_secs(1)).await;
///         Some((Event::new(piton::chrono::Utc::now().to_rfc3339()), ()))
///     });
///     Sse::new(events)
/// }
/// # fn main() {}
/// ```
///
/// An item may be a `Result<Event, E>`: an error is logged with the request's id, and cuts the
/// connection.
#[must_use = "it is the response of a handler"]
pub struct Sse<S> {
    events: S,
    heartbeat: Option<Duration>,
    last_event: Event,
}

impl<S> Sse<S>
where
    S: Stream<Item: StreamItem<Event>> + Send + 'static,
{
    /// Makes the response of a stream of events.
    pub fn new(events: S) -> Self {
        Self { events, heartbeat: None, last_event: Event::comment("the service is stopping") }
    }

    /// Sets the time of silence after which a comment is sent, instead of `http.streams.heartbeat`.
    pub fn heartbeat(mut self, period: Duration) -> Self {
        self.heartbeat = Some(period);
        self
    }

    /// Sets the event that is sent when the service stops, instead of a comment.
    pub fn last_event(mut self, event: Event) -> Self {
        self.last_event = event;
        self
    }
}

impl Sse<()> {
    /// Makes the response of events that another task sends. At most `capacity` events wait for the
    /// client, at least one; [`EventSender::send`] waits while there are as many. The response ends
    /// when the last sender is dropped.
    ///
    /// ```
    /// use piton::http::{Event, Sse, Stream};
    /// use piton::prelude::*;
    ///
    /// #[get("/progress")]
    /// async fn progress() -> Sse<impl Stream<Item = Event>> {
    ///     let (events, response) = Sse::channel(8);
    ///     piton::spawn(async move {
    ///         for percent in 0..=100 {
    ///             if events.send(Event::new(percent.to_string())).await.is_err() {
    ///                 return; // the client has gone, or the service stops
    ///             }
    ///         }
    ///     });
    ///     response
    /// }
    /// # fn main() {}
    /// ```
    pub fn channel(
        capacity: usize,
    ) -> (EventSender, Sse<impl Stream<Item = Event> + Send + 'static>) {
        let (sender, receiver) = mpsc::channel(capacity.max(1));
        let events = futures_util::stream::unfold(receiver, |mut receiver| async {
            receiver.recv().await.map(|event| (event, receiver))
        });
        (EventSender(sender), Sse::new(events))
    }
}

/// Sends events to the response made with it by [`Sse::channel`]. Cheap to clone.
#[derive(Clone, Debug)]
pub struct EventSender(mpsc::Sender<Event>);

impl EventSender {
    /// Sends an event. Waits while the client is too slow. Cancel safe: a cancelled call has sent
    /// nothing.
    ///
    /// # Errors
    /// The response has ended: the client has gone, a limit is reached, or the service stops.
    pub async fn send(&self, event: Event) -> Result<(), StreamClosed> {
        self.0.send(event).await.map_err(|_| StreamClosed)
    }

    /// Waits until the response has ended. Cancel safe.
    pub async fn closed(&self) {
        self.0.closed().await;
    }
}

/// The error of sending to a stream or a WebSocket that has ended: not a fault of the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamClosed;

impl fmt::Display for StreamClosed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the stream has ended")
    }
}

impl std::error::Error for StreamClosed {}

/// nginx's status for a client that has gone. `?` on [`StreamClosed`] makes an error of it, which is
/// not logged as a fault of the service.
pub(super) const CLIENT_CLOSED_REQUEST: u16 = 499;

crate::map_error!(|error| {
    let status = StatusCode::from_u16(CLIENT_CLOSED_REQUEST).ok();
    status.filter(|_| error.is::<StreamClosed>())
});

impl<S> IntoResponse for Sse<S>
where
    S: Stream<Item: StreamItem<Event>> + Send + 'static,
{
    fn into_response(self) -> Response {
        let mut admission = match admit(StreamKind::Sse) {
            Ok(admission) => admission,
            Err(refusal) => return refusal.into_response(),
        };
        admission.times.heartbeat = self.heartbeat.or(admission.times.heartbeat);
        let pieces = self.events.map(|item| item.into_item().map(|event| event.to_bytes()));
        let last = self.last_event.to_bytes();
        let body = LiveBody::start(Box::pin(pieces), admission, HEARTBEAT, last);
        let headers = [
            (header::CONTENT_TYPE, HeaderValue::from_static(EVENT_STREAM)),
            (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
            (X_ACCEL_BUFFERING, HeaderValue::from_static("no")),
        ];
        (headers, body).into_response()
    }
}

impl<S> Output for Sse<S> {
    fn describe(operation: &mut Operation) {
        operation.response_any(StatusCode::OK, EVENT_STREAM);
        operation.error(StatusCode::TOO_MANY_REQUESTS, "Too many streams of this client are open.");
    }
}

impl<S> fmt::Debug for Sse<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sse").finish_non_exhaustive()
    }
}
