//! The bytes that move on the connection of a WebSocket. They charge a message to `http.memory_budget` while it
//! arrives, and are signs of life of a client whose line is slow.
//!
//! tungstenite does not tell how much of a message it holds, but it holds what the connection has received
//! since the message before it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;

use axum::extract::ws;

use super::message::{CloseCode, CloseFrame};
use crate::http::server::connection_state::ConnectionState;
use crate::memory::MemoryCharge;

/// Size of the head of a client's control frame with its mask (RFC 6455, section 5.2).
const CONTROL_HEAD_BYTES: usize = 6;

type PolledFrame = Poll<Option<Result<ws::Message, axum::Error>>>;

/// The traffic of one WebSocket.
pub(super) struct Traffic {
    /// `None` where the connection is not the server's own, as in `TestApp`: nothing is seen or charged.
    connection: Option<Arc<ConnectionState>>,
    charge: Option<MemoryCharge>,
    /// Number of bytes that were received after the handshake and before the message that arrives.
    before_message: usize,
    /// Set while a whole message waits for the handler.
    is_waiting: bool,
    /// Number of bytes that were received at the last look for signs of life.
    seen: usize,
}

impl Traffic {
    pub fn new(connection: Option<Arc<ConnectionState>>, charge: Option<MemoryCharge>) -> Self {
        Self { connection, charge, before_message: 0, is_waiting: false, seen: 0 }
    }

    fn received(&self) -> usize {
        self.connection.as_ref().map_or(0, |connection| connection.received())
    }

    /// Returns the number of bytes written. A change means that the client receives.
    pub fn written(&self) -> usize {
        self.connection.as_ref().map_or(0, |connection| connection.written.load(Ordering::Relaxed))
    }

    /// Returns whether the client has sent anything since the last call.
    pub fn has_received(&mut self) -> bool {
        let received = self.received();
        std::mem::replace(&mut self.seen, received) != received
    }

    /// Releases the charge of the message that the handler has taken.
    pub fn release_taken(&mut self) {
        if std::mem::take(&mut self.is_waiting) {
            self.charge.iter().for_each(MemoryCharge::clear);
        }
    }

    /// Charges what has arrived of a message after a poll of the connection.
    ///
    /// # Errors
    /// There is no room for it: returns the frame that closes the socket.
    pub fn charge(&mut self, polled: &PolledFrame) -> Result<(), CloseFrame> {
        match polled {
            Poll::Pending => self.charge_arrived(),
            Poll::Ready(Some(Ok(ws::Message::Text(_) | ws::Message::Binary(_)))) => {
                let charged = self.charge_arrived();
                self.before_message = self.received();
                self.is_waiting = true;
                charged
            }
            // A control frame may come between two fragments of a message, and is not kept.
            Poll::Ready(Some(Ok(ws::Message::Ping(data) | ws::Message::Pong(data)))) => {
                self.before_message += data.len() + CONTROL_HEAD_BYTES;
                Ok(())
            }
            Poll::Ready(_) => Ok(()),
        }
    }

    fn charge_arrived(&self) -> Result<(), CloseFrame> {
        let Some(charge) = &self.charge else { return Ok(()) };
        let arrived = self.received().saturating_sub(self.before_message) as u64;
        let charged = charge.bytes();
        if arrived <= charged {
            charge.shrink(charged - arrived);
            return Ok(());
        }
        if charge.grow(arrived - charged) {
            return Ok(());
        }
        charge.budget().refuse();
        Err(if charge.budget().could_hold(arrived) {
            CloseFrame::new(CloseCode::TRY_AGAIN_LATER, "http.memory_budget is used up")
        } else {
            CloseFrame::new(CloseCode::TOO_BIG, "above http.memory_budget")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::MemoryBudget;

    const KIB: usize = 1 << 10;

    fn text(content: &str) -> PolledFrame {
        Poll::Ready(Some(Ok(ws::Message::Text(content.into()))))
    }

    #[test]
    fn a_message_is_charged_while_it_arrives_and_until_the_handler_takes_it() {
        let budget = MemoryBudget::new(1 << 20);
        let connection = Arc::new(ConnectionState::default());
        let charge = MemoryCharge::new(budget.clone());
        let mut traffic = Traffic::new(Some(connection.clone()), Some(charge));
        connection.add_received(300 * KIB);
        traffic.charge(&Poll::Pending).unwrap();
        traffic.release_taken();
        assert_eq!(budget.used(), 300 << 10);
        connection.add_received(2 + CONTROL_HEAD_BYTES);
        let pong = ws::Message::Pong(vec![1, 2].into());
        traffic.charge(&Poll::Ready(Some(Ok(pong)))).unwrap();
        connection.add_received(100 * KIB);
        traffic.charge(&text("whole")).unwrap();
        assert_eq!(budget.used(), 400 << 10);
        traffic.release_taken();
        assert_eq!(budget.used(), 0);
        traffic.charge(&Poll::Pending).unwrap();
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn a_message_without_room_closes_the_socket_by_a_code_that_says_whether_to_try_again() {
        let budget = MemoryBudget::new(1 << 20);
        let others = MemoryCharge::new(budget.clone());
        others.force(800 << 10);
        let connection = Arc::new(ConnectionState::default());
        let charge = MemoryCharge::new(budget.clone());
        let mut traffic = Traffic::new(Some(connection.clone()), Some(charge));
        connection.add_received(300 * KIB);
        let refused = traffic.charge(&Poll::Pending).unwrap_err();
        assert_eq!(refused.code, CloseCode::TRY_AGAIN_LATER);
        drop(others);
        connection.add_received(800 * KIB);
        let refused = traffic.charge(&Poll::Pending).unwrap_err();
        assert_eq!(refused.code, CloseCode::TOO_BIG);
        drop(traffic);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn every_byte_of_the_client_is_a_sign_of_life() {
        let connection = Arc::new(ConnectionState::default());
        let mut traffic = Traffic::new(Some(connection.clone()), None);
        assert!(!traffic.has_received());
        connection.add_received(1);
        assert!(traffic.has_received() && !traffic.has_received());
        let mut unseen = Traffic::new(None, None);
        assert!(!unseen.has_received());
        assert_eq!(unseen.written(), 0);
    }
}
