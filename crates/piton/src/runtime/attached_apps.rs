//! The apps that run in this process, for code outside of any request or part.

use std::fmt;

use parking_lot::RwLock;

use super::handle::{Handle, WeakHandle};

/// Weak, so that an app whose router was dropped does not stay alive here.
static ATTACHED: RwLock<Vec<WeakHandle>> = RwLock::new(Vec::new());

/// The reason why [`try_app`](crate::try_app) returns no app.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NoCurrentApp {
    /// No app of this process has reached its step `attach_instance`, or all have stopped.
    NotRunning,
    /// Several apps run in this process, and the code belongs to none of them: it runs outside of a
    /// request, and outside of a task started with [`spawn`](crate::spawn).
    Ambiguous,
}

impl fmt::Display for NoCurrentApp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotRunning => "no app is running here: none has reached its step `attach_instance`, or it has stopped",
            Self::Ambiguous => {
                "several apps are running in this process, and this code runs outside of their requests: \
                 start the task with `piton::spawn`, or pass the app's handle"
            }
        })
    }
}

impl std::error::Error for NoCurrentApp {}

/// Adds an app to the running ones.
pub(crate) fn attach(handle: &Handle) {
    let mut attached = ATTACHED.write();
    attached.retain(|other| other.upgrade().is_some_and(|other| !other.is_same(handle)));
    attached.push(handle.downgrade());
}

/// Removes an app that has stopped, though handles of it may be in use.
pub(crate) fn detach(handle: &Handle) {
    ATTACHED.write().retain(|other| other.upgrade().is_some_and(|other| !other.is_same(handle)));
}

/// Returns the only running app.
///
/// # Errors
/// None runs, or several do: then the last one would be a guess.
pub(super) fn only_attached() -> Result<Handle, NoCurrentApp> {
    let attached = ATTACHED.read();
    let mut running = attached.iter().filter_map(WeakHandle::upgrade);
    match (running.next(), running.next()) {
        (Some(only), None) => Ok(only),
        (Some(_), Some(_)) => Err(NoCurrentApp::Ambiguous),
        (None, _) => Err(NoCurrentApp::NotRunning),
    }
}
