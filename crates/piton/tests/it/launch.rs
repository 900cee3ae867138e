//! What is wrong is said at launch, all of it, and not at the first request.

use piton::http::{get, post};
use piton::prelude::*;
use piton::testing::TestApp;
use piton::{Exit, LaunchError, Stop};
use tokio::net::TcpListener;

async fn ok() -> &'static str {
    "ok"
}

#[derive(Clone)]
struct Greeting(&'static str);

async fn greet(State(greeting): State<Greeting>) -> &'static str {
    greeting.0
}

fn app() -> App {
    App::new("launch").blueprints(["none"]).set("log.level", "critical")
}

/// The message with which `app` refuses to start.
async fn refusal(app: App) -> (String, Exit) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (trigger, stop) = Stop::new();
    trigger.stop();
    let error: LaunchError = app.serve(listener, stop).await.expect_err("the app is wrong");
    (error.report("launch"), error.exit())
}

#[piton::test]
async fn three_wrong_settings_are_one_message_with_three_problems_and_exit_2() {
    let app =
        app().set("http.port", "eighty").set("http.timeout", "30").set("htp.body_limit", "1MiB");
    let (report, exit) = refusal(app).await;
    assert!(report.contains("3 settings are wrong"), "{report}");
    for part in ["http.port", "http.timeout", "30s", "htp.body_limit", "launch.rs"] {
        assert!(report.contains(part), "`{part}` is missing in: {report}");
    }
    assert!([2, 78].contains(&exit.code()));
}

#[piton::test]
async fn limits_that_no_service_could_work_with_are_refused() {
    let app = app()
        .set("http.timeout", "0s")
        .set("http.header_timeout", "9999999days")
        .set("http.max_connections", 0);
    let (report, _) = refusal(app).await;
    assert!(report.contains("3 settings are wrong"), "{report}");
}

#[piton::test]
async fn a_route_said_twice_is_refused_with_both_lines() {
    let (report, exit) = refusal(app().route(get("/a", ok)).route(get("/a", ok))).await;
    assert!(
        report.contains("GET /a is routed twice") && report.matches("launch.rs").count() == 2,
        "{report}"
    );
    assert!([2, 78].contains(&exit.code()));
}

#[piton::test]
async fn everything_wrong_with_the_routes_is_said_at_once() {
    let app = app()
        .route(get("a", ok))
        .route(post("/b/:id", ok))
        .route(get("/c", ok))
        .route(get("/c", ok));
    let (report, _) = refusal(app).await;
    assert!(report.contains("3 things are wrong"), "{report}");
}

mod scanned {
    use super::*;

    #[get("/greet")]
    async fn scanned_greet(State(greeting): State<Greeting>) -> &'static str {
        greeting.0
    }
}

#[piton::test]
async fn a_state_that_no_one_gave_is_refused_with_the_fix() {
    let app = App::new("it").blueprints(["launch::scanned"]).set("log.level", "critical");
    let (report, _) = refusal(app).await;
    assert!(report.contains("Greeting") && report.contains(".state(..)"), "{report}");
}

#[piton::test]
async fn an_app_with_the_name_of_no_module_is_refused_with_the_fix() {
    let (report, exit) = refusal(App::new("shop").set("log.level", "critical")).await;
    for part in ["a module `shop`", "routes of: `it`", "piton::new_app!()", ".no_scan()"] {
        assert!(report.contains(part), "`{part}` is missing in: {report}");
    }
    assert!([2, 78].contains(&exit.code()));
    let by_hand = App::new("shop").no_scan().set("log.level", "critical").route(get("/", ok));
    assert_eq!(TestApp::new(by_hand).await.get("/").await.text(), "ok");
}

#[test]
fn a_new_app_has_the_name_and_the_version_of_its_crate() {
    let description = piton::new_app!();
    let description = description.no_scan();
    let description = description.describe().unwrap();
    assert_eq!(
        (description.name(), description.version()),
        ("it", Some(env!("CARGO_PKG_VERSION")))
    );
}

#[piton::test]
async fn a_state_is_an_argument() {
    let app = TestApp::new(app().state(Greeting("servus")).route(get("/", greet))).await;
    assert_eq!(app.get("/").await.text(), "servus");
}

#[piton::test]
async fn a_mounted_router_that_overlaps_is_refused_and_not_panicked_about() {
    let router = axum::Router::new().route("/a", axum::routing::get(ok));
    let (report, _) = refusal(app().route(get("/a", ok)).mount(router)).await;
    assert!(report.contains("mounted at") && report.contains("launch.rs"), "{report}");
}
