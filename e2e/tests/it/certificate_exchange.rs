//! A certificate that is exchanged under load, behind nginx and on connections of clients.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use parking_lot::Mutex;
use test_support::http_client::Connection;
use test_support::nginx::Nginx;
use test_support::{certificates, wait_for, wait_for_within};
use tokio::process::Command;

use super::edges_service;

const CLIENTS: u32 = 8;

/// Number of exchanges.
const EXCHANGES: usize = 3;

/// Maximum time for the service to notice new files.
const RELOAD_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(60);

/// Observations of the clients.
#[derive(Default)]
struct Observations {
    right: AtomicU32,
    wrong: Mutex<Vec<String>>,
    enough: AtomicBool,
}

/// Requests through nginx, one of 50 with a large body that is refused before it is read.
async fn client(port: u16, observed: Arc<Observations>) {
    let mut connection = Connection::open(port).await.unwrap();
    let large = "x".repeat(100_000);
    let mut turn = 0_u32;
    while !observed.enough.load(Ordering::Relaxed) {
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
            observed.right.fetch_add(1, Ordering::Relaxed);
        } else {
            observed.wrong.lock().push(format!("{method} {path}: {answer:?}"));
            connection = Connection::open(port).await.unwrap();
        }
    }
}

/// Connects anew all the time, trusting both the old and the new certificate's authority.
async fn handshakes(port: u16, folder: Arc<tempfile::TempDir>, observed: Arc<Observations>) {
    while !observed.enough.load(Ordering::Relaxed) {
        let is_trusted = trusts(port, &folder.path().join("all.pem")).await;
        if is_trusted {
            observed.right.fetch_add(1, Ordering::Relaxed);
        } else {
            observed.wrong.lock().push("a handshake failed".to_owned());
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
async fn an_exchange_of_the_certificate_under_load_causes_no_wrong_response() {
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let mut authority = exchange(folder.path(), 0);
    let mut settings = edges_service::tls_settings(folder.path()).to_vec();
    settings.push("http.tls.reload_interval=200ms".to_owned());
    let service = edges_service::start_with(folder.path(), &settings).await;
    let port = service.port;
    wait_for("the service to be ready", || trusts(port, &authority)).await;
    let nginx = Nginx::start_to_tls(&[port]).await;
    let observed = Arc::new(Observations::default());
    let mut clients: Vec<_> =
        (0..CLIENTS).map(|_| tokio::spawn(client(nginx.port, observed.clone()))).collect();
    clients.push(tokio::spawn(handshakes(port, folder.clone(), observed.clone())));
    for number in 1..=EXCHANGES {
        let before = observed.right.load(Ordering::Relaxed);
        authority = exchange(folder.path(), number);
        wait_for_within("the new certificate", RELOAD_TIMEOUT, || trusts(port, &authority)).await;
        wait_for("responses after the exchange", || async {
            observed.right.load(Ordering::Relaxed) > before + 100
                || !observed.wrong.lock().is_empty()
        })
        .await;
    }
    observed.enough.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.unwrap();
    }
    let wrong = std::mem::take(&mut *observed.wrong.lock());
    assert!(wrong.is_empty(), "{} went wrong, first: {:?}", wrong.len(), wrong.first());
    println!(
        "{} right answers during {EXCHANGES} exchanges, none wrong",
        observed.right.load(Ordering::Relaxed)
    );
    service.signal("TERM").await;
    assert_eq!(service.ended().await.code(), Some(0));
}
