//! A handler that holds its request until the test lets it through.

use std::sync::Arc;

use piton::prelude::*;
use tokio::sync::Notify;

/// The two signals of a held request.
#[derive(Clone, Default)]
pub struct Gate {
    /// Notified when a request has reached the handler.
    pub inside: Arc<Notify>,
    /// Lets one request through when notified.
    pub open: Arc<Notify>,
}

/// Responds once the gate is opened.
pub async fn gated(State(gate): State<Gate>) -> &'static str {
    gate.inside.notify_one();
    gate.open.notified().await;
    "through"
}
