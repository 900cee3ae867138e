//! The tasks that follow a task: callbacks and the rest of its chain after a success, errbacks after a failure.

mod expand;
mod header;
mod options;
mod task;
#[cfg(test)]
mod tests;

use piton_celery::{Composition, Embed, Exception, Signature};
use serde_json::{Map, Value, json};

use super::brokers::records::{Batch, NewTask};
use super::task::TaskOptions;
use expand::{MAX_DEPTH, linked, reversed_chain};
use options::Options;

/// The headers that follow-up tasks inherit, by which the log of a request includes its tasks.
pub(super) const INHERITED: [&str; 3] = ["traceparent", "tracestate", "x-request-id"];

/// Makes tasks of signatures: those that follow a task, or those that a service sends.
pub(super) struct FollowUps<'a> {
    /// The task that they follow, or that sends them.
    pub parent_id: Option<&'a str>,
    /// The first task of the workflow. Without one each task is its own.
    pub root_id: Option<&'a str>,
    /// The headers of the task that are among [`INHERITED`].
    pub inherited: Map<String, Value>,
    /// Returns the options of a task of this service, which apply where a signature has none.
    pub options: &'a dyn Fn(&str) -> Option<&'a TaskOptions>,
    pub now_ms: i64,
    /// The sending process.
    pub origin: &'a str,
}

/// Tasks, or the reason why one cannot be sent.
type Result<T> = std::result::Result<T, Exception>;

impl FollowUps<'_> {
    /// Returns the callbacks, and the next task of the chain.
    pub fn of_success(&self, embed: Embed, result: &Value) -> Result<Batch> {
        let Embed { callbacks, mut chain, .. } = embed;
        let mut batch = Batch::default();
        for callback in callbacks {
            self.add(&mut batch, callback, Vec::new(), Some(result))?;
        }
        if let Some(next) = chain.pop() {
            self.add(&mut batch, next, chain, Some(result))?;
        }
        Ok(batch)
    }

    /// Returns the errbacks, which get the id of the task that failed: Celery's errbacks of one argument.
    pub fn of_failure(&self, errbacks: Vec<Signature>) -> Result<Batch> {
        let (mut batch, id) = (Batch::default(), json!(self.parent_id));
        for errback in errbacks {
            self.add(&mut batch, errback, Vec::new(), Some(&id))?;
        }
        Ok(batch)
    }

    /// Returns the tasks of a chain that are never sent, because the one before them has failed. Only those whose ids are
    /// fixed: nobody waits for the others.
    pub fn abandoned(&self, chain: Vec<Signature>) -> Vec<NewTask> {
        let mut tasks = Vec::new();
        for signature in chain {
            self.add_abandoned(&mut tasks, signature, 0);
        }
        tasks
    }

    fn add_abandoned(&self, tasks: &mut Vec<NewTask>, signature: Signature, depth: usize) {
        if depth > MAX_DEPTH {
            return;
        }
        let chain = reversed_chain(&signature).unwrap_or_default();
        let parts = match signature.composition() {
            Ok(Composition::Task) => {
                if signature.task_id().is_some() {
                    tasks.extend(self.task(signature, Vec::new(), None).ok());
                }
                Vec::new()
            }
            Ok(Composition::Chain(parts)) => linked(parts, &signature).unwrap_or_default(),
            Ok(Composition::Group(parts)) => parts,
            Ok(Composition::Chord { body, .. }) => vec![*body],
            _ => Vec::new(),
        };
        for part in parts.into_iter().chain(chain) {
            self.add_abandoned(tasks, part, depth + 1);
        }
    }

    /// Returns the errbacks of the body of a chord, whose members have failed. Those that cannot be sent are left out.
    pub fn of_failed_body(&self, body: &Signature) -> Batch {
        let errbacks = Options(&body.options).signatures("link_error").unwrap_or_default();
        self.of_failure(errbacks).unwrap_or_default()
    }
}

fn malformed(error: piton_celery::Error) -> Exception {
    refused(&error.to_string())
}

fn refused(why: &str) -> Exception {
    Exception::builtin("ValueError", format!("a task that follows cannot be sent: {why}"))
}
