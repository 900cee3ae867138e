//! The probes, and what the admin address tells.

use piton::http::get;
use piton::metrics::prometheus_client::metrics::counter::Counter;
use piton::prelude::*;
use piton::serde_json::Value;
use piton::testing::TestApp;

async fn hello() -> &'static str {
    "hello"
}

fn app() -> App {
    App::new("admin_test")
        .blueprints(["none"])
        .version("1.2.3")
        .set("log.level", "critical")
        .route(get("/", hello))
        .route(get("/items/{id}", hello))
        .mount(piton::axum::Router::new().route("/mounted/{id}", piton::axum::routing::get(hello)))
}

/// The samples of a metric.
fn samples<'a>(metrics: &'a str, name: &str) -> Vec<&'a str> {
    metrics.lines().filter(|line| line.starts_with(name)).collect()
}

#[piton::test]
async fn requests_are_counted_by_the_path_that_matched() {
    let app = TestApp::new(app()).await;
    for id in 0..3 {
        app.get(&format!("/items/{id}")).await;
        app.get(&format!("/mounted/{id}")).await;
        app.post("/items/1").await;
    }
    let metrics = app.get("/metrics").await;
    assert_eq!(metrics.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    let text = metrics.text();
    for line in [
        r#"{http_request_method="GET",http_route="/items/{id}",http_response_status_code="200"} 3"#,
        r#"{http_request_method="GET",http_route="/mounted/{id}",http_response_status_code="200"} 3"#,
        r#"{http_request_method="POST",http_response_status_code="405"} 3"#,
    ] {
        let line = format!("http_server_request_duration_seconds_count{line}");
        assert!(text.contains(&line), "`{line}` is missing in\n{text}");
    }
    assert!(text.contains(r#"piton_build_info{service="admin_test",version="1.2.3""#), "{text}");
    assert!(
        text.contains("http_server_active_requests{http_request_method=\"GET\"} 1\n"),
        "{text}"
    );
}

#[piton::test]
async fn ten_thousand_unknown_paths_are_one_series() {
    let app = TestApp::new(app()).await;
    for number in 0..10_000 {
        app.get(&format!("/nowhere/{number}")).await;
    }
    let text = app.get("/metrics").await.text();
    let counts = samples(&text, "http_server_request_duration_seconds_count");
    assert_eq!(
        counts,
        [
            r#"http_server_request_duration_seconds_count{http_request_method="GET",http_response_status_code="404"} 10000"#
        ]
    );
}

#[piton::test]
async fn a_service_counts_what_it_likes() {
    let orders = Counter::<u64>::default();
    let app = TestApp::new(app()).await;
    app.handle().metrics().register("shop_orders", "Orders placed", orders.clone());
    orders.inc_by(7);
    let text = app.get("/metrics").await.text();
    assert!(text.contains("# HELP shop_orders_total Orders placed\n"), "{text}");
    assert!(text.contains("# TYPE shop_orders_total counter\nshop_orders_total 7\n"), "{text}");
    let open = app.get("/metrics").header("accept", "application/openmetrics-text").await;
    assert!(open.header("content-type").starts_with("application/openmetrics-text"));
    assert!(open.text().ends_with("# EOF\n"));
}

#[piton::test]
async fn info_says_what_runs_and_hides_secrets() {
    let app = TestApp::new(app()).await;
    let info: Value = app.get("/info").await.json();
    assert_eq!((&info["name"], &info["version"]), (&"admin_test".into(), &"1.2.3".into()));
    let settings = info["settings"].as_array().unwrap();
    let level = settings.iter().find(|setting| setting["key"] == "log.level").unwrap();
    assert!(level["origin"].as_str().unwrap().contains("admin.rs"), "{level}");
}

#[piton::test]
async fn health_has_a_line_a_part() {
    let app = TestApp::new(app()).await;
    let answer = app.get("/health").await;
    assert_eq!(answer.status(), 200);
    let health: Value = answer.json();
    assert_eq!(health["status"], "ready");
    assert!(health["parts"].is_array());
}

#[piton::test]
async fn details_are_for_this_machine_and_pages_of_this_address() {
    let app = TestApp::new(app()).await;
    for path in ["/metrics", "/info", "/health"] {
        for (name, value) in [("x-forwarded-for", "1.2.3.4"), ("host", "evil.example")] {
            assert_eq!(app.get(path).header(name, value).await.status(), 404, "{path} {name}");
        }
        let page =
            app.get(path).header("host", "localhost:5000").header("origin", "http://evil.example");
        assert_eq!(page.await.status(), 404, "{path}");
    }
    assert_eq!(app.get("/livez").header("host", "evil.example").await.status(), 200);
}

#[piton::test]
async fn in_production_the_public_port_has_the_probes_alone() {
    let app = TestApp::new(app().production(true)).await;
    for path in ["/metrics", "/info", "/health", "/log-level"] {
        assert_eq!(app.get(path).await.status(), 404, "{path}");
    }
    assert_eq!(app.get("/livez").await.status(), 200);
    assert_eq!(
        app.get("/readyz").await.json::<Value>(),
        piton::serde_json::json!({"status": "ready"})
    );
}

#[piton::test]
async fn a_service_may_have_a_route_of_its_own_at_one_of_the_paths() {
    let app = TestApp::new(app().route(get("/health", hello))).await;
    assert_eq!(app.get("/health").await.text(), "hello");
    assert_eq!(app.get("/info").await.status(), 200);
}

#[piton::test]
async fn the_logs_level_is_changed_for_a_while_and_taken_back() {
    let app = TestApp::new(app()).await;
    let level = |state: &Value| state["level"].as_str().unwrap().to_owned();
    let before: Value = app.get("/log-level").await.json();
    assert_eq!((level(&before).as_str(), &before["reverts_at"]), ("ERROR", &Value::Null));
    let answer = app.put("/log-level").body(r#"{"level":"DEBUG","for":"10m"}"#).await;
    assert_eq!(answer.status(), 200, "{}", answer.text());
    let changed: Value = app.get("/log-level").await.json();
    assert_eq!(level(&changed), "DEBUG");
    assert!(changed["reverts_at"].is_string(), "{changed}");
    let refused = app.put("/log-level").body(r#"{"level":"loud"}"#).await;
    assert_eq!((refused.status().as_u16(), refused.is_problem()), (422, true));
    let elsewhere = app.put("/log-level").header("via", "a proxy").body(r#"{"level":"DEBUG"}"#);
    assert_eq!(elsewhere.await.status(), 404);
    app.delete("/log-level").await;
    assert_eq!(level(&app.get("/log-level").await.json()), "ERROR");
}
