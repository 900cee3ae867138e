//! A certificate that is exchanged under load, behind nginx and on connections of clients: nobody notices.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use parking_lot::Mutex;
use test_support::http_client::Connection;
use test_support::nginx::Nginx;
use test_support::service::Service;
use test_support::{certificates, free_port, wait_for, wait_for_within};
use tokio::process::Command;

const CLIENTS: u32 = 8;

/// Number of exchanges.
const EXCHANGES: usize = 3;

/// Maximum time for the service to notice new files.
const RELOAD_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(60);

#[derive(Default)]
struct Seen {
    right: AtomicU32,
    wrong: Mutex<Vec<String>>,
    enough: AtomicBool,
}

/// Requests through nginx, one of 50 with a large body that is refused before it is read.
async fn client(port: u16, seen: Arc<Seen>) {
    let mut connection = Connection::open(port).await.unwrap();
    let large = "x".repeat(100_000);
    let mut turn = 0_u32;
    while !seen.enough.load(Ordering::Relaxed) {
        turn += 1;
        let number = turn.to_string();
        let (method, path, body, expected) = match turn % 50 {
            0 => ("POST", "/closed", large.as_str(), (401, None)),
            even if even % 2 == 0 => ("POST", "/echo", number.as_str(), (200, Some(&number))),
            _ => ("GET", &*format!("/number/{turn}"), "", (200, Some(&number))),
        };
        let answer = connection.request(method, path, body).await;
        let is_right = answer.as_ref().is_ok_and(|answer| {
            answer.status == expected.0
                && expected.1.is_none_or(|text| answer.body == text.as_bytes())
        });
        if is_right {
            seen.right.fetch_add(1, Ordering::Relaxed);
        } else {
            seen.wrong.lock().push(format!("{method} {path}: {answer:?}"));
            connection = Connection::open(port).await.unwrap();
        }
    }
}

/// Connects anew all the time, trusting both the old and the new certificate's authority.
async fn handshakes(port: u16, folder: Arc<tempfile::TempDir>, seen: Arc<Seen>) {
    while !seen.enough.load(Ordering::Relaxed) {
        let is_trusted = trusts(port, &folder.path().join("all.pem")).await;
        if is_trusted {
            seen.right.fetch_add(1, Ordering::Relaxed);
        } else {
            seen.wrong.lock().push("a handshake failed".to_owned());
        }
    }
}

/// Returns whether a client that trusts only this authority gets a response.
async fn trusts(port: u16, authority: &Path) -> bool {
    let url = format!("https://localhost:{port}/livez");
    let curl = Command::new("curl")
        .args(["--silent", "--show-error", "--fail", "--max-time", "20", "--output", "/dev/null"])
        .arg("--cacert")
        .arg(authority)
        .arg(url)
        .stderr(std::process::Stdio::null())
        .status();
    curl.await.expect("curl is installed").success()
}

/// Makes a new certificate with an authority of its own, and puts both files in place as `certbot` and
/// Kubernetes do, each by one rename. Returns the authority's file.
fn exchange(folder: &Path, number: usize) -> std::path::PathBuf {
    let fresh = folder.join(number.to_string());
    std::fs::create_dir(&fresh).unwrap();
    certificates::make(&fresh);
    let authority = fresh.join("authority.pem");
    let mut all = std::fs::read(folder.join("all.pem")).unwrap_or_default();
    all.extend(std::fs::read(&authority).unwrap());
    std::fs::write(folder.join("all.new"), all).unwrap();
    std::fs::rename(folder.join("all.new"), folder.join("all.pem")).unwrap();
    for file in ["server.key", "server.pem"] {
        std::fs::rename(fresh.join(file), folder.join(file)).unwrap();
    }
    authority
}

#[tokio::test]
async fn nobody_notices_that_a_certificate_is_exchanged_under_load() {
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let mut authority = exchange(folder.path(), 0);
    let setting =
        |name: &str, file: &str| format!("http.tls.{name}={}", folder.path().join(file).display());
    let (certificate, key) = (setting("certificate", "server.pem"), setting("key", "server.key"));
    let port = free_port();
    let port_text = port.to_string();
    let arguments = [
        "--host",
        "127.0.0.1",
        "--port",
        &port_text,
        "--set",
        &certificate,
        "--set",
        &key,
        "--set",
        "http.tls.reload_interval=200ms",
    ];
    let log = folder.path().join("log");
    let service = Service::spawn("examples/edges", port, &arguments, &[], Some(&log));
    wait_for("the service to be ready", || trusts(port, &authority)).await;
    let nginx = Nginx::start_to_tls(&[port]).await;
    let seen = Arc::new(Seen::default());
    let mut clients: Vec<_> =
        (0..CLIENTS).map(|_| tokio::spawn(client(nginx.port, seen.clone()))).collect();
    clients.push(tokio::spawn(handshakes(port, folder.clone(), seen.clone())));
    for number in 1..=EXCHANGES {
        let before = seen.right.load(Ordering::Relaxed);
        authority = exchange(folder.path(), number);
        wait_for_within("the new certificate", RELOAD_TIMEOUT, || trusts(port, &authority)).await;
        wait_for("responses after the exchange", || async {
            seen.right.load(Ordering::Relaxed) > before + 100 || !seen.wrong.lock().is_empty()
        })
        .await;
    }
    seen.enough.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.unwrap();
    }
    let wrong = std::mem::take(&mut *seen.wrong.lock());
    assert!(wrong.is_empty(), "{} went wrong, first: {:?}", wrong.len(), wrong.first());
    println!(
        "{} right answers during {EXCHANGES} exchanges, none wrong",
        seen.right.load(Ordering::Relaxed)
    );
    service.signal("TERM").await;
    assert_eq!(service.ended().await.code(), Some(0));
}
