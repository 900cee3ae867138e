//! The builder of a request to a [`TestApp`].

use std::pin::Pin;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use http::{HeaderName, HeaderValue, Request};
use serde::Serialize;

use super::TestApp;
use super::multipart::TestMultipart;
use super::response::TestResponse;
use super::stream::TestStream;

/// Maximum time for a body to end, and for the next part of a stream to arrive.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// The builder of a request to a [`TestApp`]. Awaiting it sends it and reads the whole response;
/// [`stream`](Self::stream) reads the response in parts. Redirects are not followed.
#[must_use = "a request is sent when it is awaited"]
pub struct TestRequest<'a> {
    pub(super) app: &'a TestApp,
    pub(super) request: Request<Body>,
    pub(super) read_timeout: Duration,
}

impl<'a> TestRequest<'a> {
    pub(super) fn new(app: &'a TestApp, request: Request<Body>) -> Self {
        Self { app, request, read_timeout: READ_TIMEOUT }
    }

    /// Adds a header.
    ///
    /// # Panics
    /// If name or value are not valid.
    pub fn header(self, name: &str, value: &str) -> Self {
        self.header_value(name, value.parse().expect("a header's value"))
    }

    /// Adds a header whose value need not be text.
    ///
    /// # Panics
    /// If the name is not valid.
    pub fn header_value(mut self, name: &str, value: HeaderValue) -> Self {
        let name: HeaderName = name.parse().expect("a header's name");
        self.request.headers_mut().append(name, value);
        self
    }

    /// Adds an access token, as `Authorization: Bearer`.
    ///
    /// # Panics
    /// If it is not valid in a header.
    pub fn bearer(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    /// Sends `body` as JSON.
    ///
    /// # Panics
    /// If it does not serialize.
    pub fn json(self, body: &impl Serialize) -> Self {
        self.header("content-type", "application/json")
            .body(serde_json::to_vec(body).expect("a test's body serializes"))
    }

    /// Sends `body` as a form.
    ///
    /// # Panics
    /// If it does not serialize.
    pub fn form(self, body: &impl Serialize) -> Self {
        self.header("content-type", "application/x-www-form-urlencoded")
            .body(serde_urlencoded::to_string(body).expect("a test's form serializes"))
    }

    /// Sends fields and files as `multipart/form-data`, as the form of a browser does.
    ///
    /// ```
    /// # use piton::testing::{TestResponse, TestApp};
    /// use piton::testing::TestMultipart;
    ///
    /// # async fn upload(app: &TestApp) -> TestResponse {
    /// let form = TestMultipart::new()
    ///     .field("title", "Cat")
    ///     .file("photo", "cat.png", "image/png", &b"\x89PNG"[..]);
    /// app.post("/photos").multipart(form).await
    /// # }
    /// ```
    pub fn multipart(self, form: TestMultipart) -> Self {
        let (content_type, body) = form.encode();
        self.header("content-type", &content_type).body(body)
    }

    /// Sends `body` unchanged.
    pub fn body(mut self, body: impl Into<Body>) -> Self {
        *self.request.body_mut() = body.into();
        self
    }

    /// Sets the maximum time for the response's body to end, or, of a stream, for its next part to
    /// arrive. The test fails after it. **Default: 30 seconds.** The time until the response begins
    /// is limited by `http.timeout`.
    pub fn read_timeout(mut self, timeout: Duration) -> Self {
        self.read_timeout = timeout;
        self
    }

    /// Sends the request and returns the response as soon as it has begun, to be read in parts: for
    /// bodies that do not end, such as server-sent events.
    ///
    /// ```
    /// # use piton::testing::TestApp;
    /// # async fn events(app: &TestApp) {
    /// let mut events = app.get("/events").header("last-event-id", "41").stream().await;
    /// assert_eq!(events.status(), 200);
    /// assert_eq!(events.event().await.expect("the stream goes on").id.as_deref(), Some("42"));
    /// # }
    /// ```
    pub async fn stream(self) -> TestStream {
        let (what, read_timeout) = (self.name(), self.read_timeout);
        TestStream::new(self.respond().await, what, read_timeout)
    }

    /// Returns the method and the path, as failures of tests name the request.
    pub(super) fn name(&self) -> String {
        format!("{} {}", self.request.method(), self.request.uri())
    }

    async fn respond(mut self) -> Response {
        self.app.add_cookies(&mut self.request);
        let path = self.request.uri().path().to_owned();
        let response = self.app.launched().stack.clone().respond(self.request, None).await;
        self.app.keep_cookies(&path, response.headers());
        response
    }

    async fn send(self) -> TestResponse {
        self.stream().await.whole().await
    }
}

impl<'a> IntoFuture for TestRequest<'a> {
    type Output = TestResponse;
    type IntoFuture = Pin<Box<dyn Future<Output = TestResponse> + Send + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}
