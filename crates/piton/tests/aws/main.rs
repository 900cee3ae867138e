//! Queues and mail against moto, with boto3 at the other end. `cargo xtask python aws` installs both.

#![expect(clippy::unwrap_used, reason = "a test that unwraps fails with the line")]

mod attribute;
mod failures;
mod fifo;
mod mail;
mod polling;
mod sending;

use std::sync::{Arc, Mutex};

use piton::aws::sqs::Message;
use piton::prelude::*;
use piton::serde_json::{Value, json};
use test_support::moto::Moto;
use test_support::python::Dialogue;

/// Returns an app that uses moto instead of AWS.
fn app(moto: &Moto) -> App {
    named("nobody", moto).blueprints(["none"])
}

fn named(name: &str, moto: &Moto) -> App {
    let mut app = App::new(name).set("log.level", "critical");
    for section in ["sqs", "ses"] {
        app = app
            .set(format!("{section}.endpoint_url"), moto.url())
            .set(format!("{section}.region_name"), "us-east-1")
            .set(format!("{section}.access_key_id"), "id")
            .set(format!("{section}.secret_access_key"), "secret");
    }
    app
}

/// A session with boto3 that panics on exceptions.
struct Boto3(Dialogue);

impl Boto3 {
    fn of(moto: &Moto) -> Self {
        Self(moto.boto3())
    }

    fn ask(&mut self, question: &Value) -> Value {
        let answer: Value =
            piton::serde_json::from_str(&self.0.ask(&question.to_string())).unwrap();
        assert!(answer.get("exception").is_none(), "{answer} to {question}");
        answer
    }

    fn create(&mut self, queue: &str, attributes: Value) {
        self.ask(&json!({ "op": "create", "queue": queue, "attributes": attributes }));
    }

    fn send(&mut self, queue: &str, bodies: &[String]) {
        self.ask(&json!({ "op": "send", "queue": queue, "bodies": bodies }));
    }

    fn send_to_group(&mut self, queue: &str, group: &str, bodies: &[String]) {
        self.ask(&json!({ "op": "send", "queue": queue, "bodies": bodies, "group": group }));
    }

    /// Returns the number of visible messages, and of hidden ones.
    fn count(&mut self, queue: &str) -> (u64, u64) {
        let count = self.ask(&json!({ "op": "count", "queue": queue }));
        (count["visible"].as_u64().unwrap(), count["hidden"].as_u64().unwrap())
    }

    /// Waits until the queue has neither visible nor hidden messages.
    async fn wait_until_empty(&mut self, queue: &str) {
        test_support::wait_for("an empty queue", || {
            std::future::ready(self.count(queue) == (0, 0))
        })
        .await;
    }
}

/// The messages that handlers got, in order.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<String>>>);

impl Seen {
    fn note(&self, message: &Message) {
        self.0.lock().unwrap().push(message.body().to_owned());
    }

    fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    fn times(&self, body: &str) -> usize {
        self.all().iter().filter(|seen| *seen == body).count()
    }

    async fn wait_for(&self, many: usize) {
        test_support::wait_for("messages", || std::future::ready(self.all().len() >= many)).await;
    }
}

fn numbered(prefix: &str, many: usize) -> Vec<String> {
    (0..many).map(|number| format!("{prefix}{number}")).collect()
}
