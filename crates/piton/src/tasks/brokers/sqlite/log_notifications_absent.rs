//! Notifications about writes to a database's log, on systems that piton does not ask for them.

use std::io;
use std::path::Path;

/// A watch that cannot be made.
pub(super) enum LogNotifications {}

impl LogNotifications {
    pub fn new(_: &Path) -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub async fn changed(&self) -> bool {
        match *self {}
    }
}
