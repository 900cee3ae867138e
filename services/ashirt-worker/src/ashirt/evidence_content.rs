//! The bytes of evidence as a stream.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, header};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use tokio::time::{Instant, timeout_at};

use super::error::{Error, Kind};

/// Selects which bytes of evidence to fetch.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ContentPart {
    /// The whole file.
    Media,
    /// For an image a PNG of at most 500 by 500 pixels; for everything else the same as
    /// [`Media`](Self::Media).
    Preview,
}

impl ContentPart {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Media => "media",
            Self::Preview => "preview",
        }
    }
}

/// Limits for reading a response.
#[derive(Clone, Copy, Debug)]
pub(super) struct ReadLimits {
    /// Maximum size in bytes.
    pub size: u64,
    /// Maximum time between two chunks.
    pub idle: Duration,
    /// Deadline for the whole response.
    pub deadline: Instant,
}

/// The bytes of evidence while they arrive. Closes its connection when dropped before the end.
#[derive(Debug)]
pub struct EvidenceContent {
    call: &'static str,
    body: Incoming,
    length: Option<u64>,
    media_type: Option<String>,
    read: u64,
    limits: ReadLimits,
}

impl EvidenceContent {
    /// # Errors
    /// `TooLarge` if the announced `Content-Length` exceeds the limit.
    pub(super) fn new(
        call: &'static str,
        headers: &HeaderMap,
        body: Incoming,
        limits: ReadLimits,
    ) -> Result<Self, Error> {
        let media_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let length = body.size_hint().exact();
        let content =
            Self { call, body, length, media_type: media_type.map(Into::into), read: 0, limits };
        if length.is_some_and(|length| length > limits.size) {
            return Err(content.too_large());
        }
        Ok(content)
    }

    /// Returns the total number of bytes, if the backend declares it.
    #[must_use]
    pub fn length(&self) -> Option<u64> {
        self.length
    }

    /// Returns the media type that the backend guesses from the bytes. It stores none.
    #[must_use]
    pub fn media_type(&self) -> Option<&str> {
        self.media_type.as_deref()
    }

    /// Returns the next bytes, or `None` at the end. Cancel safe: no byte is lost.
    ///
    /// # Errors
    /// `TooLarge` as soon as there are more bytes than the limit, `Timeout` if none come for too long or the
    /// last one is late, `Interrupted` if the connection breaks. What has come is not the whole then.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        loop {
            let until = self.limits.deadline.min(Instant::now() + self.limits.idle);
            let Ok(frame) = timeout_at(until, self.body.frame()).await else {
                return Err(
                    self.error(Kind::Timeout, "the rest of the response did not arrive in time")
                );
            };
            let frame = match frame.transpose() {
                Ok(Some(frame)) => frame,
                Ok(None) => return Ok(None),
                Err(error) => {
                    let broken = self.error(Kind::Interrupted, "the response ended early");
                    return Err(broken.with_source(error));
                }
            };
            // Skipped, because a frame without data has trailers, which ASHIRT does not use.
            let Ok(chunk) = frame.into_data() else { continue };
            self.read += chunk.len() as u64;
            if self.read > self.limits.size {
                return Err(self.too_large());
            }
            return Ok(Some(chunk));
        }
    }

    /// Reads all remaining bytes into memory.
    ///
    /// # Errors
    /// As [`chunk`](Self::chunk).
    pub async fn bytes(mut self) -> Result<Bytes, Error> {
        let mut all = BytesMut::new();
        while let Some(chunk) = self.chunk().await? {
            all.extend_from_slice(&chunk);
        }
        Ok(all.freeze())
    }

    fn too_large(&self) -> Error {
        let limit = self.limits.size;
        self.error(Kind::TooLarge, &format!("the response has more than {limit} bytes"))
    }

    fn error(&self, kind: Kind, message: &str) -> Error {
        Error::new(kind, message).with_call(self.call)
    }
}
