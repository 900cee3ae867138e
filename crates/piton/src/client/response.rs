//! [`Response`]: the response to a call. Its body has not been read yet: `json`, `text`, `bytes` or `chunk`
//! read it, up to a maximum size and until the call's deadline.

use std::fmt;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode};
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use super::circuit_breaker::CallPermit;
use super::error::{Error, Kind, Target};
use super::retry_after::retry_after;
use crate::config::ByteSize;

/// The response to a call, with any status. Dropping it unread closes its connection.
pub struct Response {
    response: reqwest::Response,
    /// Reports to the circuit breaker whether the host finishes its response; `None` once reported.
    permit: Option<CallPermit>,
    /// True while a chunk is awaited, and after that was cancelled.
    waiting: bool,
    target: Target,
    limit: ByteSize,
    read: u64,
    deadline: Instant,
    /// The timeout of the whole call.
    timeout: Duration,
}

impl Response {
    pub(super) fn new(
        response: reqwest::Response,
        permit: Option<CallPermit>,
        target: Target,
        limit: ByteSize,
        deadline: Instant,
        timeout: Duration,
    ) -> Self {
        Self { response, permit, waiting: false, target, limit, read: 0, deadline, timeout }
    }

    /// Returns the status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.response.status()
    }

    /// Returns the headers.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        self.response.headers()
    }

    /// Returns a header as text; `None` if it is absent or not valid text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers().get(name)?.to_str().ok()
    }

    /// Returns the response, unless its status is 400 or above.
    ///
    /// # Errors
    /// [`Kind::Status`]; [`Error::status`] is the status, and [`Error::retry_after`] the time to wait if the
    /// response has `Retry-After`.
    pub fn error_for_status(self) -> Result<Self, Error> {
        let status = self.status();
        if status.is_client_error() || status.is_server_error() {
            return Err(self.status_error());
        }
        Ok(self)
    }

    fn status_error(&self) -> Error {
        let status = self.status();
        let message = format!("answered {}", status.as_u16());
        let wait = retry_after(self.headers());
        Error::new(Kind::Status, Some(self.target.clone()), message)
            .with_status(status)
            .with_retry_after(wait)
    }

    /// Returns the next chunk of the body; `None` after the last. Cancel safe: no chunk is lost.
    ///
    /// # Errors
    /// [`Kind::TooLarge`] above the maximum size, [`Kind::Timeout`] at the call's deadline,
    /// [`Kind::ConnectionLost`] if the connection breaks, [`Kind::Decode`] if the body cannot be
    /// decompressed.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        // A caller that reads only after the deadline does not count as a failure of the host.
        let late = Instant::now() >= self.deadline;
        self.waiting = true;
        let next = tokio::time::timeout_at(self.deadline, self.response.chunk()).await;
        self.waiting = false;
        match next {
            Err(_) => Err(self.failed(Error::timeout(&self.target, self.timeout), late)),
            Ok(Err(error)) => Err(self.failed(Error::from_reqwest(error, &self.target), late)),
            Ok(Ok(None)) => {
                self.finished();
                Ok(None)
            }
            Ok(Ok(Some(chunk))) => {
                self.read = self.read.saturating_add(chunk.len() as u64);
                if self.read > self.limit.as_u64() {
                    Err(self.too_large())
                } else {
                    Ok(Some(chunk))
                }
            }
        }
    }

    fn failed(&mut self, error: Error, late: bool) -> Error {
        if matches!(error.kind(), Kind::Timeout | Kind::ConnectionLost) {
            let permit = self.permit.take();
            if let Some(permit) = permit.filter(|_| !late) {
                permit.failed();
            }
        }
        error
    }

    /// Reports a complete response to the circuit breaker.
    fn finished(&mut self) {
        if let Some(permit) = self.permit.take() {
            permit.succeeded();
        }
    }

    fn too_large(&self) -> Error {
        let message = format!("the response is larger than {}", self.limit);
        Error::new(Kind::TooLarge, Some(self.target.clone()), message)
    }

    /// Returns the whole body.
    ///
    /// # Errors
    /// Those of [`chunk`](Self::chunk).
    pub async fn bytes(mut self) -> Result<Bytes, Error> {
        // Checked first, so that a body that is announced as too large is not read at all.
        let announced = self.response.content_length().unwrap_or(0);
        if announced > self.limit.as_u64() {
            return Err(self.too_large());
        }
        let Some(first) = self.chunk().await? else { return Ok(Bytes::new()) };
        let Some(second) = self.chunk().await? else { return Ok(first) };
        let mut whole = BytesMut::with_capacity(first.len() + second.len());
        whole.extend_from_slice(&first);
        whole.extend_from_slice(&second);
        while let Some(chunk) = self.chunk().await? {
            whole.extend_from_slice(&chunk);
        }
        Ok(whole.freeze())
    }

    /// Returns the whole body as text; bytes that are not UTF-8 become `�`.
    ///
    /// # Errors
    /// Those of [`chunk`](Self::chunk).
    pub async fn text(self) -> Result<String, Error> {
        let bytes = self.bytes().await?;
        Ok(match String::from_utf8(bytes.into()) {
            Ok(text) => text,
            Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
        })
    }

    /// Deserializes the body from JSON, whatever the status. If that fails and the status is 400 or above,
    /// the status is the error.
    ///
    /// # Errors
    /// Those of [`chunk`](Self::chunk); [`Kind::Decode`] if the body is not JSON of that shape;
    /// [`Kind::Status`].
    pub async fn json<T: DeserializeOwned>(self) -> Result<T, Error> {
        let status = self.status();
        let target = self.target.clone();
        let is_error = status.is_client_error() || status.is_server_error();
        let status_error = is_error.then(|| self.status_error());
        let bytes = self.bytes().await?;
        serde_json::from_slice(&bytes).map_err(|error| match status_error {
            Some(status_error) => status_error,
            None => not_json(&error, target).with_status(status),
        })
    }
}

/// Names the place of the mistake, and does not repeat the text, which may hold secrets.
fn not_json(error: &serde_json::Error, target: Target) -> Error {
    let (line, column) = (error.line(), error.column());
    let message = if error.is_data() {
        format!("the JSON has another shape than expected, at line {line} column {column}")
    } else {
        format!("the response is not JSON, at line {line} column {column}")
    };
    Error::new(Kind::Decode, Some(target), message)
}

/// Counts a response that is dropped as complete, because the caller needs no more of it; unless the caller
/// gave up waiting for a chunk.
impl Drop for Response {
    fn drop(&mut self) {
        if !self.waiting {
            self.finished();
        }
    }
}

/// Shows no headers, because some are secrets.
impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("target", &self.target)
            .field("status", &self.status())
            .finish_non_exhaustive()
    }
}
