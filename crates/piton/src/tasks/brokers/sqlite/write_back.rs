//! Writes the log back into the file beside the writer, which then hardly waits for the disk.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tracing::debug;

use super::job::Job;
use crate::db::SqliteInternal;

/// Number of written tasks after which the log is written back: about a tenth of what the writer's connection lets it
/// grow to.
const TASKS: usize = 4000;

/// Counts what was written since the log was last written back.
#[derive(Default)]
pub(super) struct WriteBack {
    unwritten_tasks: AtomicUsize,
    is_running: AtomicBool,
}

impl WriteBack {
    /// Counts the tasks of jobs that were committed, and begins to write the log back once they are many.
    pub fn committed(self: &Arc<Self>, jobs: &[Job], internal: &SqliteInternal) {
        let written = jobs.iter().filter(|job| !matches!(job, Job::Claim { .. })).map(Job::tasks);
        let written: usize = written.sum();
        if self.unwritten_tasks.fetch_add(written, Ordering::Relaxed) + written < TASKS
            || self.is_running.swap(true, Ordering::Relaxed)
        {
            return;
        }
        self.unwritten_tasks.store(0, Ordering::Relaxed);
        let (running, internal) = (RunningWriteBack(Arc::clone(self)), internal.clone());
        tokio::spawn(async move {
            // Not reported: the writer's connection does the same when the log has grown further, and fails its call.
            if let Err(error) = internal.write_log_back().await {
                debug!(error = %error, "The log of the database was not written back");
            }
            drop(running);
        });
    }
}

/// Stands for a write in progress. Dropped when it ends, or with the runtime.
struct RunningWriteBack(Arc<WriteBack>);

impl Drop for RunningWriteBack {
    fn drop(&mut self) {
        self.0.is_running.store(false, Ordering::Relaxed);
    }
}
