//! [`Task`]: a function that runs in the background, with its name and its options.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use piton_celery::Parameter;
use serde_json::Value;

use super::error::{Error, Result};
use super::task_call::TaskCall;
use super::task_output::TaskOutput;
use crate::config::Problem;
use crate::part::Dependencies;
use crate::runtime::from_handle::FromHandle;

/// The queue of tasks that name none, which is Celery's.
pub(super) const DEFAULT_QUEUE: &str = "celery";

/// The last priority; 0 is the first.
pub(super) const MAX_PRIORITY: u8 = 9;

/// A function that runs in the background. `#[piton::task(..)]` above a function makes one; pass one made by hand to
/// [`App::task`](crate::App::task).
///
/// ```
/// use std::time::Duration;
/// use piton::prelude::*;
/// use piton::tasks::{Parameter, Result, Task, TaskCall};
///
/// const PARAMETERS: &[Parameter<'static>] = &[Parameter::required("x"), Parameter::optional("y")];
///
/// async fn add(mut call: TaskCall) -> Result<i64> {
///     let x: i64 = call.argument("x")?;
///     let y: Option<i64> = call.optional("y")?;
///     Ok(x + y.unwrap_or(1))
/// }
///
/// let app = App::new("shop").no_scan().task(Task::new("shop.add", PARAMETERS, add).retries(3));
/// ```
#[derive(Clone)]
pub struct Task(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    name: String,
    parameters: &'static [Parameter<'static>],
    options: TaskOptions,
    dependencies: Vec<fn(&mut Dependencies)>,
    work: Work,
}

type Work = Arc<dyn Fn(TaskCall) -> BoxFuture<'static, Result<Value>> + Send + Sync>;

/// The options of a task.
#[derive(Clone, Debug)]
pub(super) struct TaskOptions {
    pub queue: String,
    pub priority: u8,
    pub retries: u32,
    pub backoff: Duration,
    pub max_backoff: Duration,
    pub timeout: Option<Duration>,
    pub soft_timeout: Option<Duration>,
    pub expires: Option<Duration>,
    pub ack: Ack,
    pub ignore_result: bool,
}

/// The handling of a task whose worker was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Ack {
    /// It runs again: at least once.
    #[default]
    Late,
    /// It fails as a dead letter: it runs at most once, and not at all if its worker is lost before it starts.
    Early,
}

impl Default for TaskOptions {
    fn default() -> Self {
        Self {
            queue: DEFAULT_QUEUE.to_owned(),
            priority: 0,
            retries: 0,
            backoff: Duration::from_secs(1),
            max_backoff: Duration::from_secs(600),
            timeout: None,
            soft_timeout: None,
            expires: None,
            ack: Ack::Late,
            ignore_result: false,
        }
    }
}

impl Task {
    /// Makes a task of a function. `parameters` are the arguments that a message may have, by position and by name.
    #[must_use = "a task does nothing until it is given to `App::task`"]
    pub fn new<F, Fut>(
        name: impl Into<String>,
        parameters: &'static [Parameter<'static>],
        work: F,
    ) -> Self
    where
        F: Fn(TaskCall) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: TaskOutput> + Send + 'static,
    {
        let work = Arc::new(move |call: TaskCall| -> BoxFuture<'static, Result<Value>> {
            let work = work(call);
            Box::pin(async move { work.await.into_value() })
        });
        Self(Arc::new(Inner {
            name: name.into(),
            parameters,
            options: TaskOptions::default(),
            dependencies: Vec::new(),
            work,
        }))
    }

    fn with(mut self, change: impl FnOnce(&mut Inner)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }

    fn option(self, change: impl FnOnce(&mut TaskOptions)) -> Self {
        self.with(|inner| change(&mut inner.options))
    }

    /// Sets the queue. **Default: `celery`.**
    #[must_use]
    pub fn queue(self, queue: impl Into<String>) -> Self {
        self.option(|options| options.queue = queue.into())
    }

    /// Sets the priority from 0, which is first, to 9, which is last. **Default: 0.**
    #[must_use]
    pub fn priority(self, priority: u8) -> Self {
        self.option(|options| options.priority = priority)
    }

    /// Sets how often a task that failed is run again. **Default: 0.**
    #[must_use]
    pub fn retries(self, retries: u32) -> Self {
        self.option(|options| options.retries = retries)
    }

    /// Sets the delay before the first retry, which doubles with each, and the longest. Each is lengthened by up to a
    /// quarter, by chance, so that tasks that failed together do not come back together. **Default: 1 second and
    /// 10 minutes.**
    #[must_use]
    pub fn backoff(self, first: Duration, max: Duration) -> Self {
        self.option(|options| (options.backoff, options.max_backoff) = (first, max))
    }

    /// Sets the time after which an attempt is cancelled and fails, at its next `await`. **Default: none.**
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        self.option(|options| options.timeout = Some(timeout))
    }

    /// Sets the time after which [`TaskRun::soft_timed_out`](super::TaskRun::soft_timed_out) tells an attempt to end by itself.
    /// **Default: none.**
    #[must_use]
    pub fn soft_timeout(self, timeout: Duration) -> Self {
        self.option(|options| options.soft_timeout = Some(timeout))
    }

    /// Sets the time after its sending (or its `eta`) within which a task must start; otherwise it is revoked.
    /// **Default: none.**
    #[must_use]
    pub fn expires(self, expires: Duration) -> Self {
        self.option(|options| options.expires = Some(expires))
    }

    /// Sets what happens when the worker is lost. **Default: [`Ack::Late`].**
    #[must_use]
    pub fn ack(self, ack: Ack) -> Self {
        self.option(|options| options.ack = ack)
    }

    /// Stores no result of a success. Failures are stored.
    #[must_use]
    pub fn ignore_result(self) -> Self {
        self.option(|options| options.ignore_result = true)
    }

    /// Adds the part `P` to those that the task needs: it is started, and connected before the task runs.
    #[must_use]
    pub fn needs<P: FromHandle>(self) -> Self {
        self.with(|inner| inner.dependencies.push(P::dependencies))
    }

    /// Returns the name, which messages carry.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    pub(super) fn options(&self) -> &TaskOptions {
        &self.0.options
    }

    pub(super) fn parameters(&self) -> &'static [Parameter<'static>] {
        self.0.parameters
    }

    /// Adds the parts that the task needs.
    pub(super) fn dependencies(&self, dependencies: &mut Dependencies) {
        self.0.dependencies.iter().for_each(|add| add(dependencies));
    }

    /// Runs the function. A panic unwinds into the future.
    pub(super) fn run(&self, call: TaskCall) -> BoxFuture<'static, Result<Value>> {
        (self.0.work)(call)
    }

    /// Returns the reasons why this task cannot work, with the fixes.
    pub(super) fn problems(&self) -> Vec<Problem> {
        let TaskOptions { queue, priority, backoff, max_backoff, timeout, soft_timeout, .. } =
            self.options();
        let mut problems = Vec::new();
        let mut refuse = |option: &str, why: String, fix: &str| {
            let key = format!("the task `{}`: {option}", self.name());
            problems.push(Problem::new(key, why, fix));
        };
        if self.name().is_empty() {
            refuse("name", "it is empty".to_owned(), "\"service.function\"");
        }
        if queue.is_empty() || queue.chars().any(char::is_control) {
            refuse("queue", format!("{queue:?} is not a name"), DEFAULT_QUEUE);
        }
        if *priority > MAX_PRIORITY {
            refuse("priority", format!("{priority}, and the last is {MAX_PRIORITY}"), "9");
        }
        if backoff > max_backoff {
            refuse("backoff", "the first delay is longer than the longest".to_owned(), "1s");
        }
        if let (Some(soft), Some(hard)) = (soft_timeout, timeout)
            && soft >= hard
        {
            refuse("soft_timeout", "it is not before `timeout`".to_owned(), "a shorter one");
        }
        if timeout.is_some_and(|timeout| timeout.is_zero()) {
            refuse("timeout", "no attempt ends in no time".to_owned(), "30s");
        }
        problems
    }
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task")
            .field("name", &self.name())
            .field("options", self.options())
            .finish_non_exhaustive()
    }
}

/// Returns the error of an argument that does not fit, as Python's is: the task fails at once.
pub(super) fn argument_error(name: &str, why: impl fmt::Display) -> Error {
    let text = format!("argument `{name}`: {why}");
    Error::reject("").exception(piton_celery::Exception::type_error(text))
}
