//! No secret leaves: not by the log at its most talkative, not by `config`, not by `/info`.

use serde_json::json;
use test_support::http_client::Connection;
use test_support::moto::{Boto3, Moto};
use test_support::postgres::database;
use test_support::service::run;
use test_support::{free_port, gnar, wait_for};

use super::{
    Deployment, PASSWORD, PG_PASSWORD, SES_SECRET, SQS_SECRET, get, get_as, off_piste, post,
    signup, token,
};

const SECRETS: [&str; 5] = [PG_PASSWORD, SES_SECRET, SQS_SECRET, gnar::JWT_SECRET_KEY, PASSWORD];

/// Checks that `text` contains none of the secrets.
#[track_caller]
fn is_free_of(text: &str, secrets: &[&str], what: &str) {
    for secret in secrets {
        let line = text.lines().find(|line| line.contains(secret));
        assert!(line.is_none(), "`{secret}` is in {what}: {}", line.unwrap_or_default());
    }
}

#[tokio::test]
async fn no_secret_is_in_the_log_at_trace() {
    let folder = tempfile::tempdir().unwrap();
    let moto = Moto::start();
    let mut boto3 = Boto3::of(&moto);
    boto3.ask(&json!({ "op": "verify", "address": "gnar@example.com" }));
    boto3.ask(&json!({ "op": "create", "queue": "gnar-queue" }));
    let bodies = ["hello"];
    boto3.ask(&json!({ "op": "send", "queue": "gnar-queue", "bodies": bodies }));
    let port = free_port();
    let _neighbour = off_piste(port, &[], None).await;
    let address = format!("127.0.0.1:{port}");
    let mut piste = Deployment::new(&database())
        .amazon(&moto.url())
        .with("GNAR_OFF_PISTE_SERVICE_PORT", &address)
        .with("GNAR_ACTIVATION_FROM", "gnar@example.com")
        .with("GNAR_LOG_LEVEL", "TRACE");
    piste.log = Some(folder.path().join("log"));
    let service = piste.start().await;
    let token = token("ada@example.org");

    assert_eq!(signup(piste.port, "ada@example.org").await.status, 200);
    assert_eq!(signup(piste.port, "ada@example.org").await.status, 409);
    let login = json!({ "email": "ada@example.org", "password": PASSWORD });
    assert_eq!(post(piste.port, "/user/login", &login).await.status, 403);
    assert_eq!(get_as(piste.port, "/user/me", &token).await.status, 200);
    assert_eq!(get_as(piste.port, "/peer/me", &token).await.status, 200);
    let expired = format!("{token}x");
    assert_eq!(get_as(piste.port, "/user/me", &expired).await.status, 401);
    wait_for("the message", || async {
        get(piste.port, "/messages", &[]).await.json()[0]["body"] == bodies[0]
    })
    .await;
    for path in ["/info", "/health", "/metrics"] {
        let answer = get(piste.port, path, &[]).await;
        assert_eq!(answer.status, 200, "{path}");
        is_free_of(&String::from_utf8_lossy(&answer.body), &SECRETS, path);
    }
    service.signal("TERM").await;
    assert_eq!(service.ended().await.code(), Some(0));

    let log = std::fs::read_to_string(folder.path().join("log")).unwrap();
    assert!(log.contains("TRACE") && log.contains("aws"), "it is talkative");
    is_free_of(&log, &SECRETS, "the log");
    let header = token.split('.').next().unwrap();
    is_free_of(&log, &["$argon2", header], "the log");
}

#[tokio::test]
async fn a_link_of_a_letter_that_no_route_matches_is_in_no_log_and_no_answer() {
    const TOKEN: &str = "3f8a2c1e-9d47-4b6a-8e15-c0ffee5ca1ab";
    let folder = tempfile::tempdir().unwrap();
    let mut piste = Deployment::new(&database()).with("GNAR_LOG_LEVEL", "TRACE");
    piste.log = Some(folder.path().join("log"));
    let service = piste.set("log.requests=all");
    let (port, path) = (service.port, folder.path().join("log"));
    let service = service.start().await;
    let paths = [
        "/user/activate/T",
        "/user/activate/T/",
        "//user/activate/T",
        "/user//activate/T",
        "/USER/Activate/T",
        "/user/activate/T/more",
        "/user%2Factivate%2FT",
        "/user/activate%2FT",
        "/user/activate./T",
        "/user/activate/T.",
        "/user/activate/T%20",
        "/gnar/user/activate/T",
        "/user/activate;T",
        "/T",
        "/user/T",
        "/user/activate/?token=T",
        "/user/activate/T?again=T",
        "/user/activate/%54T",
        "/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/T",
    ];
    for method in ["GET", "POST", "DELETE", "OPTIONS", "PROPFIND"] {
        for path in paths {
            let path = path.replace('T', TOKEN);
            let mut connection = Connection::open(port).await.unwrap();
            let answer = connection.request(method, &path, "").await.unwrap();
            is_free_of(&String::from_utf8_lossy(&answer.body), &[TOKEN], &path);
        }
    }
    let metrics = get(port, "/metrics", &[]).await;
    is_free_of(&String::from_utf8_lossy(&metrics.body), &[TOKEN], "the metrics");
    service.signal("TERM").await;
    assert_eq!(service.ended().await.code(), Some(0));
    let log = std::fs::read_to_string(path).unwrap();
    is_free_of(&log, &[TOKEN], "the log");
    for shown in [
        "GET //user/activate/*** 404",
        "POST /user/activate/*** 405",
        "GET /***/user/activate/*** 404",
    ] {
        assert!(log.contains(shown), "`{shown}` is not in the log");
    }
}

#[tokio::test]
async fn no_secret_is_in_what_config_prints() {
    let piste = Deployment::new("postgres://gnar@127.0.0.1:1/gnar");
    for arguments in [&["config"][..], &["config", "--json"], &["config", "--example"]] {
        let output = run("piste", arguments, &piste.variables()).await;
        assert_eq!(output.status.code(), Some(0));
        let text = [output.stdout, output.stderr].concat();
        is_free_of(&String::from_utf8_lossy(&text), &SECRETS, "the output");
    }
    let wrong = piste.with("GNAR_HTTP_PORT", "x").with("GNAR_SES_ACCESS_KEY_ID", "");
    let output = run("piste", &[], &wrong.variables()).await;
    assert_eq!(output.status.code(), Some(2));
    let text = [output.stdout, output.stderr].concat();
    is_free_of(&String::from_utf8_lossy(&text), &SECRETS, "the problems");
}
