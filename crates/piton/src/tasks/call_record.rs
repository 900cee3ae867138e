//! Makes the record of a call that is sent.

use piton_celery::{Embed, TaskBody};

use super::brokers::records::NewTask;
use super::call::{Call, Expiry, Start};
use super::chain_signatures::signatures;
use super::clock::millis;
use super::error::BrokerError;
use super::new_message::{MessageContext, message, new_id};

impl<T> Call<T> {
    /// Returns the record for a broker, with times counted from `context.now_ms`.
    pub(super) fn into_new_task(
        self,
        context: &MessageContext<'_>,
    ) -> Result<NewTask, BrokerError> {
        self.check()?;
        let now_ms = context.now_ms;
        let mut embed = Embed::default();
        embed.callbacks = signatures(self.on_success, now_ms)?;
        embed.errbacks = signatures(self.on_failure, now_ms)?;
        let due_at_ms = match self.options.start {
            Start::Now => None,
            Start::After(delay) => Some(now_ms.saturating_add(millis(delay))),
            Start::At(time) => Some(time.timestamp_millis()),
        };
        let due_at_ms = due_at_ms.filter(|due_at_ms| *due_at_ms > now_ms);
        let start_ms = due_at_ms.unwrap_or(now_ms);
        let expires_at_ms = self.options.expires.map(|expires| match expires {
            Expiry::After(time) => start_ms.saturating_add(millis(time)),
            Expiry::At(time) => time.timestamp_millis(),
        });
        let mut new = NewTask {
            id: self.options.id.clone().unwrap_or_else(|| new_id(now_ms)),
            name: self.task,
            queue: self.options.queue,
            priority: self.options.priority,
            created_at_ms: now_ms,
            due_at_ms,
            expires_at_ms,
            retries: 0,
            parent_id: context.parent_id(),
            group: None,
            ignore_result: self.options.ignore_result,
            message: String::new(),
        };
        let mut body = TaskBody::new(self.args, self.kwargs);
        body.embed = embed;
        new.message =
            message(&new, body, self.options.headers, self.options.ignore_result, context)?;
        Ok(new)
    }
}
