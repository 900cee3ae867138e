//! Every answer makes ASHIRT record what is meant.

use std::time::Duration;

use piton::prelude::*;
use piton::serde_json::{Value, json};
use piton::testing::{TestApp, TestResponse};

use super::ashirt::{Ashirt, Media};
use super::{evidence, recorded, worker_of};

const PROCESS: &str = "/ashirt/process";

const CODEBLOCK: &[u8] = br#"{"contentSubtype":"python","content":"print(1)\n"}"#;

/// Returns ASHIRT's record of a response.
fn record(answer: &TestResponse) -> Value {
    recorded::of_evidence(answer.status().as_u16(), answer.bytes())
}

async fn sent(app: &TestApp, message: &Value) -> TestResponse {
    app.post(PROCESS).json(message).await
}

/// The reason that is recorded of something that went wrong.
async fn reason(app: &TestApp, message: &Value, status: &str) -> String {
    let answer = sent(app, message).await;
    let recorded = record(&answer);
    assert_eq!(
        (&recorded["status"], &recorded["body"]),
        (&json!(status), &json!("")),
        "{}",
        answer.text()
    );
    assert_eq!(answer.header("content-type"), "application/json");
    recorded["lastRunMessage"].as_str().unwrap_or_else(|| panic!("{recorded}")).to_owned()
}

#[piton::test]
async fn a_test_is_live() {
    let (_, server) = Ashirt::start().await;
    let app = TestApp::new(worker_of(&server)).await;
    // The sixteen bytes that Go sends, and the header.
    let answer = app.post(PROCESS).header("content-type", "application/json");
    let answer = answer.body(r#"{"type": "test"}"#).await;
    assert_eq!((answer.status().as_u16(), &*answer.text()), (200, r#"{"status":"ok"}"#));
    assert_eq!(answer.header("content-type"), "application/json");
    assert!(recorded::of_test(200, answer.bytes()).0);
}

#[piton::test]
async fn a_test_can_tell_that_the_keys_are_wrong() {
    let (ashirt, server) = Ashirt::start().await;
    let app = TestApp::new(worker_of(&server).set("worker.test_asks_ashirt", true)).await;
    let live =
        async || recorded::of_test(200, sent(&app, &json!({ "type": "test" })).await.bytes());
    assert!(live().await.0);
    ashirt.forget_keys();
    let (live, why) = live().await;
    assert!(!live && why.contains("the worker cannot use ASHIRT"), "{why}");
}

#[piton::test]
async fn evidence_is_processed_and_its_content_recorded() {
    let (ashirt, server) = Ashirt::start().await;
    let app = TestApp::new(worker_of(&server)).await;
    let media: [(&str, &[u8], &str); 4] = [
        ("codeblock", CODEBLOCK, "Python"),
        ("http-request-cycle", br#"{"log":{"version":"1.2","entries":[]}}"#, "request"),
        (
            "terminal-recording",
            b"{\"version\": 2, \"width\": 80, \"height\": 24}\n[0.1, \"o\", \"$ ls\\r\\n\"]\n",
            "$ ls",
        ),
        ("image", include_bytes!("../../testdata/pixel.png"), "PNG"),
    ];
    for (content_type, media, word) in media {
        ashirt.has(content_type, Media::Whole(media.into()));
        let answer = sent(&app, &evidence(content_type, content_type)).await;
        let recorded = record(&answer);
        assert_eq!(
            (&recorded["status"], &recorded["canProcess"]),
            (&json!("Completed"), &json!(true)),
            "{}",
            answer.text()
        );
        assert!(recorded["body"].as_str().unwrap().contains(word), "{recorded}");
        assert_eq!(recorded["lastRunMessage"], Value::Null);
        // Once more: an administrator may ask for it.
        assert_eq!(record(&sent(&app, &evidence(content_type, content_type)).await), recorded);
    }
}

#[piton::test]
async fn evidence_without_a_file_is_rejected_with_a_reason_and_never_asked_for() {
    let (ashirt, server) = Ashirt::start().await;
    let app = TestApp::new(worker_of(&server)).await;
    for content_type in ["event", "none"] {
        let why = reason(&app, &evidence(content_type, "x"), "Completed").await;
        assert!(why.contains("no file"), "{why}");
    }
    assert_eq!(ashirt.asked(), 0);
}

#[piton::test]
async fn an_unknown_content_type_is_rejected_and_an_unknown_message_too() {
    let (_, server) = Ashirt::start().await;
    let app = TestApp::new(worker_of(&server)).await;
    let why = reason(&app, &evidence("pcap", "x"), "Completed").await;
    assert!(why.contains("`pcap`") && why.contains("http-request-cycle"), "{why}");
    for (content_type, wrong) in [
        (json!(""), "empty"),
        (json!(null), "null"),
        (json!({ "a": 1 }), "an object"),
        (json!(["image"]), "a list"),
        (json!(7), "a number"),
    ] {
        let mut message = evidence("image", "x");
        message["contentType"] = content_type;
        let why = reason(&app, &message, "Completed").await;
        assert!(why.contains("`contentType`") && why.contains(wrong), "{why}");
    }
    let mut message = evidence("image", "x");
    message.as_object_mut().unwrap().remove("contentType");
    let why = reason(&app, &message, "Completed").await;
    assert!(why.contains("missing"), "{why}");
    let why = reason(&app, &evidence("p\u{202e}cap\u{200b}\u{7}", "x"), "Completed").await;
    assert!(why.contains(r"`p\u{202e}cap\u{200b}\u{7}`"), "{why}");
    let answer = sent(&app, &json!({ "type": "evidence_deleted" })).await;
    assert_eq!(record(&answer)["canProcess"], false);
    assert!(record(&answer)["lastRunMessage"].as_str().unwrap().contains("`evidence_deleted`"));
}

#[piton::test]
async fn what_is_no_message_is_recorded_as_an_error_with_its_reason_however_it_was_meant() {
    let (_, server) = Ashirt::start().await;
    let app = TestApp::new(worker_of(&server).set("http.body_limit", "1KiB")).await;
    let too_long = format!("{{\"type\": \"test\", \"x\": \"{}\"}}", "x".repeat(2000));
    for (body, why) in [
        ("", "not JSON"),
        ("<html>", "not JSON"),
        ("\u{0}", "not JSON"),
        ("null", "null"),
        ("[1]", "a list"),
        ("\"test\"", "text"),
        ("{}", "`type`"),
        (r#"{"type":"evidence_created"}"#, "`evidenceUuid` of the message is missing"),
        (&*"[".repeat(1000), "not JSON"),
        (&*too_long, "larger than this service accepts"),
    ] {
        for content_type in ["application/json", "text/plain", ""] {
            let answer =
                app.post(PROCESS).header("content-type", content_type).body(body.to_owned()).await;
            let recorded = record(&answer);
            assert_eq!(recorded["status"], "Error", "{body}: {}", answer.text());
            assert!(
                recorded["lastRunMessage"].as_str().unwrap().contains(why),
                "{body}: {recorded}"
            );
            let (live, shown) = recorded::of_test(answer.status().as_u16(), answer.bytes());
            assert!(!live && shown.contains(why), "{body}: {shown}");
        }
    }
}

#[piton::test]
async fn a_backend_that_fails_is_an_error_with_its_reason_and_no_evidence() {
    let (ashirt, server) = Ashirt::start().await;
    let app = TestApp::new(worker_of(&server)).await;
    ashirt.has("failing", Media::Failing(500));
    ashirt.has("away", Media::Failing(503));
    ashirt.has("broken", Media::Broken(CODEBLOCK.into()));
    for (uuid, why) in
        [("failing", "500"), ("away", "503"), ("unknown", "404"), ("broken", "ended early")]
    {
        // The Python worker took `{"error": ..}` for the media.
        let told = reason(&app, &evidence("codeblock", uuid), "Error").await;
        assert!(told.contains(why) && told.contains("(request "), "{told}");
    }
}

#[piton::test]
async fn media_that_is_not_what_it_should_be_is_rejected() {
    let (ashirt, server) = Ashirt::start().await;
    let app = TestApp::new(worker_of(&server).set("ashirt.media_limit", "2KiB")).await;
    ashirt.has("html", Media::Whole(b"<html>it works</html>".into()));
    ashirt.has("empty", Media::Whole(Vec::new()));
    ashirt.has("large", Media::Whole(vec![b' '; 3000]));
    for content_type in ["http-request-cycle", "terminal-recording", "codeblock", "image"] {
        for uuid in ["html", "empty", "large"] {
            let why = reason(&app, &evidence(content_type, uuid), "Completed").await;
            assert!(!why.is_empty(), "{content_type} {uuid}");
        }
    }
    let why = reason(&app, &evidence("image", "large"), "Completed").await;
    assert!(why.contains("too large"), "{why}");
}

#[piton::test]
async fn content_that_ashirt_could_not_store_is_cut_to_what_it_can() {
    let (ashirt, server) = Ashirt::start().await;
    let app = TestApp::new(worker_of(&server)).await;
    let line = format!("[0.1, \"o\", \"{}\\r\\n\"]\n", "\u{1f600}\u{e9}".repeat(30));
    let recording =
        "{\"version\": 2, \"width\": 200, \"height\": 24}\n".to_owned() + &line.repeat(2000);
    ashirt.has("long", Media::Whole(recording.into_bytes()));
    let recorded = record(&sent(&app, &evidence("terminal-recording", "long")).await);
    let body = recorded["body"].as_str().unwrap();
    assert!(body.len() <= 65_535 && body.len() > 40_000, "{}", body.len());
    assert!(body.chars().all(|c| c <= '\u{ffff}') && body.contains('\u{fffd}'));
}

#[piton::test]
async fn evidence_that_takes_too_long_is_an_error_and_its_place_is_free_again() {
    let (ashirt, server) = Ashirt::start().await;
    let worker = worker_of(&server).set("worker.timeout", "300ms").set("worker.at_once", 1);
    let app = TestApp::new(worker).await;
    ashirt.has("slow", Media::Held(CODEBLOCK.into()));
    ashirt.has("quick", Media::Whole(CODEBLOCK.into()));
    let why = reason(&app, &evidence("codeblock", "slow"), "Error").await;
    assert!(why.contains("took longer than 300ms"), "{why}");
    let quick = sent(&app, &evidence("codeblock", "quick")).await;
    assert_eq!(record(&quick)["status"], "Completed");
}

#[piton::test]
async fn a_request_that_runs_into_the_limit_of_the_service_is_recorded_with_a_reason_too() {
    let (ashirt, server) = Ashirt::start().await;
    let app = TestApp::new(worker_of(&server).set("http.timeout", "200ms")).await;
    ashirt.has("slow", Media::Held(CODEBLOCK.into()));
    let why = reason(&app, &evidence("codeblock", "slow"), "Error").await;
    assert!(why.contains("took too long"), "{why}");
}

#[piton::test]
async fn who_does_not_show_the_secret_is_refused_and_ashirts_test_says_so() {
    let (ashirt, server) = Ashirt::start().await;
    ashirt.has("code", Media::Whole(CODEBLOCK.into()));
    let worker = worker_of(&server).set("worker.shared_secret", "s3cr3t-of-ours");
    let app = TestApp::new(worker).await;
    let message = evidence("codeblock", "code");
    for shown in [None, Some("s3cr3t-of-our"), Some("S3CR3T-OF-OURS"), Some("")] {
        let request = app.post(PROCESS).json(&message);
        let answer = match shown {
            Some(shown) => request.header("x-shared-secret", shown).await,
            None => request.await,
        };
        assert_eq!(answer.status(), 401, "{shown:?}");
        let (live, why) = recorded::of_test(401, answer.bytes());
        assert!(!live && why.contains("x-shared-secret"), "{why}");
        assert!(!answer.text().contains("s3cr3t"), "{}", answer.text());
    }
    assert_eq!(ashirt.asked(), 0);
    let answer = app.post(PROCESS).json(&message).header("x-shared-secret", "s3cr3t-of-ours").await;
    assert_eq!(record(&answer)["status"], "Completed");
}

#[piton::test]
async fn the_header_of_the_secret_is_a_setting() {
    let (_, server) = Ashirt::start().await;
    let worker = worker_of(&server)
        .set("worker.shared_secret", "Bearer abcdefgh".replace(' ', "-"))
        .set("worker.shared_secret_header", "Authorization");
    let app = TestApp::new(worker).await;
    let test = json!({ "type": "test" });
    assert_eq!(sent(&app, &test).await.status(), 401);
    let shown = app.post(PROCESS).json(&test).header("authorization", "Bearer-abcdefgh").await;
    assert_eq!(shown.status(), 200);
}

#[piton::test]
async fn paths_and_methods_are_exact_and_a_query_does_no_harm() {
    let (_, server) = Ashirt::start().await;
    let app = TestApp::new(worker_of(&server)).await;
    let test = json!({ "type": "test" });
    assert_eq!(app.post("/ashirt/process?a=b").json(&test).await.status(), 200);
    for path in ["/ashirt/process/", "/ashirt/Process", "/ashirt", "/process"] {
        let nowhere = app.post(path).json(&test).await;
        assert_eq!(nowhere.status(), 404, "{path}");
        let (live, why) = recorded::of_test(404, nowhere.bytes());
        assert!(!live && why.contains("nothing is served at this path"), "{why}");
    }
    let get = app.get(PROCESS).await;
    assert_eq!((get.status().as_u16(), get.header("allow")), (405, "POST"));
}

#[piton::test]
async fn routes_for_development_are_there_where_enable_dev_says_so() {
    let (_, server) = Ashirt::start().await;
    let app = TestApp::new(worker_of(&server)).await;
    assert_eq!(
        (app.get("/").await.status(), app.post("/test").await.status()),
        (404.try_into().unwrap(), 404.try_into().unwrap())
    );
    let app = TestApp::new(worker_of(&server).set("worker.enable_dev", "TRUE")).await;
    assert_eq!(app.get("/").await.json::<Value>(), json!({ "msg": "GET /" }));
    let done = app.post("/test").body("not looked at").await;
    assert_eq!(done.json::<Value>(), json!({ "Done": "you bet!" }));
    assert_eq!(app.get("/test").await.status(), 405);
}

#[piton::test]
async fn the_client_is_to_be_had_from_anywhere() {
    async fn asks() -> Result<&'static str> {
        ashirt_worker::services::svc().check_connection().await?;
        Ok("it is there")
    }
    let (_, server) = Ashirt::start().await;
    let app = worker_of(&server).route(piton::http::get("/asks", asks));
    assert_eq!(TestApp::new(app).await.get("/asks").await.text(), "it is there");
}

#[piton::test]
async fn answers_are_never_of_somebody_elses_evidence() {
    let (ashirt, server) = Ashirt::start().await;
    for number in 0..60 {
        let code = format!(r#"{{"contentSubtype":"lang-{number}","content":"x"}}"#);
        ashirt.has(&format!("u-{number}"), Media::Whole(code.into_bytes()));
    }
    let app = TestApp::new(worker_of(&server)).await;
    let numbers = (0..600).map(|number| number % 60);
    let all = numbers.map(|number| {
        let app = &app;
        async move {
            let answer = sent(app, &evidence("codeblock", &format!("u-{number}"))).await;
            let body = record(&answer)["body"].as_str().unwrap().to_owned();
            assert!(
                body.contains(&format!("lang-{number},"))
                    || body.contains(&format!("lang-{number}\n")),
                "{number}: {body}"
            );
        }
    });
    let all = futures_util::future::join_all(all);
    piton::tokio::time::timeout(Duration::from_secs(60), all).await.unwrap();
}

#[piton::test]
async fn health_says_when_ashirt_cannot_be_reached_and_the_worker_stays_ready() {
    let (_, server) = Ashirt::start().await;
    let worker = worker_of(&server);
    server.stop().await;
    let app = TestApp::new(worker).await;
    let why = reason(&app, &evidence("image", "x"), "Error").await;
    assert!(why.contains("connect"), "{why}");
    assert_eq!(app.get("/readyz").await.status(), 200);
    let health = app.get("/health").await.text();
    assert!(health.contains("degraded"), "{health}");
}
