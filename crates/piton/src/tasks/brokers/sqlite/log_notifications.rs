//! Notifications of the operating system about writes to a database's log: inotify.

use std::ffi::OsString;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};
use rustix::io::Errno;
use tokio::io::unix::AsyncFd;

/// Size of the buffer for events. One has up to 272 bytes.
const BUFFER_BYTES: usize = 2048;

#[expect(
    deprecated,
    reason = "its replacement is unsafe for types that may close their descriptor early, which this one does not"
)]
fn readable(events: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    AsyncFd::new(events)
}

/// A watch on the folder of a database. It is the folder and not the log, because the log may be deleted and created
/// again.
pub(super) struct LogNotifications {
    events: AsyncFd<OwnedFd>,
    log: OsString,
}

impl LogNotifications {
    /// Begins to watch.
    ///
    /// # Errors
    /// The system has no inotify, or no watch is left for this user.
    pub fn new(database: &Path) -> io::Result<Self> {
        let database = std::fs::canonicalize(database)?;
        let (Some(folder), Some(name)) = (database.parent(), database.file_name()) else {
            return Err(io::ErrorKind::NotFound.into());
        };
        let events = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
        let which = WatchFlags::MODIFY
            | WatchFlags::CREATE
            | WatchFlags::MOVED_TO
            | WatchFlags::DELETE_SELF
            | WatchFlags::MOVE_SELF
            | WatchFlags::ONLYDIR;
        inotify::add_watch(&events, folder, which)?;
        let mut log = name.to_owned();
        log.push("-wal");
        Ok(Self { events: readable(events)?, log })
    }

    /// Waits until the log was written. Returns false if the watch has ended, because the folder was moved or deleted.
    pub async fn changed(&self) -> bool {
        loop {
            let Ok(mut ready) = self.events.readable().await else { return false };
            match self.read() {
                Ok(true) => return true,
                Ok(false) => ready.clear_ready(),
                Err(_) => return false,
            }
        }
    }

    /// Reads all events. Returns whether one was about the log.
    fn read(&self) -> io::Result<bool> {
        let mut buffer = [MaybeUninit::uninit(); BUFFER_BYTES];
        let mut reader = Reader::new(self.events.get_ref(), &mut buffer);
        let mut is_about_log = false;
        loop {
            let event = match reader.next() {
                Ok(event) => event,
                Err(Errno::WOULDBLOCK) => return Ok(is_about_log),
                Err(Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
            };
            let ends = ReadFlags::IGNORED | ReadFlags::DELETE_SELF | ReadFlags::MOVE_SELF;
            if event.events().intersects(ends) {
                return Err(io::ErrorKind::NotFound.into());
            }
            let name = event.file_name().map(|name| name.to_bytes());
            is_about_log |= name == Some(self.log.as_encoded_bytes())
                || event.events().contains(ReadFlags::QUEUE_OVERFLOW);
        }
    }
}
