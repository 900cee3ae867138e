//! off-piste: found by its variable, asked in the caller's name, away and back again.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use test_support::postgres::database;
use test_support::{free_port, wait_for};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::{Deployment, get, get_as, off_piste, token};

const ADA: &str = "ada@example.org";

fn with_peer(address: &str) -> Deployment {
    Deployment::new(&database()).production().with("OFF_PISTE_SERVICE_PORT", address)
}

#[tokio::test]
async fn each_form_of_the_variable_leads_to_the_neighbour() {
    let port = free_port();
    let _neighbour = off_piste(port, &[], None).await;
    let token = token(ADA);
    let address = format!("127.0.0.1:{port}");
    let nowhere = "127.0.0.1:1";
    for piste in [
        with_peer(&address),
        with_peer(&format!("tcp://{address}")),
        with_peer(&port.to_string()).with("OFF_PISTE_SERVICE_HOST", "127.0.0.1"),
        // In production the variable of development is not looked at, and the reverse.
        with_peer(&address).with("GNAR_OFF_PISTE_SERVICE_PORT", nowhere),
        Deployment::new(&database()).with("GNAR_OFF_PISTE_SERVICE_PORT", &address),
        Deployment::new(&database())
            .with("GNAR_OFF_PISTE_SERVICE_PORT", &address)
            .with("OFF_PISTE_SERVICE_PORT", nowhere),
    ] {
        let _service = piste.start().await;
        let answer = get_as(piste.port, "/peer/me", &token).await;
        let expected = json!({ "email": ADA, "service": "off-piste" });
        assert_eq!(answer.json(), expected, "{:?}", piste.variables.last());
    }
}

#[tokio::test]
async fn a_neighbour_that_is_killed_is_named_at_once_and_found_when_it_is_back() {
    let port = free_port();
    let neighbour = off_piste(port, &[], None).await;
    let piste = with_peer(&format!("tcp://127.0.0.1:{port}")).set("client.breaker_pause=3s");
    let _service = piste.start().await;
    let token = token(ADA);
    assert_eq!(get_as(piste.port, "/peer/me", &token).await.status, 200);

    neighbour.signal("KILL").await;
    neighbour.ended().await;
    let mut answer = get_as(piste.port, "/peer/me", &token).await;
    while answer.header("retry-after").is_empty() {
        assert_eq!(answer.status, 503);
        assert_eq!(answer.header("content-type"), "application/problem+json");
        assert_eq!(answer.json()["detail"], "the peer `off-piste` cannot be reached");
        answer = get_as(piste.port, "/peer/me", &token).await;
    }
    assert_eq!(answer.json()["detail"], "the peer `off-piste` cannot be reached");
    let mut took = Vec::new();
    for _ in 0..11 {
        let begin = Instant::now();
        let answer = get_as(piste.port, "/peer/me", &token).await;
        took.push(begin.elapsed());
        assert_eq!((answer.status, answer.header("retry-after").is_empty()), (503, false));
    }
    took.sort_unstable();
    assert!(took[5] < Duration::from_millis(50), "{took:?}");

    let _again = off_piste(port, &[], None).await;
    wait_for("the neighbour to be asked again", || async {
        get_as(piste.port, "/peer/me", &token).await.status == 200
    })
    .await;
}

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN: &str = "00f067aa0ba902b7";
const ID: &str = "the-id-of-this-request";

/// The name that a request has is taken from those who are trusted alone.
const TRUST: &str = "http.trusted_proxies=127.0.0.0/8";

#[tokio::test]
async fn the_request_is_followed_to_the_neighbour() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let piste = with_peer(&listener.local_addr().unwrap().to_string()).set(TRUST);
    let _service = piste.start().await;
    let heard = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let (mut head, mut piece) = (String::new(), [0; 4096]);
        while !head.contains("\r\n\r\n") {
            let count = socket.read(&mut piece).await.unwrap();
            head.push_str(std::str::from_utf8(&piece[..count]).unwrap());
        }
        let answer =
            "HTTP/1.1 418 x\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}";
        socket.write_all(answer.as_bytes()).await.unwrap();
        head
    });
    let (old, trace) = (token(ADA), format!("00-{TRACE}-{SPAN}-01"));
    let authorization = format!("Bearer {old}");
    let headers =
        [("authorization", &*authorization), ("x-request-id", ID), ("traceparent", &trace)];
    let answer = get(piste.port, "/peer/me", &headers).await;
    assert_eq!((answer.status, answer.header("x-request-id")), (418, ID));

    let head = heard.await.unwrap();
    let field = |name: &str| {
        let mut lines = head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map_or("", |(_, value)| value)
    };
    assert!(head.starts_with("GET /user/me HTTP/1.1\r\n"), "{head}");
    assert_eq!(field("x-request-id"), ID);
    let parts: Vec<&str> = field("traceparent").split('-').collect();
    assert_eq!((parts[0], parts[1], parts[3]), ("00", TRACE, "01"));
    assert_ne!(parts[2], SPAN, "a span of its own");
    assert!(field("user-agent").starts_with("piste/"), "{head}");
    let new = field("authorization").strip_prefix("Bearer ").unwrap();
    assert!(!new.is_empty() && new != old, "a token made for this call");
}

#[tokio::test]
async fn the_neighbours_log_can_be_searched_for_the_request() {
    let folder = tempfile::tempdir().unwrap();
    let token = token(ADA);
    for (trust, field) in [(&[][..], "trace_id"), (&["--set", TRUST], "request_id")] {
        let (port, log) = (free_port(), folder.path().join(field));
        let _neighbour = off_piste(port, trust, Some(&log)).await;
        let piste = with_peer(&format!("127.0.0.1:{port}"));
        let _service = piste.start().await;
        let answer = get_as(piste.port, "/peer/me", &token).await;
        assert_eq!(answer.status, 200);
        let id = answer.header("x-request-id");
        wait_for("a line in the log", || async {
            let text = std::fs::read_to_string(&log).unwrap();
            let found: Vec<Value> =
                text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
            found.iter().any(|line| line["message"] == "GET /user/me 200" && line[field] == id)
        })
        .await;
    }
}
