//! Test support for services: a whole service in the process, and comparison of generated files.
//!
//! [`TestApp`] runs the same steps as `App::run` and handles requests without a socket; [`TestServer`] listens on a
//! free port. Each has its own temporary data folder, and so its own database. Neither reads the process's
//! environment or a configuration file: tests set what they need. Their log is captured: `cargo test` shows it for tests
//! that fail, and `cargo test -- --nocapture` for all.

mod cookies;
mod event_stream;
#[cfg(feature = "openapi")]
mod explained;
mod generated_files;
mod multipart;
mod request;
mod response;
mod server;
mod stream;
#[cfg(feature = "websocket")]
mod websocket;

use std::fmt;
use std::time::Duration;

use axum::body::Body;
use http::{HeaderMap, Method, Request};
use parking_lot::Mutex;
use tempfile::TempDir;

use self::cookies::CookieJar;
use crate::app::{App, LaunchSources, LaunchedApp};
use crate::handle::Handle;
use crate::logging;

pub use event_stream::TestEvent;
#[cfg(feature = "openapi")]
pub use explained::assert_explained;
pub use generated_files::{assert_generated, assert_generated_json};
pub use multipart::TestMultipart;
pub use request::TestRequest;
pub use response::TestResponse;
pub use server::TestServer;
pub use stream::TestStream;
#[cfg(feature = "websocket")]
pub use websocket::{TestMessage, TestWebSocket};

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
    cookies: Option<Mutex<CookieJar>>,
    folder: TempDir,
}

async fn launch(app: App) -> (LaunchedApp, TempDir) {
    let folder = tempfile::tempdir().expect("a test may write to the folder for temporary files");
    let data_dir = folder.path().join("data").to_string_lossy().into_owned();
    let sources = LaunchSources::for_test();
    logging::capture_for_tests();
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
        Self { launched: Some(launched), cookies: None, folder }
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
        TestRequest::new(self, request.expect("a path and perhaps a query"))
    }

    /// Keeps the cookies that the app sets, and sends them with later requests to their paths, as a
    /// browser does. Without it requests carry no cookies but those of their own header.
    ///
    /// ```
    /// use axum::response::AppendHeaders;
    /// use piton::prelude::*;
    /// use piton::http::get;
    /// use piton::testing::TestApp;
    ///
    /// async fn login() -> (AppendHeaders<[(&'static str, &'static str); 1]>, &'static str) {
    ///     (AppendHeaders([("set-cookie", "session=42; Path=/; HttpOnly")]), "welcome")
    /// }
    ///
    /// async fn cookies(headers: axum::http::HeaderMap) -> String {
    ///     headers.get("cookie").map_or("", |value| value.to_str().unwrap()).to_owned()
    /// }
    ///
    /// #[piton::test]
    /// async fn the_session_goes_on() {
    ///     let app = App::new("accounts").route(get("/login", login)).route(get("/me", cookies));
    ///     let app = TestApp::new(app).await.with_cookies();
    ///     app.get("/login").await;
    ///     assert_eq!(app.cookie("session").as_deref(), Some("42"));
    ///     assert_eq!(app.get("/me").await.text(), "session=42");
    /// }
    /// # fn main() {}
    /// ```
    #[must_use]
    pub fn with_cookies(mut self) -> Self {
        self.cookies = Some(Mutex::default());
        self
    }

    /// Returns the value of a cookie that is kept.
    ///
    /// # Panics
    /// Without [`with_cookies`](Self::with_cookies).
    #[must_use]
    pub fn cookie(&self, name: &str) -> Option<String> {
        self.jar().lock().get(name).map(ToOwned::to_owned)
    }

    /// Sets a cookie of all paths.
    ///
    /// # Panics
    /// Without [`with_cookies`](Self::with_cookies).
    pub fn set_cookie(&self, name: &str, value: &str) {
        self.jar().lock().set(name, value);
    }

    /// Forgets all cookies.
    ///
    /// # Panics
    /// Without [`with_cookies`](Self::with_cookies).
    pub fn clear_cookies(&self) {
        *self.jar().lock() = CookieJar::default();
    }

    fn jar(&self) -> &Mutex<CookieJar> {
        self.cookies.as_ref().expect("cookies are kept by `TestApp::new(..).await.with_cookies()`")
    }

    fn add_cookies(&self, request: &mut Request<Body>) {
        if let Some(jar) = &self.cookies {
            jar.lock().add_to(request);
        }
    }

    fn keep_cookies(&self, path: &str, headers: &HeaderMap) {
        if let Some(jar) = &self.cookies {
            jar.lock().store(path, headers);
        }
    }

    /// Sends the signal to stop: streams and WebSockets are told, and requests are still answered.
    pub fn begin_to_stop(&self) {
        self.handle().inner().drain.begin();
    }

    /// Ends streams and WebSockets, and stops every part, as the end of the service does.
    pub async fn stop(mut self) {
        self.begin_to_stop();
        if let Some(launched) = self.launched.take() {
            launched.stop().await;
        }
    }
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
