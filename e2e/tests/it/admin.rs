//! The admin address of a built service, and Prometheus' own tool reading its figures.

use std::process::Stdio;

use test_support::http_client::{self, get};
use test_support::service::{Service, run};
use test_support::{free_port, wait_for};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use super::company;

/// Returns the findings of `promtool check metrics`. Empty without any.
async fn promtool(text: &[u8]) -> String {
    let mut child = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool starts: apt-get install prometheus");
    let mut input = child.stdin.take().unwrap();
    input.write_all(text).await.unwrap();
    drop(input);
    let output = child.wait_with_output().await.unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    if output.status.success() { said } else { format!("{}: {said}", output.status) }
}

#[tokio::test]
async fn prometheus_finds_no_fault_with_the_figures() {
    let folder = tempfile::tempdir().unwrap();
    let data = format!("data_dir={}", folder.path().display());
    let service = Service::start("registry", free_port(), &["--set", &data]).await;
    let mut connection = http_client::Connection::open(service.port).await.unwrap();
    for number in 1..=3 {
        connection.request("POST", "/api/companies", &company(number)).await.unwrap();
        connection.request("GET", &format!("/nowhere/{number}%22%5C"), "").await.unwrap();
    }
    let metrics = get(service.port, "/metrics").await.unwrap();
    assert_eq!(metrics.status, 200);
    assert_eq!(promtool(&metrics.body).await, "");
    let text = String::from_utf8_lossy(&metrics.body).into_owned();
    assert!(
        text.contains(r#"_count{http_request_method="POST",http_route="/api/companies",http_response_status_code="201"} 3"#),
        "{text}"
    );
}

#[tokio::test]
async fn in_production_details_are_on_the_admin_address_alone() {
    let folder = tempfile::tempdir().unwrap();
    let data = format!("data_dir={}", folder.path().display());
    let admin_port = free_port();
    let admin = format!("admin.address=127.0.0.1:{admin_port}");
    let own = ["--set", "http.drain_wait=0s", "--set", "api_key.key=a-key-of-these-tests-alone"];
    let arguments = [&["--production", "--set", &data, "--set", &admin][..], &own].concat();
    let service = Service::start("registry", free_port(), &arguments).await;
    wait_for("the admin address", || async { get(admin_port, "/livez").await.is_ok() }).await;
    for path in ["/health", "/metrics", "/info"] {
        assert_eq!(get(service.port, path).await.unwrap().status, 404, "{path}");
        assert_eq!(get(admin_port, path).await.unwrap().status, 200, "{path}");
    }
    assert_eq!(promtool(&get(admin_port, "/metrics").await.unwrap().body).await, "");
    assert_eq!(get(admin_port, "/api/companies").await.unwrap().status, 404);
    service.signal("TERM").await;
    assert_eq!(service.ended().await.code(), Some(0));
    assert!(get(admin_port, "/livez").await.is_err());
}

#[tokio::test]
async fn an_admin_address_that_is_taken_is_exit_1_with_the_fix() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let admin = format!("admin.address={}", taken.local_addr().unwrap());
    let port = free_port().to_string();
    let output = run("registry", &["--port", &port, "--set", &admin], &[]).await;
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(message.contains("admin.address"), "{message}");
}
