//! Limits of single routes, in place of `http.body_limit` and `http.timeout`.

use std::time::Duration;

use piton::config::ByteSize;
use piton::http::{Blueprint, RouteLimits, get, post};
use piton::prelude::*;
use piton::testing::TestApp;

mod attributes {
    use piton::prelude::*;

    #[post("/large")]
    #[limits(body = "4MiB")]
    async fn large(body: String) -> String {
        body.len().to_string()
    }

    #[post("/small")]
    #[limits(body = "10B", timeout = "90s")]
    async fn small(body: String) -> String {
        body.len().to_string()
    }

    #[post("/plain")]
    async fn plain(body: String) -> String {
        body.len().to_string()
    }
}

fn app() -> App {
    let app = App::new("it").blueprints(["route_limits::attributes"]);
    app.set("log.level", "critical").set("http.body_limit", "1KiB")
}

fn by_hand() -> App {
    App::new("limits").no_scan().set("log.level", "critical")
}

async fn length(body: String) -> String {
    body.len().to_string()
}

async fn never() {
    std::future::pending::<()>().await;
}

#[piton::test]
async fn a_route_with_a_larger_limit_takes_a_larger_body_and_others_do_not() {
    let app = TestApp::new(app()).await;
    let body = |length: usize| "x".repeat(length);
    let status = async |path, length| app.post(path).body(body(length)).await.status().as_u16();
    assert_eq!(app.post("/large").body(body(3 << 20)).await.text(), (3 << 20).to_string());
    assert_eq!(
        [status("/large", 4 << 20).await, status("/large", (4 << 20) + 1).await],
        [200, 413]
    );
    assert_eq!([status("/small", 10).await, status("/small", 11).await], [200, 413]);
    assert_eq!([status("/plain", 1024).await, status("/plain", 1025).await], [200, 413]);
}

#[piton::test]
async fn a_route_with_a_timeout_of_its_own_ends_then_and_others_at_the_setting() {
    let quick = RouteLimits::new().timeout(Duration::from_millis(20));
    let patient = RouteLimits::new().timeout(Duration::from_secs(60));
    let slow = async || {
        tokio::time::sleep(Duration::from_millis(200)).await;
        "done"
    };
    let app = by_hand()
        .set("http.timeout", "30s")
        .route(get("/quick", never).limits(quick))
        .route(get("/patient", slow).limits(patient));
    let app = TestApp::new(app).await;
    let answer = app.get("/quick").await;
    assert_eq!((answer.status().as_u16(), answer.header("retry-after")), (503, "1"));
    assert_eq!(app.get("/patient").await.text(), "done");
    let app = by_hand()
        .set("http.timeout", "20ms")
        .route(get("/never", never))
        .route(get("/patient", slow).limits(patient));
    let app = TestApp::new(app).await;
    assert_eq!(app.get("/never").await.status(), 503);
    assert_eq!(app.get("/patient").await.text(), "done");
}

#[piton::test]
async fn limits_of_a_blueprint_apply_to_what_its_routes_leave_out() {
    let limits = RouteLimits::new().body(ByteSize::bytes(5)).timeout(Duration::from_secs(90));
    let own = RouteLimits::new().body(ByteSize::bytes(9));
    let blueprint = Blueprint::new("/files")
        .limits(limits)
        .route(post("/a", length))
        .route(post("/b", length).limits(own));
    let app = TestApp::new(by_hand().blueprint(blueprint)).await;
    let status = async |path| app.post(path).body("123456789").await.status().as_u16();
    assert_eq!([status("/files/a").await, status("/files/b").await], [413, 200]);
    let routes = app.handle().routes();
    let limits = routes.iter().map(|route| *route.operation.limits()).collect::<Vec<_>>();
    assert!(limits.iter().all(|limits| limits.max_time() == Some(Duration::from_secs(90))));
}

#[piton::test]
async fn explained_routes_have_their_limits() {
    let text = app().explain();
    let expected = ".limits(piton::http::RouteLimits::new().body(piton::config::ByteSize::bytes(10))\
                    .timeout(std::time::Duration::from_millis(90000)))";
    assert!(text.contains(expected), "{text}");
    assert_eq!(text.matches(".limits(").count(), 2, "{text}");
}

#[piton::test]
async fn a_body_in_memory_that_never_fits_is_refused_at_launch() {
    let route = post("/x", length)
        .describe(piton::describe!(length))
        .limits(RouteLimits::new().body(ByteSize::mib(500)));
    let app = by_hand().set("http.memory_budget", "100MiB").route(route);
    let Err(error) = app.into_router().await else { panic!("it is refused") };
    let report = error.report("limits");
    assert!(report.contains("http.memory_budget=625MiB"), "{report}");
    assert!(report.contains("route_limits.rs"), "{report}");
}

#[cfg(feature = "openapi")]
#[piton::test]
async fn the_document_says_the_limits_of_a_route() {
    let document = app().openapi_document().unwrap();
    let of = |path: &str, status: &str| {
        document["paths"][path]["post"]["responses"][status]["description"]
            .as_str()
            .map(str::to_owned)
    };
    assert_eq!(of("/large", "413").unwrap(), "The body is larger than 4MiB.");
    assert_eq!(of("/small", "408").unwrap(), "The body did not arrive within 1m 30s.");
    assert!(of("/small", "503").unwrap().contains("1m 30s"));
    assert_eq!(of("/plain", "413"), None, "it is a reference to the common response");
}
