//! Tests releases of one service on one database, restarted in any order while a schema changes: an
//! older release runs next to a newer one whose migration is marked, and can be brought back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use test_support::http_client::{Connection, get};
use test_support::postgres::database;
use test_support::service::{self, Service};
use test_support::{free_port, wait_for};

const PROGRAM: &str = "examples/releases";

/// The results of all writers.
#[derive(Default)]
struct Tally {
    added: AtomicU32,
    /// Requests without a response, because their replica was stopped.
    unknown: AtomicU32,
    wrong: std::sync::Mutex<Vec<String>>,
    enough: AtomicBool,
}

/// Adds notes to the replica at `port`, one after the other, until it is stopped.
async fn write(port: u16, first: u32, tally: Arc<Tally>) {
    let mut number = first;
    while !tally.enough.load(Ordering::Relaxed) {
        let Ok(mut connection) = Connection::open(port).await else {
            tokio::time::sleep(Duration::from_millis(5)).await;
            continue;
        };
        loop {
            number += 1;
            match connection.request("POST", &format!("/notes/{number}"), "").await {
                Ok(answer) if answer.status == 201 => {
                    tally.added.fetch_add(1, Ordering::Relaxed);
                }
                // The replica is starting, or the write did not get its turn in time.
                Ok(answer) if answer.status == 503 => {
                    tally.unknown.fetch_add(1, Ordering::Relaxed);
                }
                Ok(answer) => tally.wrong.lock().unwrap().push(format!("{answer:?}")),
                Err(_) => {
                    tally.unknown.fetch_add(1, Ordering::Relaxed);
                    break;
                }
            }
            if tally.enough.load(Ordering::Relaxed) {
                return;
            }
        }
    }
}

async fn replica(release: &str, port: u16, url: &str) -> Service {
    let port_text = port.to_string();
    let arguments = ["--port", &port_text, "--set", url, "--set", "http.drain_wait=0s"];
    let service = Service::spawn(PROGRAM, port, &arguments, &[("RELEASE", release)], None);
    service.ready().await;
    service
}

async fn newer(port: u16) -> Value {
    let health = get(port, "/health").await.unwrap().json();
    let parts = health["parts"].as_array().unwrap();
    let db = parts.iter().find(|part| part["name"] == "db").unwrap();
    db["details"]["newer_migrations"].clone()
}

async fn releases_in_any_order(url: &str) {
    let url = format!("db.url={url}");
    let ports = [free_port(), free_port()];
    let mut replicas = [replica("1", ports[0], &url).await, replica("1", ports[1], &url).await];
    let tally = Arc::new(Tally::default());
    let writers: Vec<_> = [0, 1]
        .map(|index| {
            tokio::spawn(write(ports[index], 1_000_000 * (index as u32 + 1), tally.clone()))
        })
        .into();

    // Simulates a deploy during which the other old replica restarts, a rollback, and the deploy
    // again.
    for (index, release) in [(0, "2"), (1, "1"), (0, "1"), (1, "2"), (0, "2"), (1, "1"), (1, "2")] {
        let before = tally.added.load(Ordering::Relaxed);
        replicas[index].signal("TERM").await;
        wait_for("the old replica to end", || async { get(ports[index], "/livez").await.is_err() })
            .await;
        replicas[index] = replica(release, ports[index], &url).await;
        let expected = if release == "1" { json!(["0002 (author)"]) } else { Value::Null };
        assert_eq!(newer(ports[index]).await, expected);
        wait_for("notes of both replicas", || async {
            tally.added.load(Ordering::Relaxed) > before + 50
                || !tally.wrong.lock().unwrap().is_empty()
        })
        .await;
    }
    tally.enough.store(true, Ordering::Relaxed);
    for writer in writers {
        writer.await.unwrap();
    }
    assert_eq!(*tally.wrong.lock().unwrap(), Vec::<String>::new());
    let count = get(ports[0], "/notes").await.unwrap();
    let count: u32 = String::from_utf8(count.body).unwrap().trim_matches('"').parse().unwrap();
    let (added, unknown) =
        (tally.added.load(Ordering::Relaxed), tally.unknown.load(Ordering::Relaxed));
    assert!(
        count >= added && count <= added + unknown,
        "{count} notes, {added} added, {unknown} unknown"
    );

    // The third release's migration is not marked, so earlier releases do not start on its schema.
    drop(replicas);
    let third = replica("3", ports[0], &url).await;
    for release in ["2", "1"] {
        let output =
            service::run(PROGRAM, &["--port", "0", "--set", &url], &[("RELEASE", release)]).await;
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(text.contains("has run 0003 (renamed), which is not in this program"), "{text}");
        assert!(text.contains("backward-compatible") && text.contains("db.accept_newer"), "{text}");
    }
    drop(third);
    let any = ["--port", &ports[1].to_string(), "--set", &url, "--set", "db.accept_newer=any"];
    Service::spawn(PROGRAM, ports[1], &any, &[("RELEASE", "2")], None).ready().await;
    println!("{added} notes added, {unknown} unknown, {count} there");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn releases_restart_in_any_order_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    releases_in_any_order(&format!("sqlite:{}", folder.path().join("notes.db").display())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn releases_restart_in_any_order_on_postgresql() {
    releases_in_any_order(&database()).await;
}
