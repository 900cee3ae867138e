//! A service under test that listens on a port.

use std::net::SocketAddr;

use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::launch;
use crate::app::{App, LaunchError};
use crate::handle::Handle;
use crate::http::Listeners;
use crate::stop_signal::{Stop, Trigger};

/// A service under test that listens on a free port. It stops when dropped.
pub struct TestServer {
    /// `None` if it listens on Unix sockets alone.
    address: Option<SocketAddr>,
    redirect_address: Option<SocketAddr>,
    scheme: &'static str,
    trigger: Trigger,
    task: Option<JoinHandle<Result<(), LaunchError>>>,
    handle: Handle,
    _folder: TempDir,
}

impl TestServer {
    /// Launches `app` on a free port of this machine, or on the addresses of `http.listen` if it sets
    /// them.
    ///
    /// # Panics
    /// If the app does not start, with the message that `run` would print.
    pub async fn start(app: App) -> Self {
        let (launched, folder) = launch(app).await;
        let listeners = if launched.http.listen.is_empty() {
            TcpListener::bind("127.0.0.1:0").await.expect("a free port").into()
        } else {
            Listeners::bind(&launched.http, false).unwrap_or_else(|why| panic!("{why}"))
        };
        let address = listeners.tcp_address();
        let public = launched.open(listeners);
        let public =
            public.unwrap_or_else(|error| panic!("{}", error.report("the app under test")));
        let redirect_address = public.redirect_address();
        let scheme = if launched.http.tls.is_on() { "https" } else { "http" };
        let (trigger, stop) = Stop::new();
        let handle = launched.handle.clone();
        let task = tokio::spawn(launched.serve(public, stop, Stop::never()));
        let task = Some(task);
        Self { address, redirect_address, scheme, trigger, task, handle, _folder: folder }
    }

    /// Returns the first address that it listens on over TCP.
    ///
    /// # Panics
    /// If it listens on Unix sockets alone.
    #[must_use]
    #[track_caller]
    pub fn address(&self) -> SocketAddr {
        self.address.expect(
            "the server listens on Unix sockets alone: connect to the path of `http.listen`, such as by \
             `tokio::net::UnixStream`, or add an address of TCP to it (`127.0.0.1:0`)",
        )
    }

    /// Returns the URL of a path that begins with `/`.
    ///
    /// # Panics
    /// If it listens on Unix sockets alone.
    #[must_use]
    #[track_caller]
    pub fn url(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme, self.address())
    }

    /// Returns the port of plain HTTP that redirects to HTTPS: that of `http.redirect_port`, or the free one that was
    /// chosen for `0`.
    ///
    /// # Panics
    /// If `http.redirect_port` is not set.
    #[must_use]
    #[track_caller]
    pub fn redirect_port(&self) -> u16 {
        self.redirect_address.expect("`http.redirect_port` is set, to a port or to 0").port()
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
