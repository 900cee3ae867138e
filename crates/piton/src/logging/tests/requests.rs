//! The lines of requests.

use super::*;

#[test]
fn a_slow_request_has_a_line_though_only_failures_are_logged() {
    async fn slow() -> &'static str {
        tokio::time::sleep(Duration::from_millis(5)).await;
        "done"
    }
    async fn fast() -> &'static str {
        "done"
    }
    let app = |slow_from: &str| {
        App::new("slow")
            .blueprints(["none"])
            .set("log.requests", "failures")
            .set("log.slow", slow_from)
            .route(get("/slow", slow))
            .route(get("/fast", fast))
    };
    let ask = async |app: &TestApp| {
        app.get("/slow").await;
        app.get("/fast").await;
    };
    let lines = lines_of(LogLevel::Info, app("5ms"), ask);
    let slow = said(&lines, "GET /slow 200");
    assert_eq!(slow.len(), 1, "{lines:?}");
    assert_eq!((&slow[0]["slow"], &slow[0]["level"]), (&json!(true), &json!("WARNING")));
    let lines = lines_of(LogLevel::Info, app("0s"), ask);
    assert!(said(&lines, "GET /slow 200").is_empty(), "{lines:?}");
}

#[cfg(feature = "tls")]
#[test]
fn the_launch_names_the_port_that_redirects() {
    let folder = tempfile::tempdir().expect("a folder");
    test_support::certificates::make(folder.path());
    let port = test_support::free_port();
    let file = |name: &str| folder.path().join(name).display().to_string();
    let app = App::new("redirects")
        .blueprints(["none"])
        .set("http.tls.certificate", file("server.pem"))
        .set("http.tls.key", file("server.key"))
        .set("http.redirect_port", port)
        .route(get("/", async || "ok"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a test may make a runtime");
    let lines = lines(LogLevel::Info, LineStyle::Human, |_| {
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
            let (trigger, stop) = crate::Stop::new();
            trigger.stop();
            app.serve(listener, stop).await.expect("the app is right");
        });
    });
    let said = format!("Requests to http://127.0.0.1:{port} are redirected to https");
    assert!(lines.iter().any(|line| line.contains(&said)), "{lines:?}");
}

#[test]
fn the_time_of_a_client_that_sends_slowly_is_not_the_services() {
    async fn take(body: String) -> String {
        body
    }
    async fn take_slowly(body: String) -> String {
        tokio::time::sleep(Duration::from_millis(400)).await;
        body
    }
    let app = App::new("slow")
        .blueprints(["none"])
        .set("log.requests", "failures")
        .set("log.slow", "300ms")
        .set("http.timeout", "2s")
        .route(post("/take", take))
        .route(post("/take-slowly", take_slowly));
    let slow_body = |pause| {
        Body::from_stream(futures_util::stream::once(async move {
            tokio::time::sleep(pause).await;
            Ok::<_, std::convert::Infallible>("late")
        }))
    };
    let lines = lines_of(LogLevel::Info, app, async |app: &TestApp| {
        let (late, never) = (Duration::from_millis(400), Duration::from_secs(3600));
        assert_eq!(app.post("/take").body(slow_body(late)).await.status(), 200);
        assert_eq!(app.post("/take").body(slow_body(never)).await.status(), 408);
        assert_eq!(app.post("/take-slowly").body(slow_body(late)).await.status(), 200);
    });
    let requests = lines.iter().filter_map(|line| line["message"].as_str());
    let requests: Vec<&str> = requests.filter(|message| message.starts_with("POST ")).collect();
    assert_eq!(requests, ["POST /take-slowly 200"], "{lines:?}");
}

#[test]
fn probes_are_logged_only_if_they_fail_or_at_debug() {
    async fn broken() -> StatusCode {
        StatusCode::SERVICE_UNAVAILABLE
    }
    let app = || {
        App::new("probes")
            .blueprints(["none"])
            .set("log.requests", "all")
            .route(get("/metrics", broken))
            .route(get("/other", async || "other"))
    };
    let ask = async |app: &TestApp| {
        for path in ["/livez", "/readyz", "/metrics", "/other"] {
            app.get(path).await;
        }
    };
    let paths = |level| {
        let lines = lines_of(level, app(), ask);
        let messages = lines.iter().filter_map(|line| line["message"].as_str());
        messages.filter(|message| message.starts_with("GET ")).collect::<Vec<_>>().join(", ")
    };
    assert_eq!(paths(LogLevel::Info), "GET /metrics 503, GET /other 200");
    assert_eq!(
        paths(LogLevel::Debug),
        "GET /livez 200, GET /readyz 200, GET /metrics 503, GET /other 200"
    );
}
