//! Makes the record and the message of one task of a signature.

use piton_celery::{
    BodyEncoding, Envelope, Properties, Signature, TaskBody, TaskHeaders, TimeLimit,
};
use serde_json::Value;

use super::options::{Options, iso};
use super::{FollowUps, Result, malformed};
use crate::tasks::brokers::records::NewTask;
use crate::tasks::clock::millis;
use crate::tasks::new_message::new_id;
use crate::tasks::task::{DEFAULT_QUEUE, MAX_PRIORITY};

impl FollowUps<'_> {
    /// Returns the task of a signature. `argument` comes before its own arguments, `chain` is what follows it.
    pub(super) fn task(
        &self,
        signature: Signature,
        chain: Vec<Signature>,
        argument: Option<&Value>,
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
            parent_id: self.parent_id.map(str::to_owned),
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
        if let Some(root_id) = self.root_id {
            headers.root_id = Some(root_id.to_owned());
        }
        headers.parent_id = self.parent_id.map(str::to_owned);
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
        Ok(String::from_utf8(message).expect("JSON is UTF-8"))
    }
}

fn body(
    signature: &Signature,
    options: &Options<'_>,
    mut chain: Vec<Signature>,
    argument: Option<&Value>,
) -> Result<TaskBody> {
    // The options' own chain comes first. Both are in reverse order.
    chain.extend(options.get::<Vec<Signature>>("chain")?.unwrap_or_default());
    let args = match argument {
        Some(argument) => signature.args_after(argument.clone()),
        None => signature.args.clone(),
    };
    let mut body = TaskBody::new(args, signature.kwargs.clone());
    body.embed.chain = chain;
    body.embed.callbacks = options.signatures("link")?;
    body.embed.errbacks = options.signatures("link_error")?;
    body.embed.chord = options.get("chord")?;
    Ok(body)
}
