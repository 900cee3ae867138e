//! The built registry on a real PostgreSQL: with the environment of the deployments it takes the place
//! of, while the server comes late or goes away, and ten at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;
use test_support::http_client::{Connection, get};
use test_support::postgres::{Postgres, database};
use test_support::service::Service;
use test_support::{free_port, wait_for};

use super::company;

/// The parts of `postgres://user@host:port/name`.
fn parts(url: &str) -> (String, String, String) {
    let (_, rest) = url.split_once("://").unwrap();
    let (user, rest) = rest.split_once('@').unwrap();
    let (endpoint, name) = rest.split_once('/').unwrap();
    (user.into(), endpoint.into(), name.into())
}

/// One session: what is asked, and what is answered, without the moments.
pub(super) async fn session(port: u16, headers: &[(&str, &str)]) -> Vec<(u16, Value)> {
    let mut connection = Connection::open(port).await.unwrap();
    let path = "/api/companies/00000000000191";
    let mut answers = Vec::new();
    for (method, path, body) in [
        (
            "POST",
            "/api/companies",
            r#"{"cnpj":"00.000.000/0001-91","name":"Café São João","state":"sp","partners":[{"name":"Ana","share":60}]}"#,
        ),
        ("POST", "/api/companies", r#"{"cnpj":"00.000.000/0001-91","name":"Again","state":"SP"}"#),
        ("POST", "/api/companies", r#"{"cnpj":"00.000.000/0001-92","name":"","state":"XX"}"#),
        ("GET", path, ""),
        ("PATCH", path, r#"{"state":"RJ","partners":null}"#),
        ("PUT", path, r#"{"name":"Padaria","state":"MG"}"#),
        ("GET", "/api/companies?q=sao&state=rj", ""),
        ("GET", "/api/companies?q=padaria", ""),
        ("GET", "/api/companies/00000000000272", ""),
        ("GET", "/api/companies/00000000000191/history", ""),
        ("DELETE", path, ""),
    ] {
        let answer = connection.request_with(method, path, headers, body).await.unwrap();
        let mut body: Value = serde_json::from_slice(&answer.body).unwrap();
        strip(&mut body);
        answers.push((answer.status, body));
    }
    answers
}

/// Takes out what differs from one run to the next.
fn strip(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for name in ["created_at", "updated_at", "at", "request_id", "chain", "location"] {
                fields.remove(name);
            }
            fields.values_mut().for_each(strip);
        }
        Value::Array(items) => items.iter_mut().for_each(strip),
        _ => {}
    }
}

/// Returns the database engine as reported by the service.
async fn engine(port: u16) -> String {
    let info: Value = serde_json::from_slice(&get(port, "/info").await.unwrap().body).unwrap();
    part(&info, "db")["shows"]["engine"].as_str().unwrap_or_default().to_owned()
}

/// Returns a part's entry in the health document.
fn part<'a>(told: &'a Value, name: &str) -> &'a Value {
    let mut parts = told["parts"].as_array().unwrap().iter();
    parts.find(|part| part["name"] == name).unwrap()
}

#[tokio::test]
async fn a_gnar_deployments_variables_and_a_flask_apps_start_it_and_the_answers_are_sqlites() {
    let port = free_port();
    let on_sqlite = Service::start("registry", port, &[]).await;
    let expected = session(port, &[]).await;
    assert_eq!(
        expected.iter().map(|answer| answer.0).collect::<Vec<_>>(),
        [201, 409, 422, 200, 200, 200, 200, 200, 404, 200, 405]
    );
    assert_eq!(engine(port).await, "sqlite");
    drop(on_sqlite);

    // As a Gnar Gear deployment has it, its own variables and those that Kubernetes adds among them.
    let (user, endpoint, name) = parts(&database());
    let port = free_port();
    let port_text = port.to_string();
    let gnar = [
        ("GNAR_LOG_LEVEL", "INFO"),
        ("GNAR_LOG_FORMAT", "%(asctime)s %(levelname)-8s %(name)s:%(lineno)d   %(message)s"),
        ("GNAR_PG_ENDPOINT", endpoint.as_str()),
        ("GNAR_PG_DATABASE", name.as_str()),
        ("GNAR_PG_USERNAME", user.as_str()),
        ("GNAR_PG_PASSWORD", "secret"),
        ("GNAR_JWT_SECRET_KEY", "secret"),
        ("GNAR_JWT_ACCESS_TOKEN_EXPIRES_MINUTES", "15"),
        ("GNAR_SES_REGION_NAME", "us-east-1"),
        ("GNAR_SES_ACCESS_KEY_ID", "id"),
        ("GNAR_SES_SECRET_ACCESS_KEY", "key"),
        ("GNAR_OFF_PISTE_SERVICE_PORT", "9401"),
        ("PISTE_SERVICE_PORT", "tcp://10.0.0.1:80"),
        ("PORT", port_text.as_str()),
    ];
    let service = Service::spawn("registry", port, &[], &gnar, None);
    service.ready().await;
    assert_eq!(engine(port).await, "postgres");
    assert_eq!(session(port, &[]).await, expected);
    drop(service);

    // As FLASK-APP's table has it.
    let (user, endpoint, name) = parts(&database());
    let (_, server_port) = endpoint.split_once(':').unwrap();
    let port = free_port();
    let port_text = port.to_string();
    let flask = [
        ("API_KEY", "key"),
        ("POSTGRESQL_USER", user.as_str()),
        ("POSTGRESQL_PASSWORD", "secret"),
        ("POSTGRESQL_HOST", "127.0.0.1"),
        ("POSTGRESQL_PORT", server_port),
        ("POSTGRESQL_DATABASE", name.as_str()),
        ("REDIS_HOST", "127.0.0.1"),
        ("REDIS_PORT", "6379"),
        ("REDIS_DB", "0"),
        ("REDIS_PASSWORD", "secret"),
        ("ENVIRONMENT", "LOCAL"),
        ("MS_HOST", "0.0.0.0"),
        ("MS_PORT", port_text.as_str()),
    ];
    let service = Service::spawn("registry", port, &[], &flask, None);
    service.ready().await;
    assert_eq!(engine(port).await, "postgres");
    assert_eq!(session(port, &[("x-api-key", "key")]).await, expected);
}

#[tokio::test]
async fn a_server_that_comes_late_is_waited_for_and_said_to_be_missing() {
    let mut server = Postgres::start();
    let url = format!("db.url={}", server.create_database());
    server.stop();
    let port = free_port();
    let arguments = ["--port", &port.to_string(), "--set", &url];
    let service = Service::spawn("registry", port, &arguments, &[], None);
    wait_for("an answer", || service.is_ready(false)).await;
    assert_eq!(get(port, "/livez").await.unwrap().status, 200);
    let health: Value = serde_json::from_slice(&get(port, "/health").await.unwrap().body).unwrap();
    let reason = part(&health, "db")["reason"].as_str().unwrap();
    assert!(reason.contains(&format!("127.0.0.1:{}", server.port())), "{reason}");
    let answer = get(port, "/api/companies").await.unwrap();
    assert_eq!(answer.status, 503);
    assert!(String::from_utf8_lossy(&answer.body).contains(r#""status":503"#));
    server.start_again();
    service.ready().await;
    assert_eq!(get(port, "/api/companies").await.unwrap().status, 200);
}

#[derive(Default)]
struct Tally {
    registered: AtomicU32,
    unknown: AtomicU32,
    refused: AtomicU32,
    slowest_ms: AtomicU32,
    wrong: AtomicU32,
    stop: AtomicBool,
}

impl Tally {
    fn count(&self, status: u16, took: Duration) {
        let ms = u32::try_from(took.as_millis()).unwrap();
        match status {
            200 | 201 => {}
            503 => {
                self.refused.fetch_add(1, Ordering::Relaxed);
                self.slowest_ms.fetch_max(ms, Ordering::Relaxed);
            }
            _ => {
                self.wrong.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

/// Registers one company after the other, each by one request and never again.
async fn write(port: u16, first: u32, tally: Arc<Tally>) {
    let mut connection = Connection::open(port).await.unwrap();
    let mut number = first;
    while !tally.stop.load(Ordering::Relaxed) {
        let begin = Instant::now();
        let answer = connection.request("POST", "/api/companies", &company(number)).await.unwrap();
        tally.count(answer.status, begin.elapsed());
        let count = if answer.status == 201 { &tally.registered } else { &tally.unknown };
        count.fetch_add(1, Ordering::Relaxed);
        number += 1;
        if answer.status != 201 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

async fn read(port: u16, tally: Arc<Tally>) {
    let mut connection = Connection::open(port).await.unwrap();
    while !tally.stop.load(Ordering::Relaxed) {
        let begin = Instant::now();
        let answer = connection.request("GET", "/api/companies?per_page=1", "").await.unwrap();
        tally.count(answer.status, begin.elapsed());
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_stopped_under_load_and_started_again_loses_nothing() {
    let mut server = Postgres::start();
    let url = format!("db.url={}", server.create_database());
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let port = free_port();
    let port_text = port.to_string();
    let arguments = ["--port", &port_text, "--set", &url, "--set", "log.requests=failures"];
    let service = Service::spawn("registry", port, &arguments, &[], Some(&log));
    service.ready().await;
    let tally = Arc::new(Tally::default());
    let mut tasks = tokio::task::JoinSet::new();
    for writer in 0..4 {
        tasks.spawn(write(port, 1_000_000 * (writer + 1), tally.clone()));
        tasks.spawn(read(port, tally.clone()));
    }
    wait_for("some companies", || async { tally.registered.load(Ordering::Relaxed) > 100 }).await;

    server.stop();
    wait_for("the service to be not ready", || service.is_ready(false)).await;
    wait_for("requests to be refused", || async { tally.refused.load(Ordering::Relaxed) > 50 })
        .await;
    let before = tally.registered.load(Ordering::Relaxed);
    server.start_again();
    wait_for("the service to be ready", || service.is_ready(true)).await;
    wait_for("more companies", || async {
        tally.registered.load(Ordering::Relaxed) > before + 100
    })
    .await;
    tally.stop.store(true, Ordering::Relaxed);
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }

    let page = get(port, "/api/companies?per_page=1").await.unwrap();
    let page: Value = serde_json::from_slice(&page.body).unwrap();
    let total = u32::try_from(page["total"].as_u64().unwrap()).unwrap();
    let (registered, unknown) =
        (tally.registered.load(Ordering::Relaxed), tally.unknown.load(Ordering::Relaxed));
    assert_eq!(tally.wrong.load(Ordering::Relaxed), 0, "answers other than 200, 201 and 503");
    // What was answered 201 is there; what was answered 503 may be, once (its key is its own).
    assert!(total >= registered && total <= registered + unknown, "{registered} {unknown} {total}");
    let slowest = tally.slowest_ms.load(Ordering::Relaxed);
    assert!(slowest < 6_000, "a refusal took {slowest} ms");
    println!(
        "{registered} registered, {unknown} refused writes, {total} rows, slowest refusal {slowest} ms"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_replicas_at_once_on_an_empty_database_are_all_ready() {
    let url = format!("db.url={}", database());
    let services: Vec<Service> = (0..10)
        .map(|_| {
            let port = free_port();
            let arguments =
                ["--port", &port.to_string(), "--set", &url, "--set", "db.max_connections=2"];
            Service::spawn("registry", port, &arguments, &[], None)
        })
        .collect();
    for service in &services {
        service.ready().await;
    }
    let mut connection = Connection::open(services[0].port).await.unwrap();
    connection.request("POST", "/api/companies", &company(1)).await.unwrap();
    for service in &services {
        let page = get(service.port, "/api/companies").await.unwrap();
        let page: Value = serde_json::from_slice(&page.body).unwrap();
        assert_eq!(page["total"], 1);
    }
}

#[tokio::test]
async fn a_secret_is_nowhere_to_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let secret = "hunter2-correct-horse";
    let file = folder.path().join("password");
    std::fs::write(&file, format!("{secret}\n")).unwrap();
    let yaml = folder.path().join("config.yaml");
    let text =
        format!("db:\n  host: 127.0.0.1:1\n  user: me\n  database: x\n  password: {secret}\n");
    std::fs::write(&yaml, text).unwrap();
    let url = format!("postgres://me:{secret}@127.0.0.1:1/x");
    let common =
        [("PITON_DB_HOST", "127.0.0.1:1"), ("PITON_DB_USER", "me"), ("PITON_DB_DATABASE", "x")];
    let by_variable = [common.as_slice(), &[("PITON_DB_PASSWORD", secret)]].concat();
    let by_file =
        [common.as_slice(), &[("PITON_DB_PASSWORD_FILE", file.to_str().unwrap())]].concat();
    let by_alias = [common.as_slice(), &[("POSTGRESQL_PASSWORD", secret)]].concat();
    let by_url = [("DATABASE_URL", url.as_str())];
    let (config, yaml) = ("--config".to_owned(), yaml.display().to_string());
    for (variables, arguments) in [
        (by_variable.as_slice(), Vec::new()),
        (by_file.as_slice(), Vec::new()),
        (by_alias.as_slice(), Vec::new()),
        (by_url.as_slice(), Vec::new()),
        (&[], vec![config.as_str(), yaml.as_str()]),
    ] {
        let port = free_port();
        let log = folder.path().join("log");
        let port_text = port.to_string();
        let more = ["--port", &port_text, "--log-level", "trace"];
        let arguments = [arguments.as_slice(), &more].concat();
        let service = Service::spawn("registry", port, &arguments, variables, Some(&log));
        wait_for("an answer", || service.is_ready(false)).await;
        let mut said = String::new();
        for path in ["/api/companies", "/info", "/health", "/metrics", "/nowhere"] {
            said += &String::from_utf8_lossy(&get(port, path).await.unwrap().body);
        }
        assert!(said.contains("db.password") && said.contains("***"), "{said}");
        service.signal("TERM").await;
        service.ended().await;
        for verb in [vec!["config"], vec!["config", "--json"], vec!["config", "--example"]] {
            let arguments = [arguments.as_slice(), &verb].concat();
            let output = test_support::service::run("registry", &arguments, variables).await;
            said += &String::from_utf8_lossy(&[output.stdout, output.stderr].concat());
        }
        // Something else is wrong too: the report names every setting and no secret.
        let arguments = [arguments.as_slice(), &["--set", "http.port=x"]].concat();
        let output = test_support::service::run("registry", &arguments, variables).await;
        assert_eq!(output.status.code(), Some(2));
        said += &String::from_utf8_lossy(&output.stderr);
        said += &std::fs::read_to_string(&log).unwrap();
        assert!(said.contains("connect to postgres at 127.0.0.1:1/x"), "{said}");
        assert!(!said.contains("hunter2") && !said.contains(secret), "{said}");
    }
}
