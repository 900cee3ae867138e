//! [`TaskRun`]: the run that the current code belongs to.

use std::sync::Arc;

use parking_lot::Mutex;
use serde::Serialize;

use super::error::{Error, Result};
use crate::error;
use crate::handle::Handle;
use crate::part::Dependencies;
use crate::runtime::from_handle::FromHandle;
use crate::stop_signal::Stop;

tokio::task_local! {
    static CURRENT: TaskRun;
}

/// The run of a task, from inside: take it as `#[part] run: TaskRun`.
///
/// ```
/// use piton::tasks::{Result, TaskRun};
///
/// async fn export(run: TaskRun, rows: u64) -> Result<()> {
///     for row in 0..rows {
///         run.set_progress(&serde_json::json!({"done": row, "of": rows}))?;
///     }
///     Ok(())
/// }
/// ```
#[derive(Clone, Debug)]
pub struct TaskRun(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    about: TaskAbout,
    progress: Mutex<Option<String>>,
    soft_timeout: Stop,
    stop: Stop,
}

/// The facts of a run.
#[derive(Clone, Debug, Default)]
pub(super) struct TaskAbout {
    pub id: String,
    pub name: String,
    pub queue: String,
    pub retries: u32,
    pub losses: u32,
    pub root_id: String,
    pub parent_id: Option<String>,
    /// Headers of the message that Celery does not define.
    pub headers: serde_json::Map<String, serde_json::Value>,
}

impl TaskRun {
    pub(super) fn new(about: TaskAbout, soft_timeout: Stop, stop: Stop) -> Self {
        Self(Arc::new(Inner { about, progress: Mutex::default(), soft_timeout, stop }))
    }

    /// Runs `work` with this run as the current one.
    pub(super) async fn within<F: Future>(self, work: F) -> F::Output {
        CURRENT.scope(self, work).await
    }

    /// Returns the run that the code belongs to, if there is one. Tasks started with `tokio::spawn` belong to none.
    #[must_use]
    pub fn current() -> Option<Self> {
        CURRENT.try_with(Self::clone).ok()
    }

    /// Returns the task's id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.0.about.id
    }

    /// Returns the task's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.about.name
    }

    /// Returns the queue that the task came from.
    #[must_use]
    pub fn queue(&self) -> &str {
        &self.0.about.queue
    }

    /// Returns the number of attempts that came before this one.
    #[must_use]
    pub fn retries(&self) -> u32 {
        self.0.about.retries
    }

    /// Returns whether the task may have been run before without an end: its worker died or was cut off.
    #[must_use]
    pub fn is_redelivered(&self) -> bool {
        self.0.about.losses > 0
    }

    /// Returns the id of the task that sent this one.
    #[must_use]
    pub fn parent_id(&self) -> Option<&str> {
        self.0.about.parent_id.as_deref()
    }

    /// Returns the id of the first task in the line of parents.
    #[must_use]
    pub fn root_id(&self) -> &str {
        &self.0.about.root_id
    }

    /// Returns a header that the sender has added.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&serde_json::Value> {
        self.0.about.headers.get(name)
    }

    /// Reports the progress, which the task's status shows from then on. Reports in quick succession are stored
    /// together: the last one counts.
    ///
    /// # Errors
    /// The value does not serialise.
    pub fn set_progress<T: Serialize + ?Sized>(&self, progress: &T) -> Result<()> {
        let json = serde_json::to_string(progress)
            .map_err(|error| Error::reject("the progress does not serialise").caused_by(error))?;
        *self.0.progress.lock() = Some(json);
        Ok(())
    }

    /// Returns the progress that has not been stored yet.
    pub(super) fn take_progress(&self) -> Option<String> {
        self.0.progress.lock().take()
    }

    /// Waits until the soft timeout of the task has passed.
    pub async fn soft_timed_out(&self) {
        self.0.soft_timeout.stopped().await;
    }

    /// Waits until the worker stops: work that can be continued later ends now, best by
    /// [`Error::snooze`]. What does not end in time is cancelled and given back.
    pub async fn stopping(&self) {
        self.0.stop.stopped().await;
    }
}

impl FromHandle for TaskRun {
    fn dependencies(_: &mut Dependencies) {}

    fn extract(_: &Handle) -> std::result::Result<Self, error::Error> {
        Self::current().ok_or_else(|| error::Error::internal("no task is running here"))
    }
}
