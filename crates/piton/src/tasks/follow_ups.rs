//! The tasks that follow a task: callbacks and the rest of its chain after a success, errbacks after a failure.

use std::time::Duration;

use chrono::{DateTime, Utc};
use piton_celery::{
    BodyEncoding, Composition, Embed, Envelope, Exception, IsoDateTime, Properties, Signature,
    TaskBody, TaskHeaders, TimeLimit,
};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::brokers::records::{GroupMember, NewTask};
use super::clock::millis;
use super::new_message::new_id;
use super::task::{DEFAULT_QUEUE, MAX_PRIORITY, TaskOptions};

/// The headers that follow-up tasks inherit, by which the log of a request includes its tasks.
pub(super) const INHERITED: [&str; 3] = ["traceparent", "tracestate", "x-request-id"];

/// Makes the follow-up tasks of one task.
pub(super) struct FollowUps<'a> {
    pub parent_id: &'a str,
    pub root_id: &'a str,
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
    pub fn of_success(&self, embed: Embed, result: &Value) -> Result<Vec<NewTask>> {
        let Embed { callbacks, mut chain, .. } = embed;
        let mut tasks = Vec::new();
        for callback in callbacks {
            self.add(&mut tasks, callback, Vec::new(), result)?;
        }
        if let Some(next) = chain.pop() {
            self.add(&mut tasks, next, chain, result)?;
        }
        Ok(tasks)
    }

    /// Returns the errbacks, which get the id of the task that failed: Celery's errbacks of one argument.
    pub fn of_failure(&self, embed: Embed) -> Result<Vec<NewTask>> {
        let (mut tasks, id) = (Vec::new(), Value::from(self.parent_id));
        for errback in embed.errbacks {
            self.add(&mut tasks, errback, Vec::new(), &id)?;
        }
        Ok(tasks)
    }

    /// Returns the tasks of a chain that are never sent, because the one before them has failed. Only those whose ids are
    /// fixed: nobody waits for the others.
    pub fn abandoned(&self, chain: Vec<Signature>) -> Vec<NewTask> {
        let mut tasks = Vec::new();
        for signature in chain {
            self.add_abandoned(&mut tasks, signature);
        }
        tasks
    }

    fn add_abandoned(&self, tasks: &mut Vec<NewTask>, signature: Signature) {
        match signature.composition() {
            Ok(Composition::Task) if signature.task_id().is_some() => {
                tasks.extend(self.task(signature, Vec::new(), &Value::Null).ok());
            }
            Ok(Composition::Chain(parts) | Composition::Group(parts)) => {
                parts.into_iter().for_each(|part| self.add_abandoned(tasks, part));
            }
            Ok(Composition::Chord { body, .. }) => self.add_abandoned(tasks, *body),
            _ => {}
        }
    }

    /// Adds the tasks that start with `signature`. `chain` is what follows it, in reverse order.
    pub fn add(
        &self,
        tasks: &mut Vec<NewTask>,
        signature: Signature,
        mut chain: Vec<Signature>,
        argument: &Value,
    ) -> Result<()> {
        match signature.composition().map_err(malformed)? {
            Composition::Task => tasks.push(self.task(signature, chain, argument)?),
            Composition::Chain(parts) => {
                chain.extend(parts.into_iter().rev());
                if let Some(first) = chain.pop() {
                    self.add(tasks, first, chain, argument)?;
                }
            }
            Composition::Group(parts) if chain.is_empty() => {
                for part in parts {
                    self.add(tasks, part, Vec::new(), argument)?;
                }
            }
            _ => return Err(unsupported()),
        }
        Ok(())
    }

    fn task(
        &self,
        signature: Signature,
        chain: Vec<Signature>,
        argument: &Value,
    ) -> Result<NewTask> {
        let options = Options(&signature.options);
        let known = (self.options)(&signature.task);
        let id: String = options.get("task_id")?.unwrap_or_else(|| new_id(self.now_ms));
        let named: Option<String> = options.get("queue")?;
        let queue = named.or_else(|| known.map(|known| known.queue.clone()));
        let queue = queue.unwrap_or_else(|| DEFAULT_QUEUE.to_owned());
        let priority: Option<u8> = options.get("priority")?;
        let priority = priority.or_else(|| known.map(|known| known.priority)).unwrap_or_default();
        let (due_at_ms, expires_at_ms) = options.times(self.now_ms)?;
        let after_due = |time| due_at_ms.unwrap_or(self.now_ms).saturating_add(millis(time));
        let own_expiry = || known.and_then(|known| known.expires).map(after_due);
        let task = NewTask {
            name: signature.task.clone(),
            queue,
            priority: priority.min(MAX_PRIORITY),
            created_at_ms: self.now_ms,
            due_at_ms,
            expires_at_ms: expires_at_ms.or_else(own_expiry),
            retries: 0,
            parent_id: Some(self.parent_id.to_owned()),
            group: options.group()?,
            ignore_result: options.get("ignore_result")? == Some(true),
            message: String::new(),
            id,
        };
        let body = body(&signature, &options, chain, argument)?;
        let message = self.message(&task, &options, &body)?;
        Ok(NewTask { message, ..task })
    }

    fn message(&self, task: &NewTask, options: &Options<'_>, body: &TaskBody) -> Result<String> {
        let mut headers = TaskHeaders::new(task.name.clone(), task.id.clone());
        headers.root_id = Some(self.root_id.to_owned());
        headers.parent_id = Some(self.parent_id.to_owned());
        headers.origin = Some(self.origin.to_owned());
        headers.ignore_result = options.get("ignore_result")?;
        headers.eta = task.due_at_ms.and_then(iso);
        headers.expires = task.expires_at_ms.and_then(iso);
        // Without an index it is the body of a chord, which carries the id of its group.
        headers.group = options.get("group_id")?;
        headers.group_index = task.group.as_ref().map(|group| group.index.into());
        headers.time_limit = TimeLimit {
            hard: options.seconds("time_limit")?,
            soft: options.seconds("soft_time_limit")?,
        };
        headers.extra = options.get("headers")?.unwrap_or_default();
        for (name, value) in &self.inherited {
            headers.extra.entry(name).or_insert_with(|| value.clone());
        }
        let mut properties = Properties::new(task.queue.clone(), new_id(self.now_ms));
        properties.priority = task.priority;
        properties.body_encoding = BodyEncoding::Text;
        let message = Envelope::task(headers, properties, body).map_err(malformed)?;
        let message = message.to_vec().map_err(malformed)?;
        String::from_utf8(message).map_err(|_| unsupported())
    }
}

fn body(
    signature: &Signature,
    options: &Options<'_>,
    mut chain: Vec<Signature>,
    argument: &Value,
) -> Result<TaskBody> {
    // The options' own chain comes first. Both are in reverse order.
    chain.extend(options.get::<Vec<Signature>>("chain")?.unwrap_or_default());
    let args = signature.args_after(argument.clone());
    let mut body = TaskBody::new(args, signature.kwargs.clone());
    body.embed.chain = chain;
    body.embed.callbacks = options.signatures("link")?;
    body.embed.errbacks = options.signatures("link_error")?;
    body.embed.chord = options.get("chord")?;
    Ok(body)
}

/// The options of a signature.
struct Options<'a>(&'a Map<String, Value>);

impl Options<'_> {
    /// Returns an option. Missing and null are the same.
    fn get<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>> {
        let value = self.0.get(name).filter(|value| !value.is_null());
        let parsed = value.map(|value| T::deserialize(value)).transpose();
        parsed.map_err(|_| {
            Exception::builtin("ValueError", format!("the option `{name}` of a signature"))
        })
    }

    /// Returns signatures: a list, or one alone.
    fn signatures(&self, name: &str) -> Result<Vec<Signature>> {
        match self.0.get(name) {
            Some(Value::Object(_)) => Ok(self.get(name)?.into_iter().collect()),
            _ => Ok(self.get(name)?.unwrap_or_default()),
        }
    }

    fn seconds(&self, name: &str) -> Result<Option<Duration>> {
        let seconds: Option<f64> = self.get(name)?;
        Ok(seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()))
    }

    /// Returns the time of the start and the time of expiry, which is one in ISO 8601 or seconds after the start.
    fn times(&self, now_ms: i64) -> Result<(Option<i64>, Option<i64>)> {
        let in_seconds = |time: Duration| now_ms.saturating_add(millis(time));
        let countdown = self.seconds("countdown")?.map(in_seconds);
        let due_at_ms = countdown.or(self.get("eta")?.map(timestamp));
        let expires = match self.0.get("expires") {
            Some(Value::Number(_)) => self.seconds("expires")?.map(in_seconds),
            _ => self.get("expires")?.map(timestamp),
        };
        Ok((due_at_ms, expires))
    }

    fn group(&self) -> Result<Option<GroupMember>> {
        let (id, index) = (self.get("group_id")?, self.get("group_index")?);
        Ok(id.zip(index).map(|(id, index)| GroupMember { id, index }))
    }
}

fn timestamp(time: IsoDateTime) -> i64 {
    time.to_utc().timestamp_millis()
}

fn iso(ms: i64) -> Option<IsoDateTime> {
    DateTime::<Utc>::from_timestamp_millis(ms).map(IsoDateTime::from)
}

fn malformed(error: piton_celery::Error) -> Exception {
    Exception::builtin("ValueError", format!("a task that follows cannot be sent: {error}"))
}

fn unsupported() -> Exception {
    let text =
        "a task that follows cannot be sent: chords, and groups within a chain, are not supported";
    Exception::builtin("NotImplementedError", text)
}
