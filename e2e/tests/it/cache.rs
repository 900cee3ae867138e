//! Two processes of the registry, one database, one Redis.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use serde_json::Value;
use test_support::http_client::{self, Connection};
use test_support::postgres;
use test_support::redis::Redis;
use test_support::service::Service;
use test_support::{cnpj, free_port, wait_for};

use super::company;

/// Two that share a database and a Redis, as FLASK-APP's variables name them.
async fn two(redis: &Redis) -> [Service; 2] {
    let (database, redis_port) = (postgres::database(), redis.port().to_string());
    let mut both = Vec::new();
    for port in [free_port(), free_port()] {
        let port_text = port.to_string();
        let variables = [
            ("DATABASE_URL", database.as_str()),
            ("REDIS_HOST", "127.0.0.1"),
            ("REDIS_PORT", redis_port.as_str()),
            ("REDIS_DB", "0"),
            ("MS_PORT", port_text.as_str()),
        ];
        let service = Service::spawn("registry", port, &[], &variables, None);
        service.ready().await;
        both.push(service);
    }
    both.try_into().unwrap()
}

/// A figure of the service's own.
async fn figure(port: u16, line: &str) -> u64 {
    let text = http_client::get(port, "/metrics").await.unwrap().body;
    let text = String::from_utf8_lossy(&text).into_owned();
    let found = text.lines().find_map(|it| it.strip_prefix(line)?.trim().parse().ok());
    found.unwrap_or(0)
}

async fn state(connection: &mut Connection, path: &str) -> (u16, String) {
    let answer = connection.request("GET", path, "").await.unwrap();
    let state = answer.json()["state"].as_str().unwrap_or_default().to_owned();
    (answer.status, state)
}

#[tokio::test]
async fn what_one_process_writes_the_other_serves_at_once() {
    let redis = Redis::start();
    let [one, other] = two(&redis).await;
    let mut writer = Connection::open(one.port).await.unwrap();
    let mut reader = Connection::open(other.port).await.unwrap();
    writer.request("POST", "/api/companies", &company(1)).await.unwrap();
    let path = format!("/api/companies/{}", cnpj(1));
    for turn in 0..200 {
        let wanted = ["RJ", "SP"][turn % 2];
        let patch = format!(r#"{{"state":"{wanted}"}}"#);
        assert_eq!(writer.request("PATCH", &path, &patch).await.unwrap().status, 200);
        // The first read computes, the second is the other process's own answer from Redis.
        for _ in 0..2 {
            assert_eq!(state(&mut reader, &path).await, (200, wanted.to_owned()), "turn {turn}");
        }
        assert_eq!(state(&mut writer, &path).await, (200, wanted.to_owned()), "turn {turn}");
    }
    let hits = figure(other.port, "cache_lookups_total{result=\"hit\"}").await;
    assert!(hits >= 200, "{hits} hits: what was computed is not shared");
}

#[tokio::test]
async fn a_client_that_has_the_answer_already_is_told_so_in_few_bytes() {
    let redis = Redis::start();
    let [one, other] = two(&redis).await;
    let mut connection = Connection::open(one.port).await.unwrap();
    connection.request("POST", "/api/companies", &company(1)).await.unwrap();
    let path = format!("/api/companies/{}", cnpj(1));
    let first = connection.request("GET", &path, "").await.unwrap();
    let tag = first.header("etag").to_owned();
    assert!(!tag.is_empty(), "{:?}", first.headers);
    let mut elsewhere = Connection::open(other.port).await.unwrap();
    let known = [("if-none-match", tag.as_str())];
    let again = elsewhere.request_with("GET", &path, &known, "").await.unwrap();
    assert_eq!((again.status, again.body.len()), (304, 0));
    let head = elsewhere.request_with("HEAD", &path, &known, "").await.unwrap();
    assert_eq!((head.status, head.header("content-length")), (304, ""));
    connection.request("PATCH", &path, r#"{"state":"RJ"}"#).await.unwrap();
    let changed = elsewhere.request_with("GET", &path, &known, "").await.unwrap();
    assert_eq!((changed.status, &changed.json()["state"]), (200, &Value::from("RJ")));
}

/// Observations of the clients.
#[derive(Default)]
struct Seen {
    answers: AtomicU64,
    wrong: std::sync::Mutex<Vec<String>>,
    enough: AtomicBool,
}

impl Seen {
    fn complain(&self, what: String) {
        self.wrong.lock().unwrap().push(what);
    }
}

/// Changes a company of its own through one process, and looks at it through both: never may
/// anything be shown from before the change.
async fn client(ports: [u16; 2], number: u32, seen: Arc<Seen>) {
    let mut connections = Vec::new();
    for port in ports {
        connections.push(Connection::open(port).await.unwrap());
    }
    let path = format!("/api/companies/{}", cnpj(number));
    connections[0].request("POST", "/api/companies", &company(number)).await.unwrap();
    let mut revision = 1_u64;
    while !seen.enough.load(Ordering::Relaxed) {
        let wanted = ["SP", "RJ"][usize::from(revision % 2 == 1)];
        let patch = format!(r#"{{"state":"{wanted}"}}"#);
        let answer = connections[0].request("PATCH", &path, &patch).await.unwrap();
        if answer.status != 200 {
            seen.complain(format!("PATCH: {}", answer.status));
            continue;
        }
        revision = answer.json()["revision"].as_u64().unwrap();
        for connection in &mut connections {
            for path in [path.as_str(), "/api/companies?per_page=3"] {
                let answer = connection.request("GET", path, "").await.unwrap();
                seen.answers.fetch_add(1, Ordering::Relaxed);
                let found = answer.json()["revision"].as_u64();
                if answer.status != 200 || found.is_some_and(|it| it < revision) {
                    let status = answer.status;
                    seen.complain(format!("{path}: {status}, {found:?} after {revision}"));
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_killed_and_started_again_under_load_fails_no_request_and_brings_nothing_back() {
    let mut redis = Redis::start();
    let both = two(&redis).await;
    let ports = [both[0].port, both[1].port];
    let seen = Arc::new(Seen::default());
    let clients: Vec<_> =
        (1..=6).map(|number| tokio::spawn(client(ports, number, seen.clone()))).collect();
    let more = async || {
        let before = seen.answers.load(Ordering::Relaxed);
        wait_for("more answers", || async { seen.answers.load(Ordering::Relaxed) > before + 400 })
            .await;
    };
    more().await;
    for round in 0..3 {
        // What is saved here is old by the time it is read again.
        redis.save();
        more().await;
        redis.kill();
        more().await;
        if round == 1 {
            // One outage is longer than the others: both services notice it and serve on without Redis.
            for port in ports {
                wait_for("the outage to be noticed", || async {
                    figure(port, "cache_redis_up").await == 0
                })
                .await;
            }
            for _ in 0..5 {
                more().await;
            }
        }
        redis.start_again();
        for port in ports {
            wait_for("Redis to be asked again", || async {
                figure(port, "cache_redis_up").await == 1
            })
            .await;
        }
        more().await;
    }
    seen.enough.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.unwrap();
    }
    let wrong = std::mem::take(&mut *seen.wrong.lock().unwrap());
    assert!(wrong.is_empty(), "{} wrong, first: {:?}", wrong.len(), &wrong[..wrong.len().min(5)]);
    println!("{} answers, none wrong", seen.answers.load(Ordering::Relaxed));
}

#[tokio::test]
async fn a_redis_that_is_not_there_keeps_nobody_waiting() {
    let mut redis = Redis::start();
    redis.kill();
    let [one, _] = two(&redis).await;
    let mut connection = Connection::open(one.port).await.unwrap();
    assert_eq!(
        connection.request("POST", "/api/companies", &company(1)).await.unwrap().status,
        201
    );
    let begin = std::time::Instant::now();
    for _ in 0..100 {
        let answer = connection.request("GET", "/api/companies", "").await.unwrap();
        assert_eq!((answer.status, &answer.json()["total"]), (200, &Value::from(1)));
    }
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
    let health = http_client::get(one.port, "/health").await.unwrap().json();
    let parts = health["parts"].as_array().unwrap();
    let cache = parts.iter().find(|part| part["name"] == "cache").unwrap();
    assert_eq!(cache["status"], "degraded", "{health}");
    assert_eq!(http_client::get(one.port, "/readyz").await.unwrap().status, 200);
}
