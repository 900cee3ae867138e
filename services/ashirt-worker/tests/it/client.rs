//! The client before a backend that checks signatures as ASHIRT does.

use std::time::{Duration, SystemTime};

use ashirt_worker::ashirt::{
    Client, ContentPart, EvidenceChange, File, Kind, Metadata, NewEvidence, NewOperation, NewTag,
    Settings, Status,
};
use aws_lc_rs::digest::{SHA256, digest};
use serde_json::{Value, json};
use test_support::ashirt_backend::{ACCESS_KEY, SECRET_KEY, StubBackend};
use test_support::nginx::NginxSites;

/// Slugs and uuids that are no words, each with what it is on the wire.
const ODD: &[(&str, &str)] = &[
    ("two words", "two%20words"),
    ("100%", "100%25"),
    ("%2d", "%252d"),
    ("a#b", "a%23b"),
    ("a?b=c", "a%3Fb=c"),
    ("a/b", "a%2Fb"),
    (".", "%2E"),
    ("..", "%2E%2E"),
    ("é🐍", "%C3%A9%F0%9F%90%8D"),
    ("\"\\\r\n", "%22%5C%0D%0A"),
    ("a+b&c", "a+b&c"),
];

fn settings(url: &str) -> Settings {
    let keys = (ACCESS_KEY.parse().unwrap(), SECRET_KEY.parse().unwrap());
    Settings::new(url.parse().unwrap(), keys.0, keys.1)
}

fn client(url: &str) -> Client {
    Client::new(settings(url)).unwrap()
}

fn metadata(body: &str) -> Metadata {
    Metadata {
        source: "ocr".to_owned(),
        body: body.to_owned(),
        status: Status::Completed,
        message: None,
        can_process: Some(true),
    }
}

fn file(name: &str, content: &'static [u8]) -> File {
    File {
        name: name.to_owned(),
        content_type: "application/octet-stream".to_owned(),
        content: content.into(),
    }
}

/// Returns the stub's record of a file.
fn recorded_file(name: &str, content: &[u8]) -> Value {
    let hash = digest(&SHA256, content);
    let hash: String = hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    json!({ "filename": name, "contentType": "application/octet-stream", "size": content.len(), "sha256": hash })
}

#[tokio::test]
async fn every_call_is_accepted_and_understood() {
    let stub = StubBackend::start();
    let client = client(&stub.url());
    client.check_connection().await.unwrap();

    let operations = client.operations().await.unwrap();
    assert_eq!((operations[0].slug.as_str(), operations[0].num_evidence), ("op", 6));
    let operation = NewOperation { slug: "new".to_owned(), name: "Néw".to_owned() };
    let made = client.create_operation(&operation).await.unwrap();
    assert_eq!((made.name.as_str(), made.top_contribs.len()), ("Néw", 0));
    let taken = NewOperation { slug: "op".to_owned(), name: "Op".to_owned() };
    let error = client.create_operation(&taken).await.unwrap_err();
    assert_eq!(error.kind(), Kind::BadRequest);
    assert_eq!(error.reason(), Some("An operation with this slug already exists"));

    let tags = client.operation_tags("op").await.unwrap();
    assert_eq!((tags[0].id, tags[0].evidence_count), (1, 2));
    let tag =
        NewTag { name: "t".to_owned(), color_name: Some("red".to_owned()), description: None };
    let made = client.create_operation_tag("op", &tag).await.unwrap();
    assert_eq!((made.id, made.color_name.as_str()), (2, "red"));

    let evidence = client.evidence("op", "ev-har").await.unwrap().unwrap();
    assert_eq!(evidence.content_type, "http-request-cycle");
    assert_eq!(client.evidence("op", "ev-other").await.unwrap(), None);
    assert_eq!(client.search_evidence("op", "tag:\"foo bar\"").await.unwrap().len(), 6);
    client.upsert_evidence_metadata("op", "ev-image", &metadata("héllo")).await.unwrap();

    let record = stub.record(10).await;
    assert!(record.iter().all(|request| request["auth"] == "ok"), "{record:#?}");
    let written =
        r#"{"source":"ocr","body":"héllo","status":"Completed","message":null,"canProcess":true}"#;
    assert_eq!(record[9]["body_text"], written);
}

#[tokio::test]
async fn content_is_that_of_the_backend_and_never_its_refusal() {
    let stub = StubBackend::start();
    let client = client(&stub.url());
    let get = async |uuid| client.evidence_content("op", uuid, ContentPart::Media).await;
    let image = get("ev-image").await.unwrap();
    assert_eq!(image.media_type(), Some("image/png"));
    assert!(image.bytes().await.unwrap().starts_with(b"\x89PNG"));
    let har = get("ev-har").await.unwrap().bytes().await.unwrap();
    let preview = client.evidence_content("op", "ev-har", ContentPart::Preview).await.unwrap();
    assert_eq!(har, preview.bytes().await.unwrap());
    assert_eq!(get("ev-unknown").await.unwrap_err().kind(), Kind::NotFound);
    // Evidence without a file: a backend with its files in S3 fails.
    let error = get("ev-event").await.unwrap_err();
    assert_eq!((error.kind(), error.status()), (Kind::Server, Some(500)));
}

#[tokio::test]
async fn odd_slugs_are_signed_as_they_are_sent() {
    let stub = StubBackend::start();
    let client = client(&stub.url());
    for (name, _) in ODD {
        // The stub accepts the signature and then knows no such operation: 404 for a read, 401 for a write.
        let error = client.search_evidence(name, name).await.unwrap_err();
        assert_eq!(error.kind(), Kind::NotFound, "{name:?}: {error}");
        assert_eq!(error.reason(), Some("Not Found"));
        let media = client.evidence_content("op", name, ContentPart::Media).await;
        assert_eq!(media.unwrap_err().reason(), Some("Not Found"));
        client.upsert_evidence_metadata("op", name, &metadata("x")).await.unwrap_err();
        client.update_evidence(name, name, &EvidenceChange::default()).await.unwrap_err();
        client.operation_tags(name).await.unwrap_err();
    }
    let record = stub.record(5 * ODD.len()).await;
    for (requests, (name, sent)) in record.chunks(5).zip(ODD) {
        assert!(requests.iter().all(|request| request["auth"] == "ok"), "{name:?} {requests:#?}");
        let paths: Vec<&str> = requests.iter().map(|it| it["path"].as_str().unwrap()).collect();
        assert!(paths[0].starts_with(&format!("/api/operations/{sent}/evidence?query=")));
        let expected = [
            format!("/api/operations/op/evidence/{sent}/media"),
            format!("/api/operations/op/evidence/{sent}/metadata"),
            format!("/api/operations/{sent}/evidence/{sent}"),
            format!("/api/operations/{sent}/tags"),
        ];
        assert_eq!(paths[1..], expected);
    }
}

#[tokio::test]
async fn files_arrive_whole_and_under_the_name_that_browsers_would_give_them() {
    const CONTENT: &[u8] = b"\x00\xff\r\n\x80------AShirtFormData-\r\n\r\n";
    let stub = StubBackend::start();
    let client = client(&stub.url());
    let names = [
        ("plain.har", "plain.har"),
        ("/home/me/with blank.har", "with blank.har"),
        ("C:\\Users\\me\\f.har", "f.har"),
        ("quo\"te'.har", "quo%22te'.har"),
        ("new\r\nline.har", "new%0D%0Aline.har"),
        ("a;b=c.har", "a;b=c.har"),
        ("é🐍.har", "é🐍.har"),
    ];
    for (name, _) in names {
        let evidence = NewEvidence {
            notes: "nötes\r\n\"2\"".to_owned(),
            content_type: Some("http-request-cycle".to_owned()),
            tag_ids: vec![1, 2],
            file: Some(file(name, CONTENT)),
            occurred_at: Some(SystemTime::UNIX_EPOCH + Duration::from_millis(1_708_105_805_007)),
            adjusted_at: None,
        };
        let made = client.create_evidence("op", &evidence).await.unwrap();
        assert_eq!(made.description, evidence.notes);
    }
    let record = stub.record(names.len()).await;
    for (request, (name, arrived)) in record.iter().zip(names) {
        assert_eq!(request["auth"], "ok");
        let form = json!({
            "notes": "nötes\r\n\"2\"", "contentType": "http-request-cycle", "tagIds": "[1,2]",
            "occurred_at": "1708105805007000000",
        });
        assert_eq!(request["form"], form, "{name:?}");
        assert_eq!(request["files"], json!({ "file": recorded_file(arrived, CONTENT) }));
    }
}

#[tokio::test]
async fn of_a_change_only_what_is_said_is_sent() {
    let stub = StubBackend::start();
    let client = client(&stub.url());
    let nothing = EvidenceChange::default();
    let all = EvidenceChange {
        notes: Some(String::new()),
        content_type: Some("codeblock".to_owned()),
        tags_to_add: vec![3],
        tags_to_remove: vec![-1, 4],
        file: Some(file("a.json", b"{}")),
        adjusted_at: Some("2024-02-16T00:00:00Z".to_owned()),
    };
    client.update_evidence("op", "ev-codeblock", &nothing).await.unwrap();
    client.update_evidence("op", "ev-codeblock", &all).await.unwrap();
    let error = client.update_evidence("op", "ev-image", &all).await.unwrap_err();
    assert_eq!(error.reason(), Some("Content cannot be updated"));
    let record = stub.record(3).await;
    assert!(record.iter().all(|request| request["auth"] == "ok"), "{record:#?}");
    assert_eq!((&record[0]["form"], &record[0]["files"]), (&json!({}), &json!({})));
    let form = json!({
        "notes": "", "contentType": "codeblock", "tagsToAdd": "[3]", "tagsToRemove": "[-1,4]",
        "adjusted_at": "2024-02-16T00:00:00Z",
    });
    assert_eq!(record[1]["form"], form);
    assert_eq!(record[1]["files"], json!({ "file": recorded_file("a.json", b"{}") }));
}

#[tokio::test]
async fn wrong_keys_and_wrong_clocks_are_told_apart() {
    let stub = StubBackend::start();
    let mut wrong = settings(&stub.url());
    wrong.secret_key = "AAAA".parse().unwrap();
    let error = Client::new(wrong).unwrap().check_connection().await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unauthorized);
    assert!(error.to_string().contains("wrong keys"), "{error}");

    let late = || SystemTime::now() - Duration::from_secs(7230);
    let error = client(&stub.url()).with_clock(late).check_connection().await.unwrap_err();
    assert!(
        error.to_string().contains("the local clock is 120 minutes behind the backend's"),
        "{error}"
    );
    // Within the hour that ASHIRT allows.
    let early = || SystemTime::now() + Duration::from_secs(3500);
    client(&stub.url()).with_clock(early).check_connection().await.unwrap();
    let record = stub.record(3).await;
    // Each came by a connection of its own: they are written down in any order.
    for why in ["Bad HMAC", "Date is not within max delta (1h)", "ok"] {
        assert!(record.iter().any(|request| request["auth"] == why), "{why}: {record:#?}");
    }
}

#[tokio::test]
async fn behind_a_proxy_with_tls_what_is_signed_is_what_the_backend_sees() {
    let stub = StubBackend::start();
    let folder = tempfile::tempdir().unwrap();
    test_support::certificates::make(folder.path());
    let (port, path, to) = (test_support::free_port(), folder.path().display(), stub.url());
    // With a path after the address nginx takes the prefix away, and without it passes on what it was sent.
    let site = format!(
        "server {{ listen 127.0.0.1:{port} ssl; server_name localhost;
            ssl_certificate {path}/server.pem; ssl_certificate_key {path}/server.key;
            location /taken/ {{ proxy_pass {to}/; }}
            location / {{ proxy_pass {to}; }} }}"
    );
    std::fs::write(folder.path().join("site.conf"), site).unwrap();
    let _nginx = NginxSites::start(folder.path()).await;
    let localhost = format!("https://localhost:{port}");
    let mut trusting = settings(&localhost);
    trusting.authorities = std::fs::read(folder.path().join("authority.pem")).unwrap();

    let unpersuaded = client(&localhost);
    test_support::wait_for("nginx", || async {
        let error = unpersuaded.check_connection().await.unwrap_err();
        assert_eq!(error.kind(), Kind::Connect);
        format!("{error:?}").contains("UnknownIssuer")
    })
    .await;
    let client = Client::new(trusting.clone()).unwrap();
    client.check_connection().await.unwrap();
    client.upsert_evidence_metadata("op", "ev-image", &metadata("x")).await.unwrap();
    for (name, _) in ODD {
        let error = client.operation_tags(name).await.unwrap_err();
        assert_eq!(error.reason(), Some("Not Found"), "{name:?}: {error}");
    }

    trusting.url = format!("{localhost}/taken").parse().unwrap();
    let error = Client::new(trusting.clone()).unwrap().check_connection().await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unauthorized);
    trusting.sign_prefix = false;
    Client::new(trusting).unwrap().check_connection().await.unwrap();
}
