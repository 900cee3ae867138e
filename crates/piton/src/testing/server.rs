//! A service under test that listens on a port.

use std::net::SocketAddr;

use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::launch;
use crate::app::{App, LaunchError};
use crate::handle::Handle;
use crate::stop_signal::{Stop, Trigger};

/// A service under test that listens on a free port. It stops when dropped.
pub struct TestServer {
    address: SocketAddr,
    trigger: Trigger,
    task: Option<JoinHandle<Result<(), LaunchError>>>,
    handle: Handle,
    _folder: TempDir,
}

impl TestServer {
    /// Launches `app` on a free port of this machine.
    ///
    /// # Panics
    /// If the app does not start, with the message that `run` would print.
    pub async fn start(app: App) -> Self {
        let (launched, folder) = launch(app).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound listener has an address");
        let (trigger, stop) = Stop::new();
        let handle = launched.handle.clone();
        let task = tokio::spawn(launched.serve(listener.into(), stop, Stop::never()));
        Self { address, trigger, task: Some(task), handle, _folder: folder }
    }

    /// Returns the address that it listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the URL of a path that begins with `/`.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Returns the running app.
    #[must_use]
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Sends the signal to stop, and does not wait for the end.
    pub fn begin_to_stop(&self) {
        self.trigger.stop();
    }

    /// Returns whether the service has ended by itself.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.task.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Waits until the service ends by itself.
    ///
    /// # Errors
    /// The error that `App::run` would have exited with.
    ///
    /// # Panics
    /// If the server panicked.
    pub async fn ended(mut self) -> Result<(), LaunchError> {
        match self.task.take() {
            Some(task) => task.await.expect("the server does not panic"),
            None => Ok(()),
        }
    }

    /// Stops the service as SIGTERM would, and waits for its end.
    ///
    /// # Panics
    /// If the service ended with an error.
    pub async fn stop(mut self) {
        self.trigger.stop();
        if let Some(task) = self.task.take() {
            task.await.expect("the server does not panic").expect("the server ends well");
        }
    }
}
