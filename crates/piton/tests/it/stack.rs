//! The stack around every handler: ids, addresses, limits, headers, hooks, the other error format.

use std::sync::Arc;
use std::time::Duration;

use piton::http::{ClientIp, get, post};
use piton::prelude::*;
use piton::serde_json::{Value, json};
use piton::testing::{TestApp, TestServer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Notify, Semaphore};

async fn hello() -> &'static str {
    "hello"
}

async fn fails() -> Result<()> {
    Err(Error::internal("the cause"))
}

async fn client_ip(ClientIp(address): ClientIp) -> String {
    address.to_string()
}

async fn traced() -> String {
    piton::trace().map(|trace| trace.to_string()).unwrap_or_default()
}

fn app() -> App {
    App::new("around_test")
        .blueprints(["none"])
        .set("log.level", "critical")
        .route(get("/", hello))
        .route(post("/", hello))
        .route(get("/fails", fails))
        .route(get("/client-ip", client_ip))
        .route(get("/traced", traced))
}

/// Sends one request over a socket, and returns the response as it was received.
async fn ask(server: &TestServer, path: &str, headers: &str) -> String {
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    let request =
        format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[piton::test]
async fn a_request_id_is_taken_from_a_trusted_proxy_and_from_nobody_else() {
    const GIVEN: &str = "x-request-id: f47ac10b-58cc-4372-a567-0e02b2c3d479\r\n";
    let strange = TestServer::start(app()).await;
    assert!(!ask(&strange, "/", GIVEN).await.contains("f47ac10b"));
    let trusting = TestServer::start(app().set("http.trusted_proxies", "loopback")).await;
    assert!(ask(&trusting, "/", GIVEN).await.contains(GIVEN));
    let answer = ask(&trusting, "/fails", GIVEN).await;
    assert!(answer.contains(r#""request_id":"f47ac10b-58cc-4372-a567-0e02b2c3d479""#), "{answer}");
    let nonsense = ask(&trusting, "/", "x-request-id: a b\r\n").await;
    assert!(nonsense.contains("x-request-id: ") && !nonsense.contains("a b"), "{nonsense}");
}

#[piton::test]
async fn the_clients_address_is_what_a_trusted_proxy_says() {
    const HOPS: &str = "x-forwarded-for: 1.1.1.1, 203.0.113.7\r\n";
    let strange = TestServer::start(app()).await;
    assert!(ask(&strange, "/client-ip", HOPS).await.ends_with("127.0.0.1"));
    let trusting = TestServer::start(app().set("http.trusted_proxies", "127.0.0.1")).await;
    assert!(ask(&trusting, "/client-ip", HOPS).await.ends_with("203.0.113.7"));
    assert_eq!(TestApp::new(app()).await.get("/client-ip").await.text(), "127.0.0.1");
}

#[piton::test]
async fn a_trace_goes_on_and_begins_where_there_is_none() {
    let app = TestApp::new(app()).await;
    let given = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let answer = app.get("/traced").header("traceparent", given).await;
    assert_eq!(answer.text(), given);
    let answer = app.get("/traced").header("traceparent", "nonsense").await;
    assert!(answer.text().contains(answer.header("x-request-id")), "{}", answer.text());
}

#[piton::test]
async fn above_the_cap_requests_are_turned_away_at_once_and_probes_are_not() {
    let (inside, leave) = (Arc::new(Semaphore::new(0)), Arc::new(Notify::new()));
    let (entered, wait) = (inside.clone(), leave.clone());
    let slow = move || {
        let (entered, wait) = (entered.clone(), wait.clone());
        async move {
            // Waits from here on: a notice before its first poll would be missed otherwise.
            let left = wait.notified();
            entered.add_permits(1);
            left.await;
            "slow"
        }
    };
    let app = app().route(get("/slow", slow)).set("http.max_requests", 2);
    let server = Arc::new(TestServer::start(app).await);
    let under_way: Vec<_> = (0..2)
        .map(|_| {
            let server = server.clone();
            tokio::spawn(async move { ask(&server, "/slow", "").await })
        })
        .collect();
    let _ = inside.acquire_many(2).await.unwrap();
    let answer = ask(&server, "/", "").await;
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    assert!(answer.contains("retry-after: 1\r\n") && answer.contains("problem+json"), "{answer}");
    assert!(ask(&server, "/livez", "").await.starts_with("HTTP/1.1 200"));
    leave.notify_waiters();
    for answer in under_way {
        assert!(answer.await.unwrap().ends_with("slow"));
    }
    assert!(ask(&server, "/", "").await.starts_with("HTTP/1.1 200"));
    assert!(ask(&server, "/metrics", "").await.contains("http_server_shed_requests_total 1\n"));
}

#[piton::test]
async fn every_answer_has_the_security_headers_unless_its_handler_says_otherwise() {
    async fn framed() -> ([(&'static str, &'static str); 1], &'static str) {
        ([("x-frame-options", "SAMEORIGIN")], "framed")
    }
    let app = TestApp::new(app().route(get("/framed", framed))).await;
    for path in ["/", "/nowhere", "/fails", "/livez"] {
        let answer = app.get(path).await;
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("x-frame-options"), "DENY", "{path}");
    }
    assert_eq!(app.get("/framed").await.header("x-frame-options"), "SAMEORIGIN");
    let lines = json!(["Strict-Transport-Security: max-age=31536000, preload"]);
    let app = TestApp::new(self::app().set("http.headers", lines)).await;
    let answer = app.get("/").await;
    assert_eq!(answer.header("strict-transport-security"), "max-age=31536000, preload");
    assert_eq!(answer.header("x-frame-options"), "");
}

#[piton::test]
async fn other_origins_are_let_in_in_development_and_not_in_production() {
    let app = TestApp::new(app()).await;
    for path in ["/", "/nowhere", "/fails"] {
        let answer = app.get(path).await;
        assert_eq!(answer.header("access-control-allow-origin"), "*", "{path}");
        assert_eq!(answer.header("access-control-allow-methods"), "GET, POST, PUT", "{path}");
    }
    let preflight = app
        .request("OPTIONS".parse().unwrap(), "/")
        .header("origin", "http://localhost:3000")
        .header("access-control-request-method", "PATCH")
        .header("access-control-request-headers", "content-type");
    let answer = preflight.await;
    assert_eq!(answer.status(), 204);
    assert_eq!(answer.header("access-control-allow-methods"), "PATCH");
    let production = TestApp::new(self::app().production(true)).await;
    let answer = production.get("/").header("origin", "http://localhost:3000").await;
    assert_eq!(answer.header("access-control-allow-origin"), "");
}

#[piton::test]
async fn a_request_can_be_answered_before_and_every_answer_changed_after() {
    let app = app()
        .before_request(|mut request: piton::axum::extract::Request| async move {
            if request.uri().path() == "/closed" {
                return Err(Error::forbidden("closed today"));
            }
            request.headers_mut().insert("x-seen", "1".parse().unwrap());
            Ok(request)
        })
        .route(get("/seen", |headers: piton::axum::http::HeaderMap| async move {
            headers
                .get("x-seen")
                .map(|seen| seen.to_str().unwrap_or_default().to_owned())
                .unwrap_or_default()
        }))
        .after_request(|head, answer| {
            let path = head.uri.path().parse().unwrap();
            answer.headers_mut().insert("x-path", path);
        });
    let app = TestApp::new(app).await;
    let answer = app.get("/closed").await;
    assert_eq!((answer.status().as_u16(), answer.is_problem()), (403, true));
    assert_eq!(answer.header("x-path"), "/closed");
    let answer = app.get("/seen").await;
    assert_eq!((answer.text().as_str(), answer.header("x-path")), ("1", "/seen"));
}

#[piton::test]
async fn a_before_hook_that_takes_too_long_or_panics_is_dealt_with_as_a_handler() {
    let slow = app().set("http.timeout", "20ms").before_request(|request| async move {
        tokio::time::sleep(Duration::from_secs(60)).await;
        Ok::<_, Error>(request)
    });
    assert_eq!(TestApp::new(slow).await.get("/").await.status(), 503);
    let panics = app().before_request(|request: piton::axum::extract::Request| async move {
        assert!(request.uri().path().is_empty(), "a path is there");
        Ok::<_, Error>(request)
    });
    assert_eq!(TestApp::new(panics).await.get("/").await.status(), 500);
}

#[piton::test]
async fn failures_are_gnar_gears_envelope_when_the_setting_says_so() {
    let app = TestApp::new(app().set("http.error_style", "gnar")).await;
    for path in ["/fails", "/nowhere"] {
        let answer = app.get(path).await;
        assert_eq!(answer.status(), 200, "{path}");
        assert_eq!(answer.header("content-type"), "application/json", "{path}");
        let body: Value = answer.json();
        assert_eq!(body["error"], "Around Test API Error", "{path}");
        let traceback = body["traceback"].as_str().unwrap();
        assert!(traceback.starts_with("Around Test API Error:\n"), "{traceback}");
    }
    let traceback: Value = app.get("/fails").await.json();
    assert!(traceback["traceback"].as_str().unwrap().contains("the cause"));
    // What counts is what it was, not what it is called on the wire.
    let metrics = app.get("/metrics").await.text();
    assert!(metrics.contains(r#"_count{http_request_method="GET",http_route="/fails",http_response_status_code="500",error_type="500"} 2"#), "{metrics}");
}

#[piton::test]
async fn a_traceback_leaves_production_only_when_asked_for() {
    for style in ["gnar", "problem"] {
        let of = |app: App| async move {
            let app = app.production(true).set("http.error_style", style);
            TestApp::new(app).await.get("/fails").await.text()
        };
        assert!(!of(app()).await.contains("the cause"), "{style}");
        let asked = of(app().set("http.traceback", "always")).await;
        assert!(asked.contains("the cause"), "{style}: {asked}");
    }
}

#[piton::test]
async fn a_layer_of_tower_stands_inside() {
    let layer =
        piton::axum::middleware::map_response(|mut answer: piton::axum::response::Response| {
            answer.headers_mut().insert("x-layer", "1".parse().unwrap());
            std::future::ready(answer)
        });
    let app = TestApp::new(app().layer(layer)).await;
    assert_eq!(app.get("/").await.header("x-layer"), "1");
}
