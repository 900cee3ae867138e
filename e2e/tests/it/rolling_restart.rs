//! Two replicas behind nginx, each restarted in turn under load, without a wrong response. Among the requests are large ones
//! with a wrong key, which are refused before their bodies are read.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use test_support::free_port;
use test_support::http_client::{self, Connection, HttpResponse};
use test_support::nginx::Nginx;
use test_support::service::Service;

use super::company;

const CLIENTS: u32 = 16;
const ROUNDS: u32 = 3;
/// Production is open to nobody without one.
const KEY: &str = "a-key-of-these-tests-alone";

/// One request of this many is refused before its body is read.
const REFUSED_EVERY: u32 = 50;

/// Size of a body that is refused, in bytes: more than the service reads before it responds.
const REFUSED_BODY_BYTES: usize = 100_000;

/// Observations of the clients.
#[derive(Debug, Default)]
struct Observations {
    answered: AtomicU32,
    registered: AtomicU32,
    refused: AtomicU32,
    wrong: std::sync::Mutex<Vec<String>>,
    enough: AtomicBool,
}

impl Observations {
    fn note(&self, what: &str, expected: u16, answer: &std::io::Result<HttpResponse>) {
        match answer {
            Ok(answer) if answer.status == expected => {
                self.answered.fetch_add(1, Ordering::Relaxed);
            }
            other => self.wrong.lock().unwrap().push(format!("{what}: {other:?}")),
        }
    }
}

/// Lists and registers companies in turn, until told that it is enough.
async fn client(port: u16, number: u32, writes: bool, observed: Arc<Observations>) {
    let mut connection = Connection::open(port).await.unwrap();
    let mut turn = 0_u32;
    let large = "x".repeat(REFUSED_BODY_BYTES);
    while !observed.enough.load(Ordering::Relaxed) {
        let company = company(number * 1_000_000 + turn + 1);
        let (method, path, key, body, expected) = if writes && turn % REFUSED_EVERY == 1 {
            ("POST", "/api/companies", "a-wrong-key", large.as_str(), 401)
        } else if writes && turn.is_multiple_of(4) {
            ("POST", "/api/companies", KEY, company.as_str(), 201)
        } else {
            ("GET", "/api/companies?per_page=5", KEY, "", 200)
        };
        let answer = connection.request_with(method, path, &[("x-api-key", key)], body).await;
        observed.note(method, expected, &answer);
        match answer {
            Ok(answer) if answer.status == 201 => {
                observed.registered.fetch_add(1, Ordering::Relaxed);
            }
            Ok(answer) if answer.status == 401 => {
                observed.refused.fetch_add(1, Ordering::Relaxed);
            }
            Ok(_) => {}
            Err(_) => connection = Connection::open(port).await.unwrap(),
        }
        turn += 1;
    }
}

async fn rolling_restart(keepalive: bool, writes: bool, drain_wait: &str) {
    let folder = tempfile::tempdir().unwrap();
    let path = format!("db.path={}", folder.path().join("shared.db").display());
    let wait = format!("http.drain_wait={drain_wait}");
    let key = format!("api_key.key={KEY}");
    let arguments = ["--production", "--set", &path, "--set", &wait, "--set", &key];
    let ports = [free_port(), free_port()];
    let mut replicas = Vec::new();
    for port in ports {
        replicas.push(Service::start("registry", port, &arguments).await);
    }
    let nginx = Nginx::start(&ports, keepalive).await;

    let observed = Arc::new(Observations::default());
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| tokio::spawn(client(nginx.port, number, writes, observed.clone())))
        .collect();
    for _ in 0..ROUNDS {
        for port in ports {
            let before = observed.answered.load(Ordering::Relaxed);
            let replica = replicas.remove(0);
            replica.signal("TERM").await;
            assert_eq!(replica.ended().await.code(), Some(0));
            replicas.push(Service::start("registry", port, &arguments).await);
            test_support::wait_for("answers after the restart", || async {
                observed.answered.load(Ordering::Relaxed) > before + 100
                    || !observed.wrong.lock().unwrap().is_empty()
            })
            .await;
        }
    }
    observed.enough.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.unwrap();
    }

    let wrong = std::mem::take(&mut *observed.wrong.lock().unwrap());
    assert!(wrong.is_empty(), "{} went wrong, first: {:?}", wrong.len(), wrong.first());
    let page =
        http_client::get_as(nginx.port, "/api/companies?per_page=1", &format!("Bearer {KEY}"))
            .await
            .unwrap();
    let page: serde_json::Value = serde_json::from_slice(&page.body).unwrap();
    assert_eq!(page["total"], observed.registered.load(Ordering::Relaxed));
    assert!(!writes || observed.refused.load(Ordering::Relaxed) > 0);
    println!(
        "{} answers, {} of them refusals, during {} restarts (keepalive: {keepalive}, drain_wait: {drain_wait}), none wrong",
        observed.answered.load(Ordering::Relaxed),
        observed.refused.load(Ordering::Relaxed),
        ROUNDS * 2,
    );
}

#[tokio::test]
async fn a_restart_behind_an_nginx_that_keeps_connections_causes_no_wrong_response() {
    rolling_restart(true, true, "500ms").await;
}

#[tokio::test]
async fn a_restart_behind_an_nginx_that_keeps_none_causes_no_wrong_response() {
    rolling_restart(false, true, "500ms").await;
}

/// Checks that reads succeed even without `http.drain_wait`: nginx finds closed connections, and
/// retries on the other replica what may be retried.
#[tokio::test]
async fn a_restart_without_a_wait_causes_no_wrong_response_to_readers() {
    rolling_restart(true, false, "0s").await;
}
