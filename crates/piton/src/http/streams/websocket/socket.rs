//! The handler's side of a WebSocket: channels to the driver.

use std::sync::{Arc, OnceLock};

use tokio::sync::mpsc;

use super::message::{CloseCode, CloseFrame, WebSocketMessage};
use crate::context;
use crate::http::streams::sse::StreamClosed;

/// Messages that wait for the handler, and for the connection: one each, because every socket may
/// hold messages of `http.streams.max_message_size`.
const CHANNEL_CAPACITY: usize = 1;

/// An open WebSocket. Dropping it closes it with the code 1000.
///
/// The socket sends pings, ends by the limits of `http.streams`, and is closed with the code 1001 when
/// the service stops; [`recv`](Self::recv) then returns `None`.
///
/// A room in which each client receives what all send:
///
/// ```no_run
/// use piton::axum::response::Response;
/// use piton::http::WebSocketUpgrade;
/// use piton::prelude::*;
/// use piton::tokio::select;
/// use piton::tokio::sync::broadcast::{self, error::RecvError};
///
/// /// The messages of the room.
/// #[derive(Clone)]
/// struct Room(broadcast::Sender<String>);
///
/// /// Joins the room.
/// #[get("/chat")]
/// async fn chat(State(room): State<Room>, upgrade: WebSocketUpgrade) -> Response {
///     upgrade.on_upgrade(|mut socket| async move {
///         let mut messages = room.0.subscribe();
///         loop {
///             select! {
///                 received = socket.recv() => match received {
///                     Some(message) => {
///                         let text = message.text().unwrap_or_default().to_owned();
///                         let _ = room.0.send(text);
///                     }
///                     None => return Ok(()), // closed by either side
///                 },
///                 message = messages.recv() => match message {
///                     Ok(text) => socket.send(text).await?,
///                     Err(RecvError::Lagged(_)) => {} // too slow: messages were left out
///                     Err(RecvError::Closed) => return Ok(()),
///                 },
///             }
///         }
///     })
/// }
///
/// fn main() -> piton::Exit {
///     piton::new_app!().state(Room(broadcast::channel(64).0)).run()
/// }
/// ```
#[derive(Debug)]
pub struct WebSocket {
    receiver: WebSocketReceiver,
    sender: WebSocketSender,
}

/// The receiving half of a [`WebSocket`].
#[derive(Debug)]
pub struct WebSocketReceiver {
    incoming: mpsc::Receiver<WebSocketMessage>,
    closed_by: Arc<OnceLock<CloseFrame>>,
    /// Keeps the socket open while only this half lives.
    _sender: WebSocketSender,
}

/// The sending half of a [`WebSocket`]. Cheap to clone: several tasks may send.
#[derive(Clone, Debug)]
pub struct WebSocketSender(mpsc::Sender<Outgoing>);

/// An order to the driver.
#[derive(Debug)]
pub(super) enum Outgoing {
    Message(WebSocketMessage),
    Close(CloseFrame),
}

/// The driver's ends of the channels.
pub(super) struct DriverChannels {
    pub incoming: mpsc::Sender<WebSocketMessage>,
    pub outgoing: mpsc::Receiver<Outgoing>,
    pub closed_by: Arc<OnceLock<CloseFrame>>,
}

/// Returns a socket, and the driver's ends of its channels.
pub(super) fn socket() -> (WebSocket, DriverChannels) {
    let (incoming_sender, incoming) = mpsc::channel(CHANNEL_CAPACITY);
    let (outgoing_sender, outgoing) = mpsc::channel(CHANNEL_CAPACITY);
    let sender = WebSocketSender(outgoing_sender);
    let closed_by = Arc::new(OnceLock::new());
    let channels =
        DriverChannels { incoming: incoming_sender, outgoing, closed_by: closed_by.clone() };
    let receiver = WebSocketReceiver { incoming, closed_by, _sender: sender.clone() };
    (WebSocket { receiver, sender }, channels)
}

impl WebSocket {
    /// Waits for the next message. `None` once the socket is closed, by either side. Cancel safe.
    pub async fn recv(&mut self) -> Option<WebSocketMessage> {
        self.receiver.recv().await
    }

    /// Sends a message. Waits while the client reads too slowly, so that memory is bounded. Cancel
    /// safe: a cancelled call has sent nothing.
    ///
    /// # Errors
    /// The socket is closed.
    pub async fn send(&self, message: impl Into<WebSocketMessage>) -> Result<(), StreamClosed> {
        self.sender.send(message).await
    }

    /// Closes the socket with a code and a reason, after the messages that were sent.
    pub async fn close(self, code: CloseCode, reason: &str) {
        self.sender.close(code, reason).await;
    }

    /// Returns the frame by which the client has closed the socket, if it has and gave one.
    #[must_use]
    pub fn closed_by(&self) -> Option<&CloseFrame> {
        self.receiver.closed_by()
    }

    /// Splits the socket, to receive and send in different tasks. It is closed when both halves are
    /// dropped.
    #[must_use]
    pub fn split(self) -> (WebSocketSender, WebSocketReceiver) {
        (self.sender, self.receiver)
    }
}

impl WebSocketReceiver {
    /// Waits for the next message, as [`WebSocket::recv`].
    pub async fn recv(&mut self) -> Option<WebSocketMessage> {
        release_memory();
        self.incoming.recv().await
    }

    /// Returns the frame by which the client has closed the socket, if it has and gave one.
    #[must_use]
    pub fn closed_by(&self) -> Option<&CloseFrame> {
        self.closed_by.get()
    }
}

impl WebSocketSender {
    /// Sends a message, as [`WebSocket::send`].
    ///
    /// # Errors
    /// The socket is closed.
    pub async fn send(&self, message: impl Into<WebSocketMessage>) -> Result<(), StreamClosed> {
        let order = Outgoing::Message(message.into());
        let sent = self.0.send(order).await;
        release_memory();
        sent.map_err(|_| StreamClosed)
    }

    /// Closes the socket with a code and a reason, after the messages that were sent.
    pub async fn close(&self, code: CloseCode, reason: &str) {
        let _ = self.0.send(Outgoing::Close(CloseFrame::new(code, reason))).await;
    }

    /// Waits until the socket is closed. Cancel safe.
    pub async fn closed(&self) {
        self.0.closed().await;
    }
}

/// Releases what the rows and bodies read for the last message were charged: they are done with.
fn release_memory() {
    context::current(|request| request.memory.get().map(|charge| charge.clear()));
}
