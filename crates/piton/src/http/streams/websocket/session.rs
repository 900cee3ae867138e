//! Runs the driver and the handler of one WebSocket, from its opening to its end.

use std::any::Any;
use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use axum::extract::ws;
use tokio::sync::oneshot;
use tokio::time::timeout;
use tracing::{debug, error, warn};

use super::driver::Driver;
use super::message::{CloseCode, CloseFrame};
use super::socket::{WebSocket, socket};
use super::traffic::Traffic;
use crate::error::Error;
use crate::http::server::panics;
use crate::http::streams::deadlines::StreamDeadlines;
use crate::http::streams::sse::CLIENT_CLOSED_REQUEST;

/// The results that the task of a WebSocket may have: none, or a `Result`. An error of the service
/// (5xx) is logged and closes the socket with the code 1011, one of the client (4xx) with 1008 and its
/// detail. A [`StreamClosed`](crate::http::StreamClosed) that `?` has returned is no failure: the client has gone.
// One `Result` only, so that the compiler can infer the error of `async { ..?; Ok(()) }`.
pub trait SocketResult {
    /// Returns the result.
    ///
    /// # Errors
    /// The handler's own.
    fn into_result(self) -> Result<(), Error>;
}

impl SocketResult for () {
    fn into_result(self) -> Result<(), Error> {
        Ok(())
    }
}

impl SocketResult for Result<(), Error> {
    fn into_result(self) -> Result<(), Error> {
        self
    }
}

/// The settings of one WebSocket session.
pub(super) struct SessionPlan {
    pub deadlines: StreamDeadlines,
    pub traffic: Traffic,
    pub heartbeat: Duration,
    /// Time for the handler to end, once the connection has.
    pub handler_grace: Duration,
    /// The request's method and route, for the log.
    pub name: String,
}

impl SessionPlan {
    /// Runs `handler` with the socket until both have ended.
    pub async fn run<C, F>(self, connection: ws::WebSocket, handler: C)
    where
        C: FnOnce(WebSocket) -> F,
        F: Future<Output: SocketResult + Send>,
    {
        let Self { deadlines, traffic, heartbeat, handler_grace, name } = self;
        let (socket, channels) = socket();
        let (fail, failed) = oneshot::channel();
        let mut driver =
            pin!(Driver::new(connection, channels, deadlines, traffic, failed, heartbeat).run());
        let mut handler = pin!(panics::catch(handler(socket)));
        tokio::select! {
            result = &mut handler => {
                match log_failure(result, &name) {
                    Some(frame) => {
                        let _ = fail.send(frame);
                        driver.await;
                    }
                    None => {
                        driver.await;
                        // Not dropped before, because the driver waits for it.
                        drop(fail);
                    }
                }
            }
            () = &mut driver => match timeout(handler_grace, handler).await {
                Ok(result) => drop(log_failure(result, &name)),
                Err(_) => warn!(
                    "{name}: the task of a closed WebSocket did not end within {} (http.timeout), and was cancelled",
                    humantime::format_duration(handler_grace)
                ),
            },
        }
    }
}

type TaskResult<R> = Result<R, Box<dyn Any + Send>>;

/// Logs a failure of the handler once. Returns the frame that closes the socket then.
fn log_failure(result: TaskResult<impl SocketResult>, name: &str) -> Option<CloseFrame> {
    let (what, at) = match result.map(SocketResult::into_result) {
        Ok(Ok(())) => return None,
        // The client has gone, which is no fault of the service.
        Ok(Err(error)) if error.status() == CLIENT_CLOSED_REQUEST => return None,
        Ok(Err(error)) if error.status().is_client_error() => {
            debug!("{name}: the task of a WebSocket has ended: {error}");
            return Some(CloseFrame::new(CloseCode::POLICY, error.detail().unwrap_or_default()));
        }
        Ok(Err(error)) => (error.to_string(), Some(error.location().to_string())),
        Err(panic) => {
            let (message, at) = panics::describe(&*panic);
            (format!("panicked: {message}"), at)
        }
    };
    error!(at, "{name}: the task of a WebSocket failed: {what}");
    Some(CloseFrame::new(CloseCode::INTERNAL, "internal error"))
}
