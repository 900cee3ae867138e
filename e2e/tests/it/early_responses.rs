//! Responses that a service gives before it has read the request's body, behind nginx and direct: they arrive,
//! and the requests after them as well.

use test_support::http_client::Connection;
use test_support::nginx::Nginx;
use test_support::service::Service;
use test_support::{cnpj, free_port};

use super::company;

const KEY: &str = "a-key-of-these-tests-alone";
const REQUESTS: u32 = 60;

async fn start() -> (Service, u16) {
    let port = free_port();
    let key = format!("api_key.key={KEY}");
    (Service::start("registry", port, &["--production", "--set", &key]).await, port)
}

/// Returns a JSON body of `bytes` bytes.
fn body(bytes: usize) -> String {
    format!("\"{}\"", "x".repeat(bytes - 2))
}

#[tokio::test]
async fn refusals_of_large_bodies_arrive_behind_nginx_and_disturb_no_other_request() {
    let (_service, port) = start().await;
    for keepalive in [true, false] {
        let nginx = Nginx::start(&[port], keepalive).await;
        let mut statuses = Vec::new();
        for _ in 0..REQUESTS {
            // nginx closes a client's connection after some of these, as it may.
            let mut refused = Connection::open(nginx.port).await.unwrap();
            let wrong = [("x-api-key", "wrong")];
            let answer =
                refused.request_with("POST", "/api/companies", &wrong, &body(100_000)).await;
            let mut good = Connection::open(nginx.port).await.unwrap();
            let right = [("x-api-key", KEY)];
            let read = good.request_with("GET", "/api/companies?per_page=1", &right, "").await;
            statuses.push((answer.unwrap().status, read.unwrap().status));
        }
        assert_eq!(statuses, vec![(401, 200); REQUESTS as usize], "keepalive: {keepalive}");
    }
}

#[tokio::test]
async fn successes_of_handlers_without_a_body_arrive_behind_nginx() {
    let (_service, port) = start().await;
    let nginx = Nginx::start(&[port], true).await;
    let key = [("x-api-key", KEY)];
    let mut statuses = Vec::new();
    for number in 1..=REQUESTS {
        let mut connection = Connection::open(nginx.port).await.unwrap();
        let created =
            connection.request_with("POST", "/api/companies", &key, &company(number)).await;
        assert_eq!(created.unwrap().status, 201);
        let path = format!("/api/companies/{}/card", cnpj(number));
        let mut connection = Connection::open(nginx.port).await.unwrap();
        let card = connection.request_with("POST", &path, &key, &body(100_000)).await;
        statuses.push(card.unwrap().status);
    }
    assert_eq!(statuses, vec![201; REQUESTS as usize]);
}

#[tokio::test]
async fn a_refused_body_leaves_a_direct_connection_to_the_next_request() {
    let (_service, port) = start().await;
    let mut connection = Connection::open(port).await.unwrap();
    for _ in 0..REQUESTS {
        let wrong = [("x-api-key", "wrong")];
        let answer =
            connection.request_with("POST", "/api/companies", &wrong, &body(100_000)).await;
        let answer = answer.unwrap();
        assert_eq!((answer.status, answer.closes), (401, false));
    }
    for _ in 0..REQUESTS {
        let mut connection = Connection::open(port).await.unwrap();
        let key = [("x-api-key", KEY)];
        let answer = connection.request_with("POST", "/api/companies", &key, &body(3 << 20)).await;
        let answer = answer.unwrap();
        assert_eq!((answer.status, answer.closes), (413, true));
    }
}
