//! A response that is read in parts, because it may never end.

use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt;
use tokio::time::Instant;

use super::event_stream::{EventParser, TestEvent};
use super::response::{TestResponse, header_text};

/// Maximum size of a body that is read as a whole. One that is larger probably does not end.
const MAX_BODY_BYTES: usize = 256 << 20;

/// A response that has begun, from [`TestRequest::stream`](super::TestRequest::stream).
///
/// Nothing is read before the test asks for it, so the handler's stream is polled no further than
/// the test has read. Dropping it ends the response, as a client that goes away does.
///
/// ```
/// use futures_util::{StreamExt, stream};
/// use piton::prelude::*;
/// use piton::http::{Event, Sse, Stream, get};
/// use piton::testing::TestApp;
///
/// /// Says `tick` once, and never ends.
/// async fn ticks() -> Sse<impl Stream<Item = Event>> {
///     Sse::new(stream::iter([Event::new("tick").id("1")]).chain(stream::pending()))
/// }
///
/// #[piton::test]
/// async fn events_are_read_one_by_one() {
///     let app = TestApp::new(App::new("clock").route(get("/ticks", ticks))).await;
///     let mut events = app.get("/ticks").stream().await;
///     let event = events.event().await.unwrap();
///     assert_eq!((event.data.as_str(), event.id.as_deref()), ("tick", Some("1")));
/// }
/// # fn main() {}
/// ```
pub struct TestStream {
    status: StatusCode,
    headers: HeaderMap,
    body: Body,
    /// Bytes that were read from the body and not returned yet.
    buffer: BytesMut,
    parser: EventParser,
    /// Method and path of the request.
    request: String,
    read_timeout: Duration,
}

impl TestStream {
    pub(super) fn new(response: Response, request: String, read_timeout: Duration) -> Self {
        let (parts, body) = response.into_parts();
        Self {
            status: parts.status,
            headers: parts.headers,
            body,
            buffer: BytesMut::new(),
            parser: EventParser::default(),
            request,
            read_timeout,
        }
    }

    /// Returns the status; it can be compared with a number.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// Returns the headers.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// Returns a header as text, or "" if it is missing.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        header_text(&self.headers, name)
    }

    /// Returns the next part of the body, as large as the handler wrote it, or `None` at the end.
    ///
    /// # Panics
    /// If the body ends with an error, or nothing arrives within the read timeout.
    pub async fn chunk(&mut self) -> Option<Bytes> {
        match self.try_chunk().await {
            Ok(chunk) => chunk,
            Err(error) => panic!("the body of {} ended with an error: {error}", self.request),
        }
    }

    /// Returns the next part of the body as [`chunk`](Self::chunk) does, and the error that ended it.
    ///
    /// # Errors
    /// The error of the handler's stream. A client sees its connection cut in that case.
    ///
    /// # Panics
    /// If nothing arrives within the read timeout.
    pub async fn try_chunk(&mut self) -> Result<Option<Bytes>, axum::Error> {
        if !self.buffer.is_empty() {
            return Ok(Some(self.buffer.split().freeze()));
        }
        let deadline = Instant::now() + self.read_timeout;
        loop {
            let Some(frame) = self.frame_before(deadline).await else {
                self.fail("nothing arrived", "a stream that is quiet for longer");
            };
            match frame {
                None => return Ok(None),
                Some(Err(error)) => return Err(error),
                // Frames that hold trailers, or nothing, are not parts of the body.
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) if !data.is_empty() => return Ok(Some(data)),
                    _ => {}
                },
            }
        }
    }

    /// Returns the next server-sent event, or `None` at the end of the stream. Comments, such as
    /// heartbeats, are skipped.
    ///
    /// # Panics
    /// If the response is not an event stream (`text/event-stream`), if it ends with an error, or
    /// if no event arrives within the read timeout.
    pub async fn event(&mut self) -> Option<TestEvent> {
        let media_type = self.header("content-type");
        assert!(
            media_type.starts_with("text/event-stream"),
            "{}: {} with content-type `{media_type}` is not an event stream",
            self.request,
            self.status
        );
        let deadline = Instant::now() + self.read_timeout;
        loop {
            if let Some(event) = self.parser.next(&mut self.buffer) {
                return Some(event);
            }
            // Checked here too, because heartbeats without an event would go on indefinitely.
            if Instant::now() >= deadline {
                self.fail("no event arrived", "a stream that is quiet for longer");
            }
            let chunk = self.chunk().await?;
            self.parser.extend(&chunk);
        }
    }

    /// Reads the rest of the body and returns it as an answer.
    ///
    /// # Panics
    /// If the body ends with an error, is larger than 256 MiB, or does not end within the read
    /// timeout; the message tells how much of it was read.
    pub async fn whole(mut self) -> TestResponse {
        let deadline = Instant::now() + self.read_timeout;
        let mut body = std::mem::take(&mut self.buffer);
        loop {
            match self.frame_before(deadline).await {
                Some(None) => break,
                Some(Some(Ok(frame))) => {
                    body.extend_from_slice(frame.data_ref().unwrap_or(&Bytes::new()));
                }
                Some(Some(Err(error))) => {
                    panic!("the body of {} ended with an error: {error}", self.request)
                }
                None => self.fail(
                    &format!("the body has not ended ({} bytes were read)", body.len()),
                    "read a stream in parts with `.stream()`; a slow response",
                ),
            }
            assert!(
                body.len() <= MAX_BODY_BYTES,
                "the body of {} has more than 256 MiB: read it in parts with `.stream()`",
                self.request
            );
        }
        TestResponse { status: self.status, headers: self.headers, body: body.freeze() }
    }

    /// Returns the next frame, or `None` after the deadline. A stream that is always ready is cut
    /// off too: `tokio::time::timeout` alone would never look at the clock.
    async fn frame_before(
        &mut self,
        deadline: Instant,
    ) -> Option<Option<Result<http_body::Frame<Bytes>, axum::Error>>> {
        if Instant::now() >= deadline {
            return None;
        }
        tokio::time::timeout_at(deadline, self.body.frame()).await.ok()
    }

    fn fail(&self, what: &str, when_right: &str) -> ! {
        let timeout = humantime::format_duration(self.read_timeout);
        panic!(
            "{}: {what} within {timeout}; {when_right} needs a longer `.read_timeout(..)`",
            self.request
        )
    }
}

impl std::fmt::Debug for TestStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TestStream")
            .field("request", &self.request)
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}
