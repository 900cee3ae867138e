//! TLS: certificates of the service and of its clients, and the redirect to it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use piton::http::{ClientCert, get};
use piton::prelude::*;
use piton::testing::TestServer;
use piton::{LaunchError, Stop};
use reqwest::tls::Version as TlsVersion;
use reqwest::{Certificate, Client, ClientBuilder, Identity, Version};
use test_support::certificates;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::serving::wait_for;

async fn ok() -> &'static str {
    "ok"
}

async fn whoami(client: ClientCert) -> String {
    let names = [client.dns_names(), client.uris()].concat().join(" ");
    format!("{} {names} {}", client.common_name().unwrap_or("-"), client.fingerprint())
}

async fn maybe(client: Option<ClientCert>) -> String {
    client.and_then(|client| client.common_name().map(str::to_owned)).unwrap_or_default()
}

fn app(folder: &Path) -> App {
    let file = |name: &str| folder.join(name).display().to_string();
    App::new("tls")
        .blueprints(["none"])
        .set("log.level", "critical")
        .set("http.tls.certificate", file("server.pem"))
        .set("http.tls.key", file("server.key"))
        .set("http.tls.reload_interval", "100ms")
        .route(get("/", ok))
        .route(get("/whoami", whoami))
        .route(get("/maybe", maybe))
}

/// A client that trusts the authority of the folder alone.
fn client(folder: &Path) -> ClientBuilder {
    let authority = std::fs::read(folder.join("authority.pem")).unwrap();
    Client::builder().tls_certs_only([Certificate::from_pem(&authority).unwrap()])
}

fn identity(folder: &Path, name: &str) -> Identity {
    let read = |end: &str| std::fs::read(folder.join(format!("{name}.{end}"))).unwrap();
    Identity::from_pem(&[read("key"), read("pem")].concat()).unwrap()
}

/// The message with which `app` refuses to start.
async fn refusal(app: App) -> (String, u8) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (trigger, stop) = Stop::new();
    trigger.stop();
    let error: LaunchError = app.serve(listener, stop).await.expect_err("the app is wrong");
    (error.report("tls"), error.exit().code())
}

#[piton::test]
async fn the_version_of_http_is_what_both_sides_speak() {
    let folder = tempfile::tempdir().unwrap();
    certificates::make(folder.path());
    let server = TestServer::start(app(folder.path())).await;
    let url = server.url("/");
    assert!(url.starts_with("https://"), "{url}");
    let of = |client: ClientBuilder| {
        let url = url.clone();
        async move {
            let answer = client.build().unwrap().get(url).send().await.unwrap();
            (answer.version(), answer.text().await.unwrap())
        }
    };
    assert_eq!(of(client(folder.path())).await, (Version::HTTP_2, "ok".into()));
    assert_eq!(of(client(folder.path()).http1_only()).await, (Version::HTTP_11, "ok".into()));
    let old = client(folder.path()).tls_version_max(TlsVersion::TLS_1_2);
    assert_eq!(of(old).await, (Version::HTTP_2, "ok".into()));
    server.stop().await;
    let server = TestServer::start(
        app(folder.path()).set("http.http2.enabled", false).set("http.tls.min_version", "1.3"),
    )
    .await;
    let answer = client(folder.path()).build().unwrap().get(server.url("/")).send().await.unwrap();
    assert_eq!(answer.version(), Version::HTTP_11);
    let old = client(folder.path()).tls_version_max(TlsVersion::TLS_1_2).build().unwrap();
    assert!(old.get(server.url("/")).send().await.is_err(), "TLS 1.2 is refused");
    server.stop().await;
}

#[piton::test]
async fn a_certificate_is_exchanged_under_load_without_a_failed_request() {
    let folder = tempfile::tempdir().unwrap();
    let next = tempfile::tempdir().unwrap();
    certificates::make(folder.path());
    certificates::make(next.path());
    let server = TestServer::start(app(folder.path())).await;
    let (ended, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let authorities = [folder.path(), next.path()]
        .map(|folder| std::fs::read(folder.join("authority.pem")).unwrap())
        .map(|pem| Certificate::from_pem(&pem).unwrap());
    // One client keeps its connections, the other begins one for each request.
    let loads: Vec<_> = [usize::MAX, 0]
        .map(|idle| {
            let client = Client::builder()
                .tls_certs_only(authorities.clone())
                .pool_max_idle_per_host(idle)
                .http1_only()
                .build()
                .unwrap();
            let (url, ended, answered) = (server.url("/"), ended.clone(), answered.clone());
            tokio::spawn(async move {
                while !ended.load(Ordering::Relaxed) {
                    let answer = client.get(&url).send().await.expect("no request fails");
                    assert_eq!(answer.text().await.unwrap(), "ok");
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .into();
    let more = |than: usize| {
        let answered = answered.clone();
        async move { wait_for(|| async { answered.load(Ordering::Relaxed) > than }).await }
    };
    more(20).await;
    // First the certificate, then the key: between the two they do not match, and the old pair stays.
    let copy = |name: &str| {
        std::fs::copy(next.path().join(name), folder.path().join(name)).unwrap();
    };
    copy("server.pem");
    more(answered.load(Ordering::Relaxed) + 50).await;
    copy("server.key");
    let trusts_next =
        || async { client(next.path()).build().unwrap().get(server.url("/")).send().await.is_ok() };
    wait_for(trusts_next).await;
    // A broken file later on keeps the certificate as well, and a signal reads nothing else.
    std::fs::write(folder.path().join("server.key"), "no key").unwrap();
    server.handle().reload();
    more(answered.load(Ordering::Relaxed) + 50).await;
    assert!(trusts_next().await);
    ended.store(true, Ordering::Relaxed);
    for load in loads {
        load.await.unwrap();
    }
    server.stop().await;
}

#[piton::test]
async fn the_signal_to_reload_exchanges_the_certificate_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let next = tempfile::tempdir().unwrap();
    certificates::make(folder.path());
    certificates::make(next.path());
    let app = app(folder.path()).set("http.tls.reload_interval", "1day");
    let server = TestServer::start(app).await;
    for name in ["server.pem", "server.key"] {
        std::fs::copy(next.path().join(name), folder.path().join(name)).unwrap();
    }
    server.handle().reload();
    wait_for(|| async {
        client(next.path()).build().unwrap().get(server.url("/")).send().await.is_ok()
    })
    .await;
    server.stop().await;
}

#[piton::test]
async fn a_metric_tells_the_end_of_the_certificate() {
    let folder = tempfile::tempdir().unwrap();
    certificates::make(folder.path());
    let server = TestServer::start(app(folder.path())).await;
    let end = || {
        let text = server.handle().metrics().text();
        let name = "http_tls_certificate_not_after_timestamp_seconds ";
        let value = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("0");
        value.parse::<i64>().unwrap()
    };
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs().cast_signed();
    wait_for(|| async { end() > now }).await;
    server.stop().await;
}

#[piton::test]
async fn the_certificate_of_a_client_is_an_argument() {
    let folder = tempfile::tempdir().unwrap();
    let other = tempfile::tempdir().unwrap();
    certificates::make(folder.path());
    certificates::make(other.path());
    let names = "DNS:worker.test,URI:spiffe://a.test/worker";
    certificates::issue(folder.path(), "client", "worker", names);
    certificates::issue(other.path(), "client", "worker", names);
    let authority = folder.path().join("authority.pem").display().to_string();
    let app = app(folder.path()).set("http.tls.client_ca", authority);
    let server = TestServer::start(app.set("http.tls.client_auth", "optional")).await;
    let stranger = client(folder.path()).build().unwrap();
    let answer = stranger.get(server.url("/whoami")).send().await.unwrap();
    assert_eq!(answer.status(), 403);
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    let answer = stranger.get(server.url("/maybe")).send().await.unwrap();
    assert_eq!(answer.text().await.unwrap(), "");
    let known = client(folder.path()).identity(identity(folder.path(), "client")).build().unwrap();
    let answer = known.get(server.url("/whoami")).send().await.unwrap().text().await.unwrap();
    let line = "x509 -in client.pem -noout -fingerprint -sha256";
    let output = std::process::Command::new("openssl")
        .args(line.split(' '))
        .current_dir(folder.path())
        .output()
        .unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    let fingerprint = printed.trim().rsplit('=').next().unwrap().replace(':', "").to_lowercase();
    assert_eq!(answer, format!("worker worker.test spiffe://a.test/worker {fingerprint}"));
    let forged = client(folder.path()).identity(identity(other.path(), "client")).build().unwrap();
    assert!(forged.get(server.url("/maybe")).send().await.is_err(), "another authority's");
    server.stop().await;
}

#[piton::test]
async fn a_client_without_a_certificate_is_refused_where_one_is_required() {
    let folder = tempfile::tempdir().unwrap();
    certificates::make(folder.path());
    certificates::issue(folder.path(), "client", "worker", "DNS:worker.test");
    let authority = folder.path().join("authority.pem").display().to_string();
    let app = app(folder.path())
        .set("http.tls.client_ca", authority)
        .set("http.tls.client_auth", "required");
    let server = TestServer::start(app).await;
    let stranger = client(folder.path()).build().unwrap();
    assert!(stranger.get(server.url("/")).send().await.is_err());
    let known = client(folder.path()).identity(identity(folder.path(), "client")).build().unwrap();
    assert_eq!(
        known.get(server.url("/maybe")).send().await.unwrap().text().await.unwrap(),
        "worker"
    );
    server.stop().await;
}

#[piton::test]
async fn a_silent_handshake_ends_within_the_header_timeout_and_the_service_stops_through_it() {
    let folder = tempfile::tempdir().unwrap();
    certificates::make(folder.path());
    let server = TestServer::start(app(folder.path()).set("http.header_timeout", "300ms")).await;
    let begun = Instant::now();
    let mut silent = TcpStream::connect(server.address()).await.unwrap();
    assert_eq!(silent.read(&mut [0; 16]).await.unwrap(), 0);
    let waited = begun.elapsed();
    assert!(waited >= Duration::from_millis(300) && waited < Duration::from_secs(5), "{waited:?}");
    server.stop().await;
    let server = TestServer::start(app(folder.path())).await;
    let _silent = TcpStream::connect(server.address()).await.unwrap();
    let answer = client(folder.path()).build().unwrap().get(server.url("/")).send().await;
    assert!(answer.is_ok(), "the silent one holds up nobody");
    let begun = Instant::now();
    server.stop().await;
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[piton::test]
async fn plain_http_on_the_port_of_tls_gets_400_in_plain_text() {
    let folder = tempfile::tempdir().unwrap();
    certificates::make(folder.path());
    let server = TestServer::start(app(folder.path())).await;
    let upload = format!("POST / HTTP/1.1\r\ncontent-length: 50000\r\n\r\n{}", "x".repeat(50_000));
    for request in
        ["GET / HTTP/1.1\r\nhost: test\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &upload]
    {
        let mut stream = TcpStream::connect(server.address()).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{answer}");
        for part in ["\r\nconnection: close\r\n", "\r\ndate: ", "this port speaks HTTPS"] {
            assert!(answer.contains(part), "{part}: {answer}");
        }
    }
    let mut garbage = TcpStream::connect(server.address()).await.unwrap();
    garbage.write_all(b"\0\0\0\0\0\0\0\0").await.unwrap();
    let mut answer = Vec::new();
    let _ = garbage.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP/"), "{answer:?}");
    let answer = client(folder.path()).build().unwrap().get(server.url("/")).send().await;
    assert!(answer.is_ok(), "TLS is served");
    server.stop().await;
}

#[piton::test]
async fn plain_http_on_the_second_port_is_sent_to_https() {
    let folder = tempfile::tempdir().unwrap();
    certificates::make(folder.path());
    let app = app(folder.path()).set("http.redirect_port", 0);
    let server = TestServer::start(app).await;
    let port = server.redirect_port();
    let plain = Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let answer = plain.post(format!("http://localhost:{port}/x?y=1")).body("z").send().await;
    let answer = answer.unwrap();
    assert_eq!(answer.status(), 308);
    let location = format!("https://localhost:{}/x?y=1", server.address().port());
    assert_eq!(answer.headers()["location"], location);
    let answer = plain.get(format!("http://localhost:{port}/livez")).send().await.unwrap();
    assert_eq!(answer.status(), 308, "nothing else is served there");
    server.stop().await;
    assert!(TcpStream::connect(("127.0.0.1", port)).await.is_err(), "it closes with the service");
}

#[piton::test]
async fn files_and_settings_that_do_not_work_are_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    certificates::make(folder.path());
    let wrong = app(folder.path())
        .set("http.tls.key", folder.path().join("authority.key").display().to_string())
        .set("http.tls.client_auth", "required")
        .set("http.proxy_protocol", true)
        .set("http.tls.min_version", "1.1");
    let (report, code) = refusal(wrong).await;
    assert!(report.contains("3 settings are wrong"), "{report}");
    for part in
        ["http.tls.client_auth", "http.tls.min_version", "`1.2` or `1.3`", "http.proxy_protocol"]
    {
        assert!(report.contains(part), "`{part}` is missing in: {report}");
    }
    assert!([2, 78].contains(&code));
    let key = folder.path().join("authority.key").display().to_string();
    let (report, _) = refusal(app(folder.path()).set("http.tls.key", key)).await;
    assert!(report.contains("the key is not that of the certificate"), "{report}");
    let plain = App::new("tls").blueprints(["none"]).set("log.level", "critical");
    let (report, _) = refusal(plain.route(get("/", ok)).set("http.redirect_port", 8080)).await;
    assert!(report.contains("there is no `https://` to redirect to"), "{report}");
}
