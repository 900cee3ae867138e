//! `piton::app()` outside of requests. A test binary of its own, because the apps of other tests in the process
//! would count.

use piton::http::get;
use piton::prelude::*;
use piton::testing::TestApp;
use piton::{NoCurrentApp, try_app};

async fn name() -> String {
    piton::app().name().to_owned()
}

fn app(name_of_app: &str) -> App {
    App::new(name_of_app).no_scan().set("log.level", "critical").route(get("/", name))
}

#[piton::test]
async fn outside_of_requests_the_only_app_is_found_and_two_are_an_error() {
    assert_eq!(try_app().err(), Some(NoCurrentApp::NotRunning));
    let one = TestApp::new(app("one")).await;
    assert_eq!(piton::app().name(), "one");

    let other = TestApp::new(app("other")).await;
    assert_eq!(try_app().err(), Some(NoCurrentApp::Ambiguous));
    let panic = std::panic::catch_unwind(|| piton::app().name().to_owned()).unwrap_err();
    let message = panic.downcast_ref::<String>().unwrap();
    assert!(message.contains("several apps are running"), "{message}");
    // Requests are not affected: each knows its app.
    assert_eq!(one.get("/").await.text(), "one");
    assert_eq!(other.get("/").await.text(), "other");

    // A handle that is still in use does not keep an app that has stopped.
    let handle = other.handle().clone();
    other.stop().await;
    assert_eq!(piton::app().name(), "one");
    drop(handle);
    one.stop().await;
    assert_eq!(try_app().err(), Some(NoCurrentApp::NotRunning));
}
