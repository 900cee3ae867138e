//! The driver of a WebSocket: moves messages between the connection and the handler, sends pings, and
//! closes the connection with the code that says why.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use axum::extract::ws;
use futures_util::StreamExt;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite;

use super::message::{CloseCode, CloseFrame, WebSocketMessage};
use super::socket::{DriverChannels, Outgoing};
use super::traffic::Traffic;
use crate::http::streams::deadlines::StreamDeadlines;
use crate::http::streams::registry::EndReason;

/// Time for the client to answer a close frame. Its answer takes one round trip.
const CLOSE_GRACE: Duration = Duration::from_millis(500);

/// Maximum number of pings in a row without a byte of the client.
const MAX_UNANSWERED_PINGS: u32 = 2;

/// The driver of one WebSocket.
pub(super) struct Driver {
    connection: ws::WebSocket,
    channels: DriverChannels,
    deadlines: StreamDeadlines,
    traffic: Traffic,
    /// The order to close after a failure of the handler.
    failed: oneshot::Receiver<CloseFrame>,
    heartbeat: Duration,
    /// The pings since the client was heard last.
    unanswered_pings: u32,
}

/// The events that a driver waits for.
enum DriverEvent {
    /// A reason to end, as [`StreamDeadlines`] gives it.
    End(EndReason),
    Failed(CloseFrame),
    /// `None` once the handler has dropped the socket.
    Outgoing(Option<Outgoing>),
    Incoming(Option<Result<ws::Message, axum::Error>>),
    /// The client's message does not fit in `http.memory_budget`.
    NoMemory(CloseFrame),
    Heartbeat,
}

impl Driver {
    pub fn new(
        connection: ws::WebSocket,
        channels: DriverChannels,
        deadlines: StreamDeadlines,
        traffic: Traffic,
        failed: oneshot::Receiver<CloseFrame>,
        heartbeat: Duration,
    ) -> Self {
        Self { connection, channels, deadlines, traffic, failed, heartbeat, unanswered_pings: 0 }
    }

    /// Runs until the connection is closed.
    pub async fn run(mut self) {
        let reason = loop {
            let event = self.next_event().await;
            if let Some(reason) = self.handle(event).await {
                break reason;
            }
        };
        self.deadlines.set_reason(reason);
    }

    async fn next_event(&mut self) -> DriverEvent {
        let Self { connection, channels, deadlines, traffic, failed, .. } = self;
        // Both are polled at once, because they share the deadlines.
        let times = poll_fn(|cx| {
            let end = deadlines.poll_end(cx).map(DriverEvent::End);
            if end.is_ready() {
                end
            } else {
                deadlines.poll_heartbeat(cx).map(|()| DriverEvent::Heartbeat)
            }
        });
        tokio::select! {
            event = times => event,
            Ok(frame) = failed => DriverEvent::Failed(frame),
            order = channels.outgoing.recv() => DriverEvent::Outgoing(order),
            event = receive(connection, &channels.incoming, traffic) => event,
        }
    }

    /// Handles an event. Returns the reason once the connection has ended.
    async fn handle(&mut self, event: DriverEvent) -> Option<EndReason> {
        match event {
            DriverEvent::End(reason) => Some(self.close_for(reason).await),
            DriverEvent::Failed(frame) => {
                self.close(frame).await;
                Some(EndReason::Failed)
            }
            DriverEvent::Outgoing(Some(Outgoing::Message(message))) => {
                self.deadlines.record_activity();
                self.write(message.into()).await
            }
            DriverEvent::Outgoing(Some(Outgoing::Close(frame))) => {
                self.close(frame).await;
                Some(EndReason::Finished)
            }
            DriverEvent::Outgoing(None) => Some(self.close_for_handler().await),
            DriverEvent::Incoming(frame) => self.take(frame).await,
            DriverEvent::NoMemory(frame) => {
                tracing::debug!("A WebSocket is closed with {}: {}", frame.code.0, frame.reason);
                self.close(frame).await;
                Some(EndReason::Finished)
            }
            DriverEvent::Heartbeat => self.check_client().await,
        }
    }

    /// Closes the connection because the handler has dropped the socket: by a failure, or at its end.
    async fn close_for_handler(&mut self) -> EndReason {
        let (frame, reason) = match self.failed.try_recv() {
            Ok(frame) => (frame, EndReason::Failed),
            Err(_) => (CloseFrame::new(CloseCode::NORMAL, ""), EndReason::Finished),
        };
        self.close(frame).await;
        reason
    }

    /// Hands a frame of the client to the handler.
    async fn take(&mut self, frame: Option<Result<ws::Message, axum::Error>>) -> Option<EndReason> {
        self.unanswered_pings = 0;
        match frame {
            Some(Ok(ws::Message::Text(text))) => self.hand_over(WebSocketMessage::Text(text)),
            Some(Ok(ws::Message::Binary(bytes))) => self.hand_over(WebSocketMessage::Binary(bytes)),
            Some(Ok(ws::Message::Close(frame))) => {
                if let Some(frame) = frame {
                    let _ = self.channels.closed_by.set(frame.into());
                }
                // The answer is in tungstenite's buffer, and reading on sends it.
                let _ = timeout(CLOSE_GRACE, drain(&mut self.connection)).await;
                return Some(EndReason::Finished);
            }
            // Pongs count as signs of life only. Pings are answered by tungstenite.
            Some(Ok(_)) => {}
            Some(Err(error)) => return Some(self.close_after_error(&error).await),
            None => return Some(EndReason::ClientGone),
        }
        None
    }

    fn hand_over(&mut self, message: WebSocketMessage) {
        self.deadlines.record_activity();
        // There is room, because `receive` waits for it; without a receiver messages are dropped.
        let _ = self.channels.incoming.try_send(message);
    }

    /// Sends a ping. Ends the stream instead if the client has sent nothing since the last two.
    async fn check_client(&mut self) -> Option<EndReason> {
        // Nothing is read from a client while its last message waits for the handler.
        let reads = self.channels.incoming.capacity() > 0 || self.channels.incoming.is_closed();
        // No pong can arrive within a frame, so that a large one on a slow line hides them.
        if self.traffic.has_received() || !reads {
            self.unanswered_pings = 0;
        }
        if self.unanswered_pings >= MAX_UNANSWERED_PINGS {
            return Some(EndReason::ClientGone);
        }
        self.unanswered_pings += 1;
        self.write(ws::Message::Ping(bytes::Bytes::new())).await
    }

    /// Writes a message. Ends the stream if the client reads nothing for two heartbeats, or for
    /// [`CLOSE_GRACE`] once the stream has to end.
    async fn write(&mut self, message: ws::Message) -> Option<EndReason> {
        let write_timeout = self.heartbeat * 2;
        let Self { connection, deadlines, traffic, unanswered_pings, .. } = self;
        let ended = {
            let mut send = pin!(connection.send(message));
            let mut written = traffic.written();
            let ended = loop {
                tokio::select! {
                    biased;
                    sent = &mut send => return sent.err().map(|_| EndReason::ClientGone),
                    reason = poll_fn(|cx| deadlines.poll_end(cx)) => break reason,
                    () = tokio::time::sleep(write_timeout) => {}
                }
                let before = std::mem::replace(&mut written, traffic.written());
                if written == before {
                    return Some(EndReason::ClientGone);
                }
                // Its pongs wait behind the message.
                *unanswered_pings = 0;
            };
            // The message is finished first, because a close frame cannot stand within it.
            match timeout(CLOSE_GRACE, send).await {
                Ok(Ok(())) => ended,
                Ok(Err(_)) | Err(_) => return Some(ended),
            }
        };
        Some(self.close_for(ended).await)
    }

    async fn close_for(&mut self, reason: EndReason) -> EndReason {
        let text = match reason {
            EndReason::Stopped => "the service is stopping",
            EndReason::Idle => "no message for too long (http.streams.idle_timeout)",
            _ => "open for too long (http.streams.max_duration)",
        };
        self.close(CloseFrame::new(CloseCode::GOING_AWAY, text)).await;
        reason
    }

    async fn close_after_error(&mut self, error: &axum::Error) -> EndReason {
        let (code, text) = match protocol_error(error) {
            Some(tungstenite::Error::Capacity(_)) => {
                (CloseCode::TOO_BIG, "above http.streams.max_message_size")
            }
            Some(tungstenite::Error::Utf8(_)) => (CloseCode::INVALID_PAYLOAD, "not UTF-8"),
            Some(tungstenite::Error::Protocol(
                tungstenite::error::ProtocolError::ResetWithoutClosingHandshake,
            )) => return EndReason::ClientGone,
            Some(tungstenite::Error::Protocol(_)) => (CloseCode::PROTOCOL, "not RFC 6455"),
            _ => return EndReason::ClientGone,
        };
        tracing::debug!("A WebSocket is closed with {}: {error}", code.0);
        self.close(CloseFrame::new(code, text)).await;
        EndReason::Finished
    }

    /// Sends a close frame, and gives the client time to answer.
    async fn close(&mut self, frame: CloseFrame) {
        // The handler's `recv` returns `None` from now on, and its `send` fails.
        self.channels.outgoing.close();
        let connection = &mut self.connection;
        let goodbye = async {
            if connection.send(ws::Message::Close(Some(frame.into()))).await.is_ok() {
                drain(connection).await;
            }
        };
        let _ = timeout(CLOSE_GRACE, goodbye).await;
    }
}

/// Waits until the handler has room, then for the client's next frame. Cancel safe.
async fn receive(
    connection: &mut ws::WebSocket,
    incoming: &mpsc::Sender<WebSocketMessage>,
    traffic: &mut Traffic,
) -> DriverEvent {
    let _room = incoming.reserve().await;
    traffic.release_taken();
    poll_fn(|cx| {
        let polled = connection.poll_next_unpin(cx);
        match traffic.charge(&polled) {
            Ok(()) => polled.map(DriverEvent::Incoming),
            Err(frame) => Poll::Ready(DriverEvent::NoMemory(frame)),
        }
    })
    .await
}

/// Reads to the end of the connection.
async fn drain(connection: &mut ws::WebSocket) {
    loop {
        match connection.recv().await {
            Some(Ok(_)) => {}
            // What is unread would make the system reset the connection, and the client lose the
            // reason: it gets the rest of the grace to read it.
            Some(Err(error)) if is_unread(&error) => std::future::pending().await,
            Some(Err(_)) | None => return,
        }
    }
}

/// Returns whether the error leaves bytes of the client unread.
fn is_unread(error: &axum::Error) -> bool {
    matches!(
        protocol_error(error),
        Some(tungstenite::Error::Capacity(_) | tungstenite::Error::Utf8(_))
    )
}

fn protocol_error(error: &axum::Error) -> Option<&tungstenite::Error> {
    std::error::Error::source(error)?.downcast_ref()
}
