//! Load: all evidence of an operation at once.

use std::time::Duration;

use piton::serde_json::Value;
use piton::testing::{TestApp, TestServer};
use piton::tokio;

use super::ashirt::{Ashirt, Media};
use super::{evidence, recorded, worker_of};

async fn look_at(app: &TestApp, uuid: &str) -> Value {
    let answer = app.post("/ashirt/process").json(&evidence("codeblock", uuid)).await;
    recorded::of_evidence(answer.status().as_u16(), answer.bytes())
}

const CODEBLOCK: &[u8] = br#"{"contentSubtype":"python","content":"print(1)\n"}"#;

#[piton::test]
async fn a_few_are_looked_at_together_and_all_are_answered() {
    let (ashirt, server) = Ashirt::start().await;
    ashirt.has("held", Media::Held(CODEBLOCK.into()));
    let app = TestApp::new(worker_of(&server).set("worker.at_once", 3)).await;
    let all = futures_util::future::join_all((0..40).map(|_| look_at(&app, "held")));
    let release = async {
        test_support::wait_for("three to be looked at", || async { ashirt.at_once() == 3 }).await;
        let metrics = app.get("/metrics").await.text();
        assert!(metrics.contains("ashirt_worker_evidence_waiting 37"), "{metrics}");
        assert!(metrics.contains("ashirt_worker_evidence_under_way 3"), "{metrics}");
        ashirt.release(40);
    };
    let (all, ()) = tokio::join!(all, release);
    assert!(all.iter().all(|recorded| recorded["status"] == "Completed"));
    assert_eq!((ashirt.asked(), ashirt.most_at_once()), (40, 3));
    let metrics = app.get("/metrics").await.text();
    let counted = r#"ashirt_worker_evidence_duration_seconds_count{content_type="codeblock",action="processed"} 40"#;
    assert!(metrics.contains(counted), "{metrics}");
}

#[piton::test]
async fn who_waits_when_the_worker_has_to_stop_is_told_so() {
    let (ashirt, server) = Ashirt::start().await;
    ashirt.has("held", Media::Held(CODEBLOCK.into()));
    let worker = worker_of(&server).set("worker.at_once", 1).set("http.drain_timeout", "1s");
    let worker = TestServer::start(worker).await;
    let message = evidence("codeblock", "held");
    let request =
        test_support::http_client::request("POST", "/ashirt/process", &message.to_string());
    let port = worker.address().port();
    let ask = || async {
        let mut connection = test_support::http_client::Connection::open(port).await.unwrap();
        connection.send(request.as_bytes()).await.unwrap();
        let answer = connection.read_response().await.unwrap();
        recorded::of_evidence(answer.status, &answer.body)
    };
    let stop = async {
        test_support::wait_for("one to be looked at", || async { ashirt.at_once() == 1 }).await;
        tokio::time::timeout(Duration::from_secs(10), worker.stop()).await.unwrap();
    };
    let (one, other, ()) = tokio::join!(ask(), ask(), stop);
    for recorded in [one, other] {
        assert_eq!(recorded["status"], "Error", "{recorded}");
        assert!(
            recorded["lastRunMessage"].as_str().unwrap().contains("run it again"),
            "{recorded}"
        );
    }
}

#[piton::test]
async fn large_messages_that_do_not_end_keep_no_common_one_waiting() {
    let (ashirt, server) = Ashirt::start().await;
    ashirt.has("code", Media::Whole(CODEBLOCK.into()));
    let worker = TestServer::start(worker_of(&server)).await;
    let port = worker.address().port();
    let mut endless = Vec::new();
    for _ in 0..100 {
        let mut connection = test_support::http_client::Connection::open(port).await.unwrap();
        let head = "POST /ashirt/process HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\n{";
        connection.send(head.as_bytes()).await.unwrap();
        endless.push(connection);
    }
    let message = evidence("codeblock", "code");
    let request =
        test_support::http_client::request("POST", "/ashirt/process", &message.to_string());
    let mut connection = test_support::http_client::Connection::open(port).await.unwrap();
    connection.send(request.as_bytes()).await.unwrap();
    let answer = connection.read_response().await.unwrap();
    assert_eq!(recorded::of_evidence(answer.status, &answer.body)["status"], "Completed");
}

#[piton::test]
async fn evidence_that_nobody_waits_for_any_more_is_counted_and_its_place_is_free() {
    let (ashirt, server) = Ashirt::start().await;
    ashirt.has("held", Media::Held(CODEBLOCK.into()));
    ashirt.has("code", Media::Whole(CODEBLOCK.into()));
    let app = TestApp::new(worker_of(&server).set("worker.at_once", 1)).await;
    let gone = tokio::time::timeout(Duration::from_millis(300), look_at(&app, "held")).await;
    assert!(gone.is_err());
    assert_eq!(look_at(&app, "code").await["status"], "Completed");
    let metrics = app.get("/metrics").await.text();
    let counted = r#"_duration_seconds_count{content_type="codeblock",action="abandoned"} 1"#;
    assert!(metrics.contains(counted), "{metrics}");
}

const MIB: u64 = 1024 * 1024;

/// Sends a message as ASHIRT does: on a connection of its own, without a timeout.
async fn post(port: u16, number: usize) -> Value {
    let types = [
        ("http-request-cycle", "har"),
        ("terminal-recording", "terminal"),
        ("codeblock", "codeblock"),
        ("image", "image"),
    ];
    // Unoptimized, text takes its time: then seven in ten are pictures.
    let among = if cfg!(debug_assertions) { 10 } else { types.len() };
    let (content_type, name) = types[(number % among).min(types.len() - 1)];
    let message = evidence(content_type, &format!("ev-large-{name}"));
    let mut connection = test_support::http_client::Connection::open(port).await.unwrap();
    let request =
        test_support::http_client::request("POST", "/ashirt/process", &message.to_string());
    connection.send(request.as_bytes()).await.unwrap();
    let answer = connection.read_response_within(Duration::from_secs(300)).await.unwrap();
    recorded::of_evidence(answer.status, &answer.body)
}

#[tokio::test]
async fn a_thousand_messages_at_once_with_a_megabyte_of_media_each_are_all_completed_in_little_memory()
 {
    let stub = test_support::ashirt_backend::StubBackend::start_with_large(1_000_000);
    let port = test_support::free_port();
    let (url, port_text) = (stub.url(), port.to_string());
    let variables = [
        ("ASHIRT_BACKEND_URL", &*url),
        ("ASHIRT_ACCESS_KEY", test_support::ashirt_backend::ACCESS_KEY),
        ("ASHIRT_SECRET_KEY", test_support::ashirt_backend::SECRET_KEY),
        ("PORT", &*port_text),
        ("PITON_LOG_LEVEL", "warning"),
    ];
    let worker =
        test_support::service::Service::spawn("ashirt-worker", port, &[], &variables, None);
    worker.ready().await;
    let begun = std::time::Instant::now();
    let idle = worker.peak_memory();
    let answers = futures_util::future::join_all((0..1000).map(|number| post(port, number))).await;
    let took = begun.elapsed();
    for recorded in answers {
        assert_eq!(recorded["status"], "Completed", "{recorded}");
        assert!(recorded["body"].as_str().unwrap().len() > 100, "{recorded}");
    }
    let asked = stub.record(1001).await;
    assert!(asked.iter().all(|request| request["auth"] == "ok"));
    let peak = worker.peak_memory();
    println!(
        "1,000 messages at once, 1 MB of media each: all completed in {:.1} s; peak memory {:.1} MiB ({:.1} MiB before)",
        took.as_secs_f64(),
        peak as f64 / MIB as f64,
        idle as f64 / MIB as f64
    );
    assert!(peak < 200_000_000, "{peak} bytes");
}
