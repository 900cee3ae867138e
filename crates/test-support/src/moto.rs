//! moto, which simulates Amazon's queues and mail, and boto3 as the other end of a queue.

use serde_json::{Value, json};

use crate::python::{Dialogue, PythonServer};

/// A moto server. Stopped when dropped; forgets everything when it stops.
#[derive(Debug)]
pub struct Moto {
    port: u16,
    server: Option<PythonServer>,
}

impl Moto {
    /// Starts one on a free port.
    ///
    /// # Panics
    /// If it does not start, or `cargo xtask python` has not been run.
    #[must_use]
    pub fn start() -> Self {
        let server = PythonServer::start("aws", "serve.py", &[], &[]);
        Self { port: server.port, server: Some(server) }
    }

    /// Returns its URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Stops it. [`start_again`](Self::start_again) uses the same port.
    pub fn stop(&mut self) {
        self.server = None;
    }

    /// Starts it again, empty, on the same port.
    ///
    /// # Panics
    /// As [`start`](Self::start).
    pub fn start_again(&mut self) {
        self.stop();
        self.server = Some(PythonServer::start_on(self.port, "aws", "serve.py", &[], &[]));
    }

    /// Starts boto3, which executes the operations that `e2e/python/aws/peer.py` lists.
    #[must_use]
    pub fn boto3(&self) -> Dialogue {
        Dialogue::start("aws", "peer.py", &[&self.port.to_string()], &[])
    }
}

/// A boto3 client whose exceptions fail the test.
#[derive(Debug)]
pub struct Boto3(Dialogue);

impl Boto3 {
    /// Creates a client of this moto.
    #[must_use]
    pub fn of(moto: &Moto) -> Self {
        Self(moto.boto3())
    }

    /// Executes an operation that `e2e/python/aws/peer.py` lists.
    ///
    /// # Panics
    /// If boto3 raises an exception.
    pub fn ask(&mut self, question: &Value) -> Value {
        let text = self.0.ask(&question.to_string());
        let answer: Value = serde_json::from_str(&text).expect("it writes JSON");
        assert!(answer.get("exception").is_none(), "{answer} to {question}");
        answer
    }

    /// Returns the number of visible messages, and of those in flight.
    ///
    /// # Panics
    /// If there is no such queue.
    pub fn count(&mut self, queue: &str) -> (u64, u64) {
        let count = self.ask(&json!({ "op": "count", "queue": queue }));
        let number = |name: &str| count[name].as_u64().expect("a number");
        (number("visible"), number("hidden"))
    }
}
