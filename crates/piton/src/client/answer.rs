//! What came back. The body is still on its way: it is read by `json`, `text`, `bytes` or `chunk`, up to
//! a limit and up to the end of the call's time.

use std::fmt;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode};
use reqwest::Response;
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use super::error::{Error, Kind, Who};
use super::hosts::Permit;
use crate::config::ByteSize;

/// An answer, with any status. Dropping it unread closes its connection.
pub struct Answer {
    response: Response,
    /// Until something is known of whether the host ends its answers.
    permit: Option<Permit>,
    /// Whether somebody waits for a piece, or has given that up.
    waiting: bool,
    who: Who,
    limit: ByteSize,
    read: u64,
    deadline: Instant,
    /// How long the whole call may take.
    timeout: Duration,
}

impl Answer {
    pub(super) fn new(
        response: Response,
        permit: Option<Permit>,
        who: Who,
        limit: ByteSize,
        deadline: Instant,
        timeout: Duration,
    ) -> Self {
        Self { response, permit, waiting: false, who, limit, read: 0, deadline, timeout }
    }

    /// The status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.response.status()
    }

    /// The headers.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        self.response.headers()
    }

    /// One header as text; `None` where there is none, or it is no text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers().get(name)?.to_str().ok()
    }

    /// The answer, unless its status is 400 or above.
    ///
    /// # Errors
    /// [`Kind::Status`]; [`Error::status`] says which, [`Error::retry_after`] when to try again if the
    /// answer said so.
    pub fn error_for_status(self) -> Result<Self, Error> {
        let status = self.status();
        if status.is_client_error() || status.is_server_error() {
            return Err(self.refused());
        }
        Ok(self)
    }

    fn refused(&self) -> Error {
        let status = self.status();
        let message = format!("answered {}", status.as_u16());
        let wait = super::send::retry_after(self.headers());
        Error::new(Kind::Status, Some(self.who.clone()), message)
            .with_status(status)
            .with_retry_after(wait)
    }

    /// The next piece of the body; `None` after the last. Cancel safe: a piece is handed out or still
    /// there.
    ///
    /// # Errors
    /// [`Kind::TooLarge`] above the limit, [`Kind::Timeout`] at the end of the call's time,
    /// [`Kind::Lost`] if the connection breaks, [`Kind::Decode`] if it cannot be unpacked.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        // Who comes too late to read has nothing to say of the host.
        let late = Instant::now() >= self.deadline;
        self.waiting = true;
        let next = tokio::time::timeout_at(self.deadline, self.response.chunk()).await;
        self.waiting = false;
        match next {
            Err(_) => Err(self.broken(Error::timeout(&self.who, self.timeout), late)),
            Ok(Err(error)) => Err(self.broken(Error::of(error, &self.who), late)),
            Ok(Ok(None)) => {
                self.ended();
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

    fn broken(&mut self, error: Error, late: bool) -> Error {
        if matches!(error.kind(), Kind::Timeout | Kind::Lost) {
            let permit = self.permit.take();
            if let Some(permit) = permit.filter(|_| !late) {
                permit.failed();
            }
        }
        error
    }

    /// The host has answered.
    fn ended(&mut self) {
        if let Some(permit) = self.permit.take() {
            permit.succeeded();
        }
    }

    fn too_large(&self) -> Error {
        let message = format!("the answer is larger than {}", self.limit);
        Error::new(Kind::TooLarge, Some(self.who.clone()), message)
    }

    /// The whole body.
    ///
    /// # Errors
    /// Those of [`chunk`](Self::chunk).
    pub async fn bytes(mut self) -> Result<Bytes, Error> {
        // What is announced too large need not be waited for.
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

    /// The whole body as text; what is not UTF-8 shows as `�`.
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

    /// The body, from JSON, whatever the status; but where it does not fit, and the status is 400 or
    /// above, the status is the error.
    ///
    /// # Errors
    /// Those of [`chunk`](Self::chunk); [`Kind::Decode`] where the body is not JSON of that shape;
    /// [`Kind::Status`].
    pub async fn json<T: DeserializeOwned>(self) -> Result<T, Error> {
        let status = self.status();
        let who = self.who.clone();
        let refused = status.is_client_error() || status.is_server_error();
        let refused = refused.then(|| self.refused());
        let bytes = self.bytes().await?;
        serde_json::from_slice(&bytes).map_err(|error| match refused {
            Some(refused) => refused,
            None => not_json(&error, who).with_status(status),
        })
    }
}

/// Where it is wrong, and not what stands there.
fn not_json(error: &serde_json::Error, who: Who) -> Error {
    let (line, column) = (error.line(), error.column());
    let message = if error.is_data() {
        format!("the JSON has another shape than expected, at line {line} column {column}")
    } else {
        format!("the answer is not JSON, at line {line} column {column}")
    };
    Error::new(Kind::Decode, Some(who), message)
}

/// Whoever lets go of it has got what they wanted, unless they have given up waiting for more.
impl Drop for Answer {
    fn drop(&mut self) {
        if !self.waiting {
            self.ended();
        }
    }
}

/// Without the headers: some are secrets.
impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("who", &self.who)
            .field("status", &self.status())
            .finish_non_exhaustive()
    }
}
