//! Evidence that is deferred: the response says so, and metadata follows.

use std::path::Path;
use std::time::Duration;

use piton::prelude::*;
use piton::serde_json::{Value, json};
use piton::tasks::State as TaskState;
use piton::testing::{TestApp, TestServer};
use piton::tokio;
use test_support::ashirt_backend::{ACCESS_KEY, SECRET_KEY};
use test_support::http_client::{Connection, request};
use test_support::service::Service;
use test_support::wait_for;

use super::ashirt::{Ashirt, Media};
use super::{evidence, recorded, worker_of};

const PROCESS: &str = "/ashirt/process";

const CODEBLOCK: &[u8] = br#"{"contentSubtype":"python","content":"print(1)\n"}"#;

/// The default of `worker.report_delay`.
const REPORT_DELAY: Duration = Duration::from_secs(5);

/// Longer than the pause between two attempts.
const LONG_PAUSE: Duration = Duration::from_secs(20 * 60);

fn deferring(ashirt: &TestServer, defer: &'static str) -> App {
    worker_of(ashirt).set("worker.defer", defer).set("worker.source", "describer")
}

/// Sends evidence. Returns what ASHIRT records of the response.
async fn sent(app: &TestApp, content_type: &str, uuid: &str) -> Value {
    let answer = app.post(PROCESS).json(&evidence(content_type, uuid)).await;
    recorded::of_evidence(answer.status().as_u16(), answer.bytes())
}

fn queued() -> Value {
    recorded::of_evidence(200, br#"{"action":"deferred"}"#)
}

/// Runs the attempts that are due after `pause`. Returns the states of their tasks.
async fn run_after(app: &TestApp, pause: Duration) -> Vec<TaskState> {
    app.advance_task_clock(pause);
    app.run_tasks().await.into_iter().map(|task| task.state).collect()
}

#[piton::test]
async fn deferred_evidence_is_reported_as_metadata_once_the_response_is_recorded() {
    let (ashirt, server) = Ashirt::start().await;
    ashirt.has("code", Media::Whole(CODEBLOCK.into()));
    ashirt.has("html", Media::Whole(b"<html>it works</html>".into()));
    let direct = TestApp::new(worker_of(&server)).await;
    let expected = [sent(&direct, "codeblock", "code").await, sent(&direct, "image", "html").await];
    let app = TestApp::new(deferring(&server, "always")).await;
    assert_eq!(sent(&app, "codeblock", "code").await, queued());
    assert_eq!(sent(&app, "image", "html").await, queued());
    assert!(app.run_tasks().await.is_empty(), "ASHIRT would overwrite it with the response");
    assert_eq!(ashirt.metadata_requests(), 0);

    run_after(&app, REPORT_DELAY).await;
    let stored = ashirt.metadata();
    assert_eq!([&*stored[0].uuid, &*stored[1].uuid], ["code", "html"]);
    for (stored, expected) in stored.iter().zip(&expected) {
        assert_eq!(stored.metadata["source"], "describer");
        assert_eq!(recorded::of_metadata(&stored.metadata), *expected);
    }
    let metrics = app.get("/metrics").await.text();
    for action in ["deferred", "processed"] {
        let counted = format!(
            r#"ashirt_worker_evidence_duration_seconds_count{{content_type="codeblock",action="{action}"}} 1"#
        );
        assert!(metrics.contains(&counted), "{metrics}");
    }
}

#[piton::test]
async fn evidence_that_is_rejected_at_once_is_not_deferred() {
    let (_, server) = Ashirt::start().await;
    let app = TestApp::new(deferring(&server, "always")).await;
    for content_type in ["event", "none", "pcap"] {
        assert_eq!(sent(&app, content_type, "x").await["status"], "Completed", "{content_type}");
    }
    assert!(run_after(&app, REPORT_DELAY).await.is_empty());
}

#[piton::test]
async fn a_failure_is_tried_again_and_then_reported_as_an_error_with_its_reason() {
    let (ashirt, server) = Ashirt::start().await;
    ashirt.has("failing", Media::Failing(500));
    let app = TestApp::new(deferring(&server, "always")).await;
    assert_eq!(sent(&app, "codeblock", "failing").await, queued());
    for _ in 1..5 {
        assert_eq!(run_after(&app, LONG_PAUSE).await, [TaskState::Retrying]);
        assert_eq!(ashirt.metadata_requests(), 0);
    }
    run_after(&app, LONG_PAUSE).await;
    let [stored] = &*ashirt.metadata() else { panic!("{:?}", ashirt.metadata()) };
    let recorded = recorded::of_metadata(&stored.metadata);
    assert_eq!(recorded["status"], "Error");
    assert_eq!((&recorded["canProcess"], &recorded["body"]), (&Value::Null, &json!("")));
    let why = recorded["lastRunMessage"].as_str().unwrap();
    assert!(why.contains("500") && why.contains("(task "), "{why}");
    assert!(!why.contains(ACCESS_KEY) && !why.contains(SECRET_KEY), "{why}");
    assert!(run_after(&app, LONG_PAUSE).await.is_empty());
}

#[piton::test]
async fn an_ashirt_that_is_down_for_long_gets_the_description_when_it_is_back() {
    let (ashirt, server) = Ashirt::start().await;
    ashirt.has("code", Media::Whole(CODEBLOCK.into()));
    let app = TestApp::new(deferring(&server, "always")).await;
    assert_eq!(sent(&app, "codeblock", "code").await, queued());
    ashirt.set_down(Some(503));
    for _ in 0..12 {
        assert_eq!(run_after(&app, LONG_PAUSE).await, [TaskState::Retrying]);
    }
    assert!(ashirt.metadata_requests() > 0 && ashirt.metadata().is_empty());
    ashirt.set_down(None);
    run_after(&app, LONG_PAUSE).await;
    let [stored] = &*ashirt.metadata() else { panic!("{:?}", ashirt.metadata()) };
    assert_eq!(stored.metadata["status"], "Completed");
    assert!(stored.metadata["body"].as_str().unwrap().contains("Python"));
}

#[piton::test]
async fn metadata_of_evidence_that_is_gone_is_given_up_but_wrong_keys_are_not() {
    let (ashirt, server) = Ashirt::start().await;
    ashirt.has("code", Media::Whole(CODEBLOCK.into()));
    ashirt.refuse_metadata(401);
    ashirt.forget_keys();
    let app = TestApp::new(deferring(&server, "always")).await;
    assert_eq!(sent(&app, "codeblock", "code").await, queued());
    assert_eq!(run_after(&app, LONG_PAUSE).await, [TaskState::Retrying]);
    ashirt.know_keys();
    assert_eq!(run_after(&app, LONG_PAUSE).await, [TaskState::Failed]);
    assert!(run_after(&app, LONG_PAUSE).await.is_empty());
}

#[piton::test]
async fn evidence_that_takes_longer_than_the_setting_is_deferred_and_other_is_not() {
    let (ashirt, server) = Ashirt::start().await;
    ashirt.has("slow", Media::Held(CODEBLOCK.into()));
    ashirt.has("quick", Media::Whole(CODEBLOCK.into()));
    let app = TestApp::new(deferring(&server, "2s")).await;
    assert_eq!(sent(&app, "codeblock", "quick").await["status"], "Completed");
    assert_eq!(sent(&app, "codeblock", "slow").await, queued());
    ashirt.has("slow", Media::Whole(CODEBLOCK.into()));
    run_after(&app, REPORT_DELAY).await;
    let uuids: Vec<_> = ashirt.metadata().into_iter().map(|stored| stored.uuid).collect();
    assert_eq!(uuids, ["slow"]);
}

#[piton::test]
async fn tasks_and_requests_share_the_places_of_the_queue() {
    let (ashirt, server) = Ashirt::start().await;
    ashirt.has("held", Media::Held(CODEBLOCK.into()));
    let worker = deferring(&server, "always").set("worker.report_delay", "0s");
    let app = TestApp::new(worker.set("worker.at_once", 2).set("tasks.worker", "on")).await;
    for _ in 0..8 {
        assert_eq!(sent(&app, "codeblock", "held").await, queued());
    }
    wait_for("two places to be taken and six tasks to wait", || async {
        let metrics = app.get("/metrics").await.text();
        metrics.contains("ashirt_worker_evidence_waiting 6")
            && metrics.contains("ashirt_worker_evidence_under_way 2")
    })
    .await;
    ashirt.release(8);
    wait_for("eight reports", || async { ashirt.metadata().len() == 8 }).await;
    assert_eq!(ashirt.most_at_once(), 2);
}

#[piton::test]
async fn evidence_that_waits_when_the_worker_has_to_stop_is_deferred() {
    let (ashirt, server) = Ashirt::start().await;
    ashirt.has("held", Media::Held(CODEBLOCK.into()));
    let worker = deferring(&server, "10m").set("worker.at_once", 1);
    let worker = TestServer::start(worker.set("http.drain_timeout", "1s")).await;
    let port = worker.address().port();
    let stop = async {
        wait_for("one to be processed", || async { ashirt.at_once() == 1 }).await;
        tokio::time::timeout(Duration::from_secs(10), worker.stop()).await.unwrap();
    };
    let (one, other, ()) = tokio::join!(post(port, "held"), post(port, "held"), stop);
    assert_eq!([one, other], [queued(), queued()]);
}

#[piton::test]
async fn without_the_setting_there_is_no_database_and_no_task() {
    let (ashirt, server) = Ashirt::start().await;
    ashirt.has("code", Media::Whole(CODEBLOCK.into()));
    let app = TestApp::new(worker_of(&server)).await;
    assert_eq!(sent(&app, "codeblock", "code").await["status"], "Completed");
    assert!(app.handle().try_part::<Tasks>().is_err());
    assert!(app.handle().try_part::<Db>().is_err());
    assert!(!app.folder().join("data").exists());
    assert_eq!(ashirt.metadata_requests(), 0);
}

/// Sends a codeblock to a worker. Returns what ASHIRT records of the response.
async fn post(port: u16, uuid: &str) -> Value {
    let message = evidence("codeblock", uuid).to_string();
    let mut connection = Connection::open(port).await.unwrap();
    connection.send(request("POST", PROCESS, &message).as_bytes()).await.unwrap();
    let answer = connection.read_response().await.unwrap();
    recorded::of_evidence(answer.status, &answer.body)
}

/// Starts the built program with its data in `folder`.
async fn start_program(ashirt: &TestServer, folder: &Path) -> Service {
    let port = test_support::free_port();
    let (url, port_text) = (format!("http://{}", ashirt.address()), port.to_string());
    let variables = [
        ("ASHIRT_BACKEND_URL", &*url),
        ("ASHIRT_ACCESS_KEY", ACCESS_KEY),
        ("ASHIRT_SECRET_KEY", SECRET_KEY),
        ("PORT", &*port_text),
        ("PITON_DATA_DIR", folder.to_str().unwrap()),
        ("PITON_LOG_LEVEL", "warning"),
        ("PITON_TASKS_LEASE", "3s"),
        ("PITON_WORKER_DEFER", "always"),
        ("PITON_WORKER_REPORT_DELAY", "1s"),
        ("PITON_WORKER_SOURCE", "describer"),
    ];
    let worker = Service::spawn("ashirt-worker", port, &[], &variables, None);
    worker.ready().await;
    worker
}

#[piton::test]
async fn a_worker_that_is_killed_after_its_response_reports_when_it_is_started_again() {
    let (ashirt, server) = Ashirt::start().await;
    ashirt.has("running", Media::Held(CODEBLOCK.into()));
    ashirt.has("waiting", Media::Whole(CODEBLOCK.into()));
    let folder = tempfile::tempdir().unwrap();
    let worker = start_program(&server, folder.path()).await;
    assert_eq!(post(worker.port, "running").await, queued());
    wait_for("the task to run", || async { ashirt.at_once() == 1 }).await;
    assert_eq!(post(worker.port, "waiting").await, queued());
    worker.signal("KILL").await;
    assert!(!worker.ended().await.success());
    assert_eq!(ashirt.metadata(), []);

    // One for the request of the killed worker, which nobody waits for, and one for the next.
    ashirt.release(2);
    let _worker = start_program(&server, folder.path()).await;
    wait_for("both reports", || async { ashirt.metadata().len() == 2 }).await;
    let mut uuids = ashirt.metadata().into_iter().map(|stored| stored.uuid).collect::<Vec<_>>();
    uuids.sort();
    assert_eq!(uuids, ["running", "waiting"]);
    for stored in ashirt.metadata() {
        assert!(stored.metadata["body"].as_str().unwrap().contains("Python"), "{stored:?}");
    }
}
