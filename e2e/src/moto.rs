//! moto, which answers as Amazon's queues and mail do, and boto3 as the one at a queue's other end.

use crate::python::{Dialogue, Peer};

/// A moto. It is ended when dropped, and forgets everything when it ends.
#[derive(Debug)]
pub struct Moto {
    port: u16,
    server: Option<Peer>,
}

impl Moto {
    /// Starts one on a free port.
    ///
    /// # Panics
    /// If it does not start, or `cargo xtask python` has not been run.
    #[must_use]
    pub fn start() -> Self {
        let server = Peer::start("aws", "serve.py", &[], &[]);
        Self { port: server.port, server: Some(server) }
    }

    /// Its address.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Ends it; its port stays the same for [`start_again`](Self::start_again).
    pub fn stop(&mut self) {
        self.server = None;
    }

    /// Starts it anew, empty, on the same port.
    ///
    /// # Panics
    /// As [`start`](Self::start).
    pub fn start_again(&mut self) {
        self.stop();
        self.server = Some(Peer::start_on(self.port, "aws", "serve.py", &[], &[]));
    }

    /// boto3, which answers the questions that `e2e/python/aws/peer.py` lists.
    #[must_use]
    pub fn boto3(&self) -> Dialogue {
        Dialogue::start("aws", "peer.py", &[&self.port.to_string()], &[])
    }
}
