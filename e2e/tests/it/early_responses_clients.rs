//! Real clients whose large requests are answered before they were read: refusals, successes of handlers that take
//! no body, unknown paths, bodies above the limit. Every response arrives, and so does the next one.

use test_support::http_client::Connection;
use test_support::nginx::Nginx;
use test_support::{node, programs};

use super::edges_service;

/// Number of requests of each kind and client in the short form.
const COUNT: &str = "15";

/// Number of requests of each kind and client in the long form.
const LONG_COUNT: &str = "60";

fn url(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

#[tokio::test]
async fn python_clients_get_early_responses_and_the_next_ones() {
    let service = edges_service::start().await;
    programs::python("httppeers", "early.py", &[&url(service.port), COUNT])
        .await
        .assert_all_right();
}

#[tokio::test]
async fn undici_gets_early_responses_and_the_next_ones() {
    let service = edges_service::start().await;
    node::script("undici", "early.mjs", &[&url(service.port), COUNT]).await.assert_all_right();
}

#[tokio::test]
#[ignore = "long: cargo xtask chaos --only http"]
async fn all_clients_get_early_responses_and_the_next_ones() {
    let service = edges_service::start().await;
    let address = url(service.port);
    programs::python("httppeers", "early.py", &[&address, LONG_COUNT]).await.assert_all_right();
    node::script("undici", "early.mjs", &[&address, LONG_COUNT]).await.assert_all_right();
    programs::java("java-early/Early.java", &[&address, LONG_COUNT]).await.assert_all_right();
}

/// Sends POSTs of 100 kB through a proxy, and after each a good request. Returns how many responses
/// were as expected, and the first that was not.
async fn through_proxy(port: u16, path: &str, expected: u16) -> (u32, Option<String>) {
    let body = "x".repeat(100_000);
    let (mut right, mut first_wrong) = (0, None);
    let mut connection = Connection::open(port).await.unwrap();
    for number in 0..60_u32 {
        let post = connection.request("POST", path, &body).await;
        let path = format!("/number/{number}");
        if post.is_err() {
            connection = Connection::open(port).await.unwrap();
        }
        let next = connection.request("GET", &path, "").await;
        if next.is_err() {
            connection = Connection::open(port).await.unwrap();
        }
        let is_next = |it: &test_support::http_client::HttpResponse| {
            it.status == 200 && it.body == number.to_string().into_bytes()
        };
        if post.as_ref().is_ok_and(|it| it.status == expected) && next.as_ref().is_ok_and(is_next) {
            right += 1;
        } else {
            first_wrong.get_or_insert_with(|| format!("{number}: {post:?}, then {next:?}"));
        }
    }
    (right, first_wrong)
}

async fn all_through(port: u16, opened: u16) {
    for (path, expected) in [("/closed", 401), ("/opened", 201), ("/nowhere", 404)] {
        let (right, wrong) = through_proxy(port, path, expected).await;
        println!("{path}: {right} of 60");
        assert_eq!(right, 60, "{path}: {wrong:?}");
    }
    let count = test_support::http_client::get(opened, "/opened").await.unwrap();
    assert_eq!(count.body, b"60", "each success was counted, and none twice");
}

#[tokio::test]
async fn nginx_passes_on_early_responses_and_the_next_ones() {
    let service = edges_service::start().await;
    let nginx = Nginx::start(&[service.port], true).await;
    all_through(nginx.port, service.port).await;
}

#[tokio::test]
#[ignore = "long: cargo xtask chaos --only http"]
async fn varnish_passes_on_early_responses_and_the_next_ones() {
    let service = edges_service::start().await;
    let varnish = test_support::varnish::Varnish::start(service.port).await;
    all_through(varnish.port, service.port).await;
}
