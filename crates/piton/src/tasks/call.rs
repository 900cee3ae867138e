//! [`Call`]: a task with its arguments and options, before it is sent.

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Map, Value};

use super::chain::Chain;
use super::error::{BrokerError, Kind};
use super::sent::Sent;
use super::task::{DEFAULT_QUEUE, MAX_PRIORITY, Task};
use super::tasks_part::Tasks;

/// A task with its arguments, to set options and send it. `T` is the type of the task's result.
///
/// Made by `charge::apply(..)` for a task of this service, by [`Call::new`] for any other.
///
/// ```
/// use std::time::Duration;
/// use piton::tasks::{BrokerError, Call};
///
/// # async fn f() -> Result<(), BrokerError> {
/// let sent = Call::<u64>::new("shop.charge")
///     .arg("4711")
///     .kwarg("cents", 250)
///     .countdown(Duration::from_secs(60))
///     .expires(Duration::from_secs(3600))
///     .send()
///     .await?;
/// println!("{}", sent.id());
/// # Ok(())
/// # }
/// ```
#[must_use = "a call does nothing until it is sent"]
pub struct Call<T = Value> {
    pub(super) task: String,
    pub(super) args: Vec<Value>,
    pub(super) kwargs: Map<String, Value>,
    pub(super) options: CallOptions,
    /// True if it does not take the result of the task before it.
    pub(super) immutable: bool,
    /// Tasks that follow a success.
    pub(super) on_success: Vec<Chain>,
    /// Tasks that follow a failure.
    pub(super) on_failure: Vec<Chain>,
    /// The first argument or option that is not valid. Reported when the call is sent.
    pub(super) fault: Option<String>,
    output: PhantomData<fn() -> T>,
}

/// The options of a call.
#[derive(Clone, Debug)]
pub(super) struct CallOptions {
    pub id: Option<String>,
    pub queue: String,
    pub priority: u8,
    pub start: Start,
    pub expires: Option<Expiry>,
    pub headers: Map<String, Value>,
    pub ignore_result: bool,
}

/// The time before which a task does not start.
#[derive(Clone, Copy, Debug)]
pub(super) enum Start {
    Now,
    After(Duration),
    At(DateTime<Utc>),
}

/// The time after which a task does not start.
#[derive(Clone, Copy, Debug)]
pub(super) enum Expiry {
    After(Duration),
    At(DateTime<Utc>),
}

impl<T> Call<T> {
    /// Makes a call of the task with this name, which may be one of another service.
    pub fn new(task: impl Into<String>) -> Self {
        let options = CallOptions {
            id: None,
            queue: DEFAULT_QUEUE.to_owned(),
            priority: 0,
            start: Start::Now,
            expires: None,
            headers: Map::new(),
            ignore_result: false,
        };
        let (args, kwargs) = (Vec::new(), Map::new());
        Self {
            task: task.into(),
            args,
            kwargs,
            options,
            immutable: false,
            on_success: Vec::new(),
            on_failure: Vec::new(),
            fault: None,
            output: PhantomData,
        }
    }

    /// Makes a call of a task, with its queue and other options.
    pub fn of(task: &Task) -> Self {
        let mut call = Self::new(task.name());
        let options = task.options();
        call.options.queue.clone_from(&options.queue);
        call.options.priority = options.priority;
        call.options.expires = options.expires.map(Expiry::After);
        call.options.ignore_result = options.ignore_result;
        call
    }

    /// Adds an argument by position.
    pub fn arg<A: Serialize + ?Sized>(mut self, argument: &A) -> Self {
        match serde_json::to_value(argument) {
            Ok(value) => self.args.push(value),
            Err(error) => {
                let position = self.args.len() + 1;
                return self.with_fault(format!("argument {position} does not serialise: {error}"));
            }
        }
        self
    }

    /// Adds an argument by name.
    pub fn kwarg<A: Serialize>(mut self, name: impl Into<String>, argument: A) -> Self {
        let name = name.into();
        match serde_json::to_value(argument) {
            Ok(value) => {
                self.kwargs.insert(name, value);
            }
            Err(error) => {
                return self.with_fault(format!("argument `{name}` does not serialise: {error}"));
            }
        }
        self
    }

    /// Leaves the result of the task before it out of the arguments, in a chain, after a group or as a callback.
    pub fn immutable(mut self) -> Self {
        self.immutable = true;
        self
    }

    /// Adds a task that is sent when this one has succeeded, with its result as the first argument: Celery's `link`. May be
    /// called several times.
    ///
    /// ```
    /// use piton::tasks::Call;
    ///
    /// let charge = Call::<u64>::new("shop.charge")
    ///     .on_success(Call::<()>::new("shop.receipt"))
    ///     .on_failure(Call::<()>::new("shop.alert"));
    /// ```
    pub fn on_success<S>(mut self, then: impl Into<Chain<S>>) -> Self {
        self.on_success.push(then.into().untyped());
        self
    }

    /// Adds a task that is sent when this one has failed for good, with its id as the first argument: Celery's
    /// `link_error`. May be called several times.
    pub fn on_failure<S>(mut self, then: impl Into<Chain<S>>) -> Self {
        self.on_failure.push(then.into().untyped());
        self
    }

    /// Returns the call without the type of its result.
    pub(super) fn untyped(self) -> Call {
        Call {
            task: self.task,
            args: self.args,
            kwargs: self.kwargs,
            options: self.options,
            immutable: self.immutable,
            on_success: self.on_success,
            on_failure: self.on_failure,
            fault: self.fault,
            output: PhantomData,
        }
    }

    fn with_fault(mut self, fault: String) -> Self {
        self.fault.get_or_insert(fault);
        self
    }

    /// Sets the delay before the task may start.
    pub fn countdown(mut self, delay: Duration) -> Self {
        self.options.start = Start::After(delay);
        self
    }

    /// Sets the time before which the task does not start.
    pub fn eta(mut self, time: DateTime<Utc>) -> Self {
        self.options.start = Start::At(time);
        self
    }

    /// Sets the time, from its start time on, within which the task must start: later it is revoked.
    pub fn expires(mut self, expires: Duration) -> Self {
        self.options.expires = Some(Expiry::After(expires));
        self
    }

    /// Sets the time after which the task does not start any more: it is revoked.
    pub fn expires_at(mut self, time: DateTime<Utc>) -> Self {
        self.options.expires = Some(Expiry::At(time));
        self
    }

    /// Sets the priority from 0, which is first, to 9, which is last.
    pub fn priority(mut self, priority: u8) -> Self {
        self.options.priority = priority;
        if priority > MAX_PRIORITY {
            return self.with_fault(format!(
                "priority {priority} is not one of 0 (first) to {MAX_PRIORITY} (last)"
            ));
        }
        self
    }

    /// Sets the queue.
    pub fn queue(mut self, queue: impl Into<String>) -> Self {
        self.options.queue = queue.into();
        self
    }

    /// Adds a header, which the task reads by [`TaskRun::header`](super::TaskRun::header).
    pub fn header(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.options.headers.insert(name.into(), value.into());
        self
    }

    /// Adds headers.
    pub fn headers(mut self, headers: impl IntoIterator<Item = (String, Value)>) -> Self {
        self.options.headers.extend(headers);
        self
    }

    /// Sets the task's id, which must be new. **Default: a random one that is not guessable.**
    pub fn task_id(mut self, id: impl Into<String>) -> Self {
        self.options.id = Some(id.into());
        self
    }

    /// Stores no result of a success.
    pub fn ignore_result(mut self) -> Self {
        self.options.ignore_result = true;
        self
    }

    /// Sends the task with the running app's broker.
    ///
    /// # Errors
    /// [`Kind::Invalid`] if an argument or option is not valid, or no app runs here; [`Kind::Duplicate`]
    /// if its id is stored already; [`Kind::Unavailable`] if the broker cannot store it now.
    pub async fn send(self) -> Result<Sent<T>, BrokerError> {
        Tasks::current()?.send(self).await
    }

    /// Refuses a call whose arguments or options are not valid.
    pub(super) fn check(&self) -> Result<(), BrokerError> {
        let Some(fault) = &self.fault else { return Ok(()) };
        let why = format!("the task `{}` cannot be sent: {fault}", self.task);
        Err(BrokerError::new(Kind::Invalid, why))
    }
}

impl<T> Clone for Call<T> {
    fn clone(&self) -> Self {
        Self {
            task: self.task.clone(),
            args: self.args.clone(),
            kwargs: self.kwargs.clone(),
            options: self.options.clone(),
            immutable: self.immutable,
            on_success: self.on_success.clone(),
            on_failure: self.on_failure.clone(),
            fault: self.fault.clone(),
            output: PhantomData,
        }
    }
}

impl<T> fmt::Debug for Call<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the arguments, which may be secret.
        f.debug_struct("Call")
            .field("task", &self.task)
            .field("queue", &self.options.queue)
            .finish_non_exhaustive()
    }
}
