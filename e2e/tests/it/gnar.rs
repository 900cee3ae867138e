//! piste beside the real Gnar Gear on bjoern: the same requests, the same answers.

use std::collections::BTreeMap;

use e2e::postgres::database;
use e2e::python::{Peer, interpreter, script};
use e2e::service::Service;
use e2e::free_port;
use serde_json::Value;

/// What signs the tokens of `requests.json`.
const KEY: &str = "the-key-of-the-peers-32-bytes-ok!";

/// Requests that are answered differently on purpose, or by the servers and not by the services. Each has
/// its reason.
const APART: [(&str, &str); 9] = [
    ("echo", "piste has no such route"),
    ("double slash", "werkzeug sends the client to another address; here it is an unknown path"),
    ("encoded path", "the path of a route is compared as it was sent"),
    ("unknown method", "bjoern knows no such method and answers 400"),
    ("comma at", "Gnar Gear fails on an empty field of the header; here it is skipped"),
    ("sub_only", "a token of Flask-JWT-Extended 4, which piste takes too"),
    ("crit", "a token that demands what the reader does not know is refused (RFC 7515)"),
    ("null", "Gnar Gear fails on a moment that is null; here it is refused"),
    ("signature_strange_characters", "what is no base64 is skipped in Python, and refused here"),
];

/// The variables of a Gnar Gear deployment.
fn variables(database: &str, own_port: u16) -> Vec<(String, String)> {
    let (_, rest) = database.split_once("://").unwrap();
    let (user, rest) = rest.split_once('@').unwrap();
    let (endpoint, name) = rest.split_once('/').unwrap();
    let (host, port) = endpoint.split_once(':').unwrap();
    [
        ("GNAR_PG_ENDPOINT", host),
        ("PGPORT", port),
        ("GNAR_PG_DATABASE", name),
        ("GNAR_PG_USERNAME", user),
        ("GNAR_PG_PASSWORD", "secret"),
        ("GNAR_JWT_SECRET_KEY", KEY),
        ("GNAR_LOG_LEVEL", "INFO"),
        ("OFF_PISTE_SERVICE_PORT", &format!("tcp://127.0.0.1:{own_port}")),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

fn borrowed(variables: &[(String, String)]) -> Vec<(&str, &str)> {
    variables.iter().map(|(name, value)| (&**name, &**value)).collect()
}

/// What the server on `port` answers to every request of `requests.json`, by the request's name.
async fn record(port: u16, database: &str) -> BTreeMap<String, Value> {
    let mut command = tokio::process::Command::new(interpreter("gnar"));
    command.arg(script("gnar", "record.py")).args([&port.to_string(), database]);
    let recorded = command.output().await.unwrap();
    assert!(recorded.status.success(), "{}", String::from_utf8_lossy(&recorded.stderr));
    let answers: Vec<Value> = serde_json::from_slice(&recorded.stdout).unwrap();
    answers.into_iter().map(|answer| (answer["name"].as_str().unwrap().to_owned(), answer)).collect()
}

/// What is compared: the status, the body without the traceback, whether the token is renewed and what
/// the new one says.
fn essence(answer: &Value) -> Value {
    let text = answer["body"].as_str().unwrap_or_default();
    let mut body = serde_json::from_str(text).unwrap_or_else(|_| Value::from(text));
    if let Some(fields) = body.as_object_mut() {
        fields.remove("traceback");
    }
    let mut claims = answer["authorization_claims"].clone();
    if let Some(claims) = claims.as_object_mut() {
        // The name under which Flask-JWT-Extended 4 looks for it, beside the one of 3.
        claims.remove("sub");
    }
    serde_json::json!({
        "status": answer["status"],
        "media_type": answer["headers"]["content-type"],
        "authorization": answer["headers"]["authorization"],
        "body": body,
        "claims": claims,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn piste_answers_what_gnar_gear_answers() {
    let (gnar_database, piste_database) = (database(), database());
    // bjoern has one thread: a service that asks itself would wait for ever.
    let neighbours = variables(&gnar_database, 1);
    let neighbour = Peer::start("gnar", "serve.py", &[], &borrowed(&neighbours));
    let its = variables(&gnar_database, neighbour.port);
    let gnar = Peer::start("gnar", "serve.py", &[], &borrowed(&its));
    let expected = record(gnar.port, &gnar_database).await;

    let port = free_port();
    let port_text = port.to_string();
    let mut ours = variables(&piste_database, port);
    // psycopg reads the port from a variable of its own; piste has it with the host.
    let endpoint = format!("127.0.0.1:{}", ours[1].1);
    ours[0].1 = endpoint;
    let style = ["--production", "--set", "http.error_style=gnar", "--set", "admin.address=off"];
    let arguments = [&style[..], &["--host", "127.0.0.1", "--port", &port_text]].concat();
    let piste = Service::spawn("piste", port, &arguments, &borrowed(&ours), None);
    piste.ready().await;
    let answers = record(port, &piste_database).await;

    let (mut compared, mut different) = (0, Vec::new());
    for (name, theirs) in &expected {
        if APART.iter().any(|(apart, _)| name.contains(apart)) {
            continue;
        }
        compared += 1;
        let (theirs, ours) = (essence(theirs), essence(&answers[name]));
        if theirs != ours {
            different.push(format!("{name}\n  gnar  {theirs}\n  piste {ours}"));
        }
    }
    assert!(different.is_empty(), "{} of {compared}:\n{}", different.len(), different.join("\n"));
    assert!(compared >= 100, "{compared} requests are compared");
}
