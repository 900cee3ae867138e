//! Test support for services: a whole service in the process, and comparison of generated files.
//!
//! [`TestApp`] runs the same steps as `App::run` and handles requests without a socket; [`TestServer`] listens on a
//! free port. Each has its own temporary data folder, and so its own database. Neither reads the process's
//! environment or a configuration file: tests set what they need.

#[cfg(feature = "openapi")]
mod explained;

use std::fmt;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::app::{App, LaunchError, LaunchSources, LaunchedApp};
use crate::handle::Handle;
use crate::http::Listeners;
use crate::stop_signal::{Stop, Trigger};

#[cfg(feature = "openapi")]
pub use explained::assert_explained;

/// The maximum time for parts to connect.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// A service under test, without a socket.
///
/// ```
/// use piton::prelude::*;
/// use piton::testing::TestApp;
/// use piton::http::get;
///
/// async fn hello() -> &'static str { "hello" }
///
/// #[piton::test]
/// async fn it_says_hello() {
///     let app = TestApp::new(App::new("greeter").route(get("/", hello))).await;
///     let answer = app.get("/").await;
///     assert_eq!(answer.status(), 200);
///     assert_eq!(answer.text(), "hello");
/// }
/// # fn main() {}
/// ```
pub struct TestApp {
    launched: Option<LaunchedApp>,
    folder: TempDir,
}

/// A service under test that listens on a free port. It stops when dropped.
pub struct TestServer {
    address: SocketAddr,
    scheme: &'static str,
    trigger: Trigger,
    task: Option<JoinHandle<Result<(), LaunchError>>>,
    handle: Handle,
    _folder: TempDir,
}

/// The builder of a request to a [`TestApp`]. Awaiting it sends it.
#[must_use = "a request is sent when it is awaited"]
pub struct TestRequest<'a> {
    app: &'a TestApp,
    request: Request<Body>,
}

/// A response with its body.
#[derive(Clone, Debug)]
pub struct TestAnswer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

async fn launch(app: App) -> (LaunchedApp, TempDir) {
    let folder = tempfile::tempdir().expect("a test may write to the folder for temporary files");
    let data_dir = folder.path().join("data").to_string_lossy().into_owned();
    let sources = LaunchSources::for_test();
    match app.set("data_dir", data_dir).launch(sources).await {
        Ok(launched) => (launched, folder),
        Err(error) => panic!("{}", error.report("the app under test")),
    }
}

impl TestApp {
    /// Launches `app` and waits for its parts.
    ///
    /// # Panics
    /// If the app does not start, or a part fails permanently, with the message that `run` would print.
    pub async fn new(app: App) -> Self {
        let (mut launched, folder) = launch(app).await;
        launched.connect(CONNECT_TIMEOUT).await;
        if let Some(error) = launched.take_permanent() {
            panic!("{}", error.report("the app under test"));
        }
        Self { launched: Some(launched), folder }
    }

    fn launched(&self) -> &LaunchedApp {
        self.launched.as_ref().expect("it is there until `stop`")
    }

    /// Returns the running app, for example to read from its parts.
    #[must_use]
    pub fn handle(&self) -> &Handle {
        &self.launched().handle
    }

    /// Returns the parent folder of the service's `data_dir`. It is deleted with the app.
    #[must_use]
    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// Starts a `GET` request.
    pub fn get(&self, path: &str) -> TestRequest<'_> {
        self.request(Method::GET, path)
    }

    /// Starts a `POST` request.
    pub fn post(&self, path: &str) -> TestRequest<'_> {
        self.request(Method::POST, path)
    }

    /// Starts a `PUT` request.
    pub fn put(&self, path: &str) -> TestRequest<'_> {
        self.request(Method::PUT, path)
    }

    /// Starts a `PATCH` request.
    pub fn patch(&self, path: &str) -> TestRequest<'_> {
        self.request(Method::PATCH, path)
    }

    /// Starts a `DELETE` request.
    pub fn delete(&self, path: &str) -> TestRequest<'_> {
        self.request(Method::DELETE, path)
    }

    /// Starts a request with any method.
    ///
    /// # Panics
    /// If `path` is not a path, with or without a query.
    pub fn request(&self, method: Method, path: &str) -> TestRequest<'_> {
        let request = Request::builder().method(method).uri(path).body(Body::empty());
        TestRequest { app: self, request: request.expect("a path and perhaps a query") }
    }

    /// Stops every part, as the end of the service does.
    pub async fn stop(mut self) {
        if let Some(launched) = self.launched.take() {
            launched.stop().await;
        }
    }
}

impl TestRequest<'_> {
    /// Adds a header.
    ///
    /// # Panics
    /// If name or value are not valid.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let name: HeaderName = name.parse().expect("a header's name");
        let value: HeaderValue = value.parse().expect("a header's value");
        self.request.headers_mut().append(name, value);
        self
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

    /// Sends `body` unchanged.
    pub fn body(mut self, body: impl Into<Body>) -> Self {
        *self.request.body_mut() = body.into();
        self
    }

    async fn send(self) -> TestAnswer {
        let response = self.app.launched().stack.clone().respond(self.request, None).await;
        let (parts, body) = response.into_parts();
        let body = body.collect().await.expect("the answer's body can be read").to_bytes();
        TestAnswer { status: parts.status, headers: parts.headers, body }
    }
}

impl<'a> IntoFuture for TestRequest<'a> {
    type Output = TestAnswer;
    type IntoFuture = std::pin::Pin<Box<dyn Future<Output = TestAnswer> + Send + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}

impl TestAnswer {
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
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Returns the body as bytes.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.body
    }

    /// Returns the body as text, with `�` for bytes that are not UTF-8.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Returns the body, deserialized from JSON.
    ///
    /// # Panics
    /// If it is not JSON of that type; the message shows the body.
    #[must_use]
    #[track_caller]
    pub fn json<T: DeserializeOwned>(&self) -> T {
        match serde_json::from_slice(&self.body) {
            Ok(value) => value,
            Err(error) => panic!(
                "{} with a body that is not as expected ({error}): {}",
                self.status,
                self.text()
            ),
        }
    }

    /// Returns whether the response is a problem document.
    #[must_use]
    pub fn is_problem(&self) -> bool {
        self.header(header::CONTENT_TYPE.as_str()) == "application/problem+json"
    }
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
        let address = listeners.tcp_address().unwrap_or(([127, 0, 0, 1], 0).into());
        let scheme = if launched.http.tls.is_on() { "https" } else { "http" };
        let (trigger, stop) = Stop::new();
        let handle = launched.handle.clone();
        let task = tokio::spawn(launched.serve(listeners, stop, Stop::never()));
        Self { address, scheme, trigger, task: Some(task), handle, _folder: folder }
    }

    /// Returns the first address that it listens on over TCP.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the URL of a path that begins with `/`.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme, self.address)
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

/// Compares a generated file that is checked in, such as `config.example.toml`, with the text that the program
/// generates now.
///
/// ```no_run
/// # fn app() -> piton::App { piton::App::new("shop") }
/// use piton::testing::assert_generated;
///
/// let path = concat!(env!("CARGO_MANIFEST_DIR"), "/config.example.toml");
/// assert_generated(path, &app().config_example(), "cargo run -- config --example > config.example.toml");
/// ```
///
/// # Panics
/// If the file is missing or differs. The message shows the first line that differs, and `fix`, the command that
/// generates the file.
#[track_caller]
pub fn assert_generated(path: impl AsRef<Path>, generated: &str, fix: &str) {
    let path = path.as_ref();
    let checked_in = std::fs::read_to_string(path).unwrap_or_default();
    if checked_in == generated {
        return;
    }
    let (mut old, mut new) = (checked_in.lines(), generated.lines());
    let differing = (1..).zip(std::iter::from_fn(|| match (old.next(), new.next()) {
        (None, None) => None,
        pair => Some(pair),
    }));
    let first = differing.into_iter().find(|(_, (old, new))| old != new);
    let difference = first.map_or_else(String::new, |(line, (old, new))| {
        let shown = |text: Option<&str>| text.unwrap_or("(end of file)").to_owned();
        format!("\nline {line} of the file: {}\nand generated now: {}", shown(old), shown(new))
    });
    panic!("{} is not up to date; to correct it:\n{fix}{difference}", path.display());
}

/// Compares a generated JSON file that is checked in with the value that the program generates now. The order of
/// keys does not count: a Cargo feature of `serde_json` changes it.
///
/// # Panics
/// As [`assert_generated`].
#[track_caller]
pub fn assert_generated_json(path: impl AsRef<Path>, generated: &Value, fix: &str) {
    let path = path.as_ref();
    let checked_in = std::fs::read_to_string(path).unwrap_or_default();
    let checked_in = serde_json::from_str::<Value>(&checked_in).unwrap_or_default();
    assert!(
        checked_in == *generated,
        "{} is not up to date; to correct it:\n{fix}",
        path.display()
    );
}

impl fmt::Debug for TestApp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestApp").field("folder", &self.folder.path()).finish_non_exhaustive()
    }
}

/// Runs a test of `#[piton::test]` in a runtime of its own, with two threads, so that a handler that blocks the
/// runtime is noticed.
#[doc(hidden)]
pub fn block_on<F: Future>(test: F) -> F::Output {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a test may start threads")
        .block_on(test)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_up_to_date_file_passes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file.toml");
        std::fs::write(&path, "a\nb\n").unwrap();
        assert_generated(&path, "a\nb\n", "make");
    }

    #[test]
    #[should_panic(
        expected = "is not up to date; to correct it:\nmake\nline 2 of the file: b\nand generated now: c"
    )]
    fn an_old_file_fails_with_the_first_difference_and_the_fix() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file.toml");
        std::fs::write(&path, "a\nb\n").unwrap();
        assert_generated(&path, "a\nc\n", "make");
    }

    #[test]
    #[should_panic(expected = "line 1 of the file: (end of file)")]
    fn a_missing_file_fails() {
        assert_generated("/nowhere/file.toml", "a\n", "make");
    }

    #[test]
    fn the_order_of_keys_does_not_count() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file.json");
        std::fs::write(&path, r#"{"b": 1, "a": 2}"#).unwrap();
        assert_generated_json(&path, &serde_json::json!({ "a": 2, "b": 1 }), "make");
    }
}
