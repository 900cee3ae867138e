//! All that an operation has, at once.

use std::time::Duration;

use piton::prelude::*;
use piton::serde_json::{Value, json};
use piton::tokio;

use super::ashirt::{Ashirt, Media, wait_for};
use super::{recorded, worker_of};

async fn look_at(app: &TestApp, uuid: &str) -> Value {
    let message = json!({
        "type": "evidence_created", "evidenceUuid": uuid, "operationSlug": "op", "contentType": "codeblock",
    });
    let answer = app.post("/ashirt/process").json(&message).await;
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
        wait_for(|| ashirt.at_once() == 3).await;
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
    let message = json!({
        "type": "evidence_created", "evidenceUuid": "held", "operationSlug": "op", "contentType": "codeblock",
    });
    let request = e2e::client::request("POST", "/ashirt/process", &message.to_string());
    let port = worker.address().port();
    let ask = || async {
        let mut connection = e2e::client::Connection::open(port).await.unwrap();
        connection.send(request.as_bytes()).await.unwrap();
        let answer = connection.answer().await.unwrap();
        recorded::of_evidence(answer.status, &answer.body)
    };
    let stop = async {
        wait_for(|| ashirt.at_once() == 1).await;
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
