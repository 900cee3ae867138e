//! [`Message`]: the message of a claimed task, read once.

use std::time::Duration;

use piton_celery::{Envelope, Exception, TaskBody, TaskHeaders, TimeLimit};
use serde_json::Value;

use crate::request::current_request::CurrentRequest;
use crate::request::request_id::RequestId;
use crate::request::trace_context::TraceContext;
use crate::tasks::brokers::records::ClaimedTask;
use crate::tasks::metrics::OTHER;
use crate::tasks::task::TaskOptions;
use crate::tasks::task_run::TaskAbout;

/// Maximum size of a body after its decompression. Larger than any that a sender accepts, so that a lower
/// `tasks.max_message_size` does not fail tasks that are stored already.
const MAX_BODY_BYTES: usize = 64 << 20;

/// The headers and the body of a task.
#[derive(Default)]
pub(super) struct Message {
    pub headers: TaskHeaders,
    pub body: TaskBody,
}

/// The times after which an attempt is told to end, and is cancelled.
#[derive(Clone, Copy)]
pub(super) struct TimeLimits {
    pub soft: Option<Duration>,
    pub hard: Option<Duration>,
}

impl Message {
    /// Reads the message of a task.
    ///
    /// # Errors
    /// The exception of a message that cannot be read, now or ever.
    pub fn read(claimed: &ClaimedTask) -> Result<Self, Exception> {
        let refuse = |error: piton_celery::Error| {
            Exception::new("kombu.exceptions", "DecodeError", vec![error.to_string().into()])
        };
        let envelope = Envelope::<TaskHeaders>::from_slice(claimed.message.as_bytes());
        let mut envelope = envelope.map_err(refuse)?;
        let body = envelope.decode_body(MAX_BODY_BYTES).map_err(refuse)?;
        Ok(Self { headers: envelope.headers, body })
    }

    /// Returns the time limits of the message, else those that an operator has set, else those of the task.
    pub fn time_limits(
        &self,
        options: Option<&TaskOptions>,
        changed: Option<TimeLimit>,
    ) -> TimeLimits {
        let set = |limit: Option<Duration>| limit.filter(|limit| !limit.is_zero());
        let limit = self.headers.time_limit;
        let own = match (changed, options) {
            (Some(changed), _) => (set(changed.soft), set(changed.hard)),
            (None, Some(options)) => (options.soft_timeout, options.timeout),
            (None, None) => (None, None),
        };
        TimeLimits { soft: set(limit.soft).or(own.0), hard: set(limit.hard).or(own.1) }
    }

    /// Returns the request that the task belongs to: its log lines carry the id, and its calls of other services the
    /// trace. Without the headers the id is that of the task.
    pub fn request(&self, id: &str) -> CurrentRequest {
        let header = |name| self.headers.extra.get(name).and_then(Value::as_str);
        let sent = header("x-request-id").and_then(|id| RequestId::from_proxy(id.as_bytes()));
        let request_id = sent.or_else(|| RequestId::from_proxy(id.as_bytes())).unwrap_or_default();
        let trace = header("traceparent").and_then(|value| TraceContext::parse(value.as_bytes()));
        let mut request = CurrentRequest::new(request_id, None, trace);
        request.trace_state = header("tracestate").and_then(|value| value.parse().ok());
        request
    }

    /// Takes the facts out of the headers that a run has.
    pub fn take_about(&mut self, claimed: &ClaimedTask) -> TaskAbout {
        let headers = &mut self.headers;
        let name = std::mem::take(&mut headers.task);
        TaskAbout {
            id: claimed.id.clone(),
            name: if name.is_empty() { OTHER.to_owned() } else { name },
            queue: claimed.queue.clone(),
            // Those of the broker count: the message is that of the first attempt.
            retries: claimed.retries,
            losses: claimed.losses,
            root_id: headers.root_id.take().unwrap_or_else(|| claimed.id.clone()),
            parent_id: headers.parent_id.take(),
            headers: std::mem::take(&mut headers.extra),
        }
    }
}
