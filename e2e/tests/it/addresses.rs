//! Tests which database addresses the built registry accepts, and how it refuses the rest.

use test_support::free_port;
use test_support::pgbouncer::PgBouncer;
use test_support::postgres::{Postgres, database};
use test_support::service::{Service, run};

use super::database::session;

#[tokio::test]
async fn an_address_that_is_not_understood_ends_the_launch_with_the_variable_and_the_fix() {
    let endpoint = |text: &'static str| {
        vec![("GNAR_PG_ENDPOINT", text), ("GNAR_PG_USERNAME", "me"), ("GNAR_PG_DATABASE", "d")]
    };
    let url = |text: &'static str| vec![("DATABASE_URL", text)];
    for (variables, words) in [
        (endpoint("127.0.0.1:99999"), "65535"),
        (endpoint("127.0.0.1:5999/"), "65535"),
        (endpoint("127.0.0.1:"), "missing"),
        (endpoint("127.0.0.1:5999 sslmod=require"), "sslmod"),
        (endpoint("a,,b"), "host is missing"),
        (endpoint("postgres://me:hunter2@h/d"), "URL"),
        (endpoint("me:hunter2@h:5432"), "db.user"),
        (endpoint("h password=hunter2 nonsense=1"), "quote"),
        (endpoint("h password='hunter2 hunter2' nonsense=1"), "quote"),
        (endpoint("h password = hunter2 nonsense=1"), "quote"),
        (url("postgres://a:hunter2#c@h/d"), "%23"),
        (url("postgres://a:hunter2/c@h/d"), "%2F"),
        (url("postgres://a:hunter2@h/d?sslmod=require"), "sslmod"),
        (url("postgres://a:hunter2@h:0/d"), "65535"),
        (url("postgres://h/d"), "db.user"),
        (url("postgres://a@h"), "db.database"),
        (url("host=h user=a dbname=d password='hunter2 x"), "quote"),
        (url("host=h user=a dbname=d password = hunter2 port=x"), "65535"),
    ] {
        for verb in [&[][..], &["config"]] {
            let output = run("registry", verb, &variables).await;
            let said =
                String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
            assert_eq!(output.status.code(), Some(2), "{variables:?} {verb:?}: {said}");
            assert!(said.contains(variables[0].0), "{variables:?}: {said}");
            assert!(said.contains(words) && said.contains("fix: "), "{variables:?}: {said}");
            assert!(!said.contains("hunter2"), "{variables:?}: {said}");
        }
    }
}

#[tokio::test]
async fn every_form_of_an_address_reaches_the_database() {
    let url = database();
    let (_, rest) = url.split_once('@').unwrap();
    let (endpoint, name) = rest.split_once('/').unwrap();
    let (host, server_port) = endpoint.split_once(':').unwrap();
    let closed = free_port();
    let words = format!("{host} port={server_port} sslmode=prefer");
    let list = format!("127.0.0.1:{closed},{endpoint}");
    let conninfo = format!("host={host} port={server_port} user=postgres dbname={name}");
    let query = format!("postgres:///?host={host}&port={server_port}&user=postgres&dbname={name}");
    let of_endpoint = |text: &str| {
        vec![
            ("GNAR_PG_ENDPOINT", text.to_owned()),
            ("GNAR_PG_USERNAME", "postgres".to_owned()),
            ("GNAR_PG_DATABASE", name.to_owned()),
        ]
    };
    for variables in [
        of_endpoint(&words),
        of_endpoint(&list),
        vec![("DATABASE_URL", conninfo)],
        vec![("DATABASE_URL", query)],
    ] {
        let variables: Vec<_> = variables.iter().map(|(name, value)| (*name, &**value)).collect();
        let output = run("registry", &["migrate", "status"], &variables).await;
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert_eq!(output.status.code(), Some(0), "{variables:?}: {said}");
        assert!(said.contains("postgres.sql"), "{said}");
    }
}

#[tokio::test]
async fn verbs_end_at_once_where_the_server_lets_nobody_in() {
    let server = Postgres::start_with_passwords();
    server.execute("CREATE ROLE me LOGIN PASSWORD 'right'");
    let port = server.port();
    for (url, words) in [
        (format!("postgres://me:hunter2@127.0.0.1:{port}/postgres"), "password of the user `me`"),
        (format!("postgres://me:right@127.0.0.1:{port}/nowhere"), "no such database"),
    ] {
        for verb in [&["migrate", "up"][..], &["migrate", "status"], &["keys", "list"]] {
            let begin = std::time::Instant::now();
            let output = run("registry", verb, &[("DATABASE_URL", &url)]).await;
            let said =
                String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
            assert_eq!(output.status.code(), Some(1), "{verb:?}: {said}");
            assert!(said.contains(words), "{verb:?}: {said}");
            assert!(!said.contains("hunter2"), "{verb:?}: {said}");
            assert!(begin.elapsed().as_secs() < 10, "{verb:?} took {:?}", begin.elapsed());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_answers_behind_pgbouncer_are_those_of_the_server_itself() {
    let start = |url: &str, more: &[&str]| {
        let port = free_port();
        let (port_text, url) = (port.to_string(), format!("db.url={url}"));
        let arguments = [&["--port", &port_text, "--set", &url], more].concat();
        Service::spawn("registry", port, &arguments, &[], None)
    };
    let direct = start(&database(), &[]);
    direct.ready().await;
    let expected = session(direct.port, &[]).await;
    for (pool_mode, more) in [
        ("transaction", &[][..]),
        ("transaction", &["--set", "db.pgbouncer=transaction"]),
        ("session", &["--set", "db.pgbouncer=session"]),
    ] {
        let pooler = PgBouncer::start(&database(), pool_mode, "");
        let service = start(pooler.url(), more);
        service.ready().await;
        assert_eq!(session(service.port, &[]).await, expected, "{pool_mode} {more:?}");
    }
}

#[tokio::test]
async fn a_statement_that_takes_too_long_is_answered_before_the_request_is() {
    let port = free_port();
    let port_text = port.to_string();
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let url = format!("db.url={}", database());
    let arguments = [
        "--port",
        &port_text,
        "--set",
        &url,
        "--set",
        "http.timeout=10s",
        "--set",
        "db.statement_timeout=30s",
    ];
    let service = Service::spawn("registry", port, &arguments, &[], Some(&log));
    service.ready().await;
    let said = std::fs::read_to_string(&log).unwrap();
    assert!(said.contains("db.statement_timeout (30s) is not below http.timeout (10s)"), "{said}");
}
