//! moto, which answers as Amazon's queues and mail do, and boto3 as the one at a queue's other end.

use serde_json::{Value, json};

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

/// boto3, whose answers are no exceptions.
#[derive(Debug)]
pub struct Boto3(Dialogue);

impl Boto3 {
    /// One that speaks to this moto.
    #[must_use]
    pub fn of(moto: &Moto) -> Self {
        Self(moto.boto3())
    }

    /// Asks what `e2e/python/aws/peer.py` lists.
    ///
    /// # Panics
    /// If the answer is an exception.
    pub fn ask(&mut self, question: &Value) -> Value {
        let text = self.0.ask(&question.to_string());
        let answer: Value = serde_json::from_str(&text).expect("it writes JSON");
        assert!(answer.get("exception").is_none(), "{answer} to {question}");
        answer
    }

    /// The messages that can be received, and those that somebody has in hand.
    ///
    /// # Panics
    /// If there is no such queue.
    pub fn count(&mut self, queue: &str) -> (u64, u64) {
        let count = self.ask(&json!({ "op": "count", "queue": queue }));
        let number = |name: &str| count[name].as_u64().expect("a number");
        (number("visible"), number("hidden"))
    }
}
