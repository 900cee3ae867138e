//! HTTP/2 with other programs: a hostile client made with hyperframe, and clients that people use.

use serde_json::Value;
use test_support::certificates;
use test_support::node::{self, ProcessOutput};
use test_support::programs;
use test_support::service::Service;
use tokio::process::Command;

use super::edges_service;

/// A service with TLS, and the folder of its certificates.
async fn start_with_tls() -> (tempfile::TempDir, Service) {
    let folder = tempfile::tempdir().unwrap();
    certificates::make(folder.path());
    let mut settings = edges_service::tls_settings(folder.path()).to_vec();
    settings.push("log.level=error".to_owned());
    let service = edges_service::start_with(folder.path(), &settings).await;
    (folder, service)
}

/// Fails unless the service did in every case what RFC 9113 allows, and lived.
fn all_allowed(ran: &ProcessOutput) {
    assert!(ran.succeeded, "{}", ran.output);
    let wrong =
        |line: &&str| line.contains("\"right\": false") || line.contains("\"alive\": false");
    let wrong: Vec<_> = ran.output.lines().filter(wrong).collect();
    let sum: Value = serde_json::from_str(&ran.last_line).unwrap();
    println!("{sum}");
    assert!(sum["cases"].as_u64() > Some(80), "{sum}");
    assert_eq!(
        (&sum["right"], &sum["alive"]),
        (&sum["cases"], &sum["cases"]),
        "{}",
        wrong.join("\n")
    );
}

#[tokio::test]
async fn every_violation_of_rfc_9113_is_answered_as_its_section_says() {
    let service = edges_service::start().await;
    let port = service.port.to_string();
    all_allowed(&programs::python("httppeers", "hostile_http2.py", &["127.0.0.1", &port]).await);
}

#[tokio::test]
async fn every_violation_of_rfc_9113_is_answered_over_tls_too() {
    let (folder, service) = start_with_tls().await;
    let (port, authority) = (service.port.to_string(), folder.path().join("authority.pem"));
    let arguments = ["127.0.0.1", &port, authority.to_str().unwrap()];
    all_allowed(&programs::python("httppeers", "hostile_http2.py", &arguments).await);
}

/// Runs curl, and returns its output: the version of HTTP and the status of each transfer.
async fn curl(arguments: &[&str]) -> String {
    let format = [
        "--silent",
        "--show-error",
        "--output",
        "/dev/null",
        "--write-out",
        "%{http_version} %{http_code}\n",
    ];
    let output = Command::new("curl").args(format).args(arguments).output().await.unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[tokio::test]
async fn curl_speaks_http_2_by_prior_knowledge_and_by_alpn() {
    let body = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(body.path(), vec![b'x'; 100_000]).unwrap();
    let data = format!("@{}", body.path().display());
    let service = edges_service::start().await;
    let url = |path: &str| format!("http://127.0.0.1:{}{path}", service.port);
    assert_eq!(curl(&["--http2-prior-knowledge", &url("/")]).await, "2 200\n");
    for (path, status) in [("/closed", 401), ("/opened", 201), ("/nowhere", 404)].repeat(10) {
        let said = curl(&["--http2-prior-knowledge", "--data-binary", &data, &url(path)]).await;
        assert_eq!(said, format!("2 {status}\n"), "{path}");
    }
    let (folder, service) = start_with_tls().await;
    let authority = folder.path().join("authority.pem");
    let authority = ["--cacert", authority.to_str().unwrap()];
    let url = format!("https://localhost:{}/number/1", service.port);
    assert_eq!(curl(&[&authority[..], &["--http2", &url]].concat()).await, "2 200\n");
    assert_eq!(curl(&[&authority[..], &["--http1.1", &url]].concat()).await, "1.1 200\n");
    for old in ["--tls-max", "1.1"].chunks(2) {
        let said = curl(&[&authority[..], old, &[&url]].concat()).await;
        assert!(said.starts_with("0 000\n"), "{said}");
    }
}

#[tokio::test]
async fn httpx_gets_early_responses_and_many_at_once_over_http_2() {
    let (folder, service) = start_with_tls().await;
    let (url, authority) =
        (format!("https://localhost:{}", service.port), folder.path().join("authority.pem"));
    let arguments = [&*url, authority.to_str().unwrap()];
    programs::python("httppeers", "http2.py", &arguments).await.assert_all_right();
}

#[tokio::test]
async fn node_and_undici_get_early_responses_and_many_at_once_over_http_2() {
    let (folder, service) = start_with_tls().await;
    let (url, authority) =
        (format!("https://localhost:{}", service.port), folder.path().join("authority.pem"));
    let arguments = [&*url, authority.to_str().unwrap()];
    node::script("undici", "http2.mjs", &arguments).await.assert_all_right();
}
