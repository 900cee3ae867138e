//! Tests the built registry while one PostgreSQL server takes the place of another: a real
//! streaming standby is promoted, behind a proxy that moves as a name or a virtual address does,
//! and as the second of two hosts.

use std::time::{Duration, Instant};

use serde_json::Value;
use test_support::http_client::{Connection, get};
use test_support::postgres::Postgres;
use test_support::service::Service;
use test_support::tcp_proxy::Proxy;
use test_support::{free_port, wait_for};

use super::company;

/// Maximum time from the switch to the next successful write.
const MAX_GAP: Duration = Duration::from_secs(5);

fn start(url: &str, more: &[&str]) -> Service {
    let port = free_port();
    let (port_text, url) = (port.to_string(), format!("db.url={url}"));
    let arguments = [&["--port", &port_text, "--set", &url], more].concat();
    Service::spawn("registry", port, &arguments, &[], None)
}

async fn write(service: &Service, number: u32) -> u16 {
    let mut connection = Connection::open(service.port).await.unwrap();
    connection.request("POST", "/api/companies", &company(number)).await.unwrap().status
}

/// Writes a new company until one is accepted. Returns the time that it took.
async fn write_again(service: &Service, first: u32) -> Duration {
    let begin = Instant::now();
    let mut number = first;
    loop {
        match write(service, number).await {
            201 => return begin.elapsed(),
            status => assert_eq!(status, 503),
        }
        number += 1;
        assert!(begin.elapsed() < Duration::from_secs(30), "no write was taken again");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn reason(service: &Service) -> String {
    let health = get(service.port, "/health").await.unwrap().body;
    let health: Value = serde_json::from_slice(&health).unwrap();
    let mut parts = health["parts"].as_array().unwrap().iter();
    let part = parts.find(|part| part["name"] == "db").unwrap();
    part["reason"].as_str().unwrap_or_default().to_owned()
}

/// Waits until the standby has received the primary's writes.
async fn wait_for_replication(standby: u16, database: &str, number: u32) {
    let url =
        format!("postgres://postgres@127.0.0.1:{standby}/{database}?target_session_attrs=any");
    let reader = start(&url, &["--set", "db.migrate=false"]);
    wait_for("the standby to follow", || async {
        let page = get(reader.port, "/api/companies?per_page=1").await;
        page.is_ok_and(|page| page.status == 200 && page.json()["total"] == number)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_standby_that_takes_over_behind_one_address_is_written_to_within_seconds() {
    let mut primary = Postgres::start();
    let url = primary.create_database();
    let database = url.rsplit_once('/').unwrap().1.to_owned();
    let standby = primary.start_standby();
    let proxy = Proxy::start(primary.port()).await;
    let service = start(&format!("postgres://postgres@127.0.0.1:{}/{database}", proxy.port()), &[]);
    service.ready().await;
    assert_eq!(write(&service, 1).await, 201);
    wait_for_replication(standby.port(), &database, 1).await;

    // The address moves before the standby is promoted, so it can be read and not written.
    primary.stop();
    proxy.switch(standby.port());
    wait_for("the service to be not ready", || service.is_ready(false)).await;
    wait_for("the reason", || async { reason(&service).await.contains("read-only") }).await;
    assert_eq!(write(&service, 2).await, 503);
    // The sessions that refused the write are given up, which a read at that very moment may meet.
    wait_for("a read to be answered", || async {
        let page = get(service.port, "/api/companies?per_page=1").await.unwrap();
        page.status == 200 && page.json()["total"].as_u64() == Some(1)
    })
    .await;

    standby.promote();
    let gap = write_again(&service, 10).await;
    assert!(gap < MAX_GAP, "{gap:?}");
    wait_for("the service to be ready", || service.is_ready(true)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_of_an_old_server_that_lives_on_read_only_are_given_up() {
    let old = Postgres::start();
    let url = old.create_database();
    let database = url.rsplit_once('/').unwrap().1.to_owned();
    let new = old.start_standby();
    let proxy = Proxy::start(old.port()).await;
    let service = start(&format!("postgres://postgres@127.0.0.1:{}/{database}", proxy.port()), &[]);
    service.ready().await;
    for number in 1..=4 {
        assert_eq!(write(&service, number).await, 201);
    }
    wait_for_replication(new.port(), &database, 4).await;

    // The old server becomes read-only, and keeps its connections.
    new.promote();
    proxy.switch(new.port());
    old.execute("ALTER SYSTEM SET default_transaction_read_only = on");
    old.execute("SELECT pg_reload_conf()");
    wait_for("a write to be refused or taken by the new server", || async {
        write(&service, 100).await != 201 || reason(&service).await.is_empty()
    })
    .await;
    let gap = write_again(&service, 200).await;
    assert!(gap < MAX_GAP, "{gap:?}");
    // The old server's sessions must be gone, so every write succeeds.
    let taken = futures_of_writes(&service, 300).await;
    assert!(taken.iter().all(|status| *status == 201), "{taken:?}");
    wait_for("the service to be ready", || service.is_ready(true)).await;
}

async fn futures_of_writes(service: &Service, first: u32) -> Vec<u16> {
    let mut statuses = Vec::new();
    for number in first..first + 20 {
        statuses.push(write(service, number).await);
    }
    statuses
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_hosts_the_one_that_can_write_is_used() {
    let mut primary = Postgres::start();
    let url = primary.create_database();
    let database = url.rsplit_once('/').unwrap().1.to_owned();
    let standby = primary.start_standby();
    let (one, two) = (standby.port(), primary.port());
    // The standby comes first, and must be skipped because it cannot write.
    let address = format!("postgres://postgres@127.0.0.1:{one},127.0.0.1:{two}/{database}");
    let service = start(&address, &[]);
    service.ready().await;
    assert_eq!(write(&service, 1).await, 201);
    wait_for_replication(one, &database, 1).await;

    primary.stop();
    wait_for("the service to be not ready", || service.is_ready(false)).await;
    wait_for("the reason", || async {
        let why = reason(&service).await;
        why.contains("read-write") && why.contains("is read-only")
    })
    .await;
    standby.promote();
    let gap = write_again(&service, 10).await;
    assert!(gap < MAX_GAP, "{gap:?}");
    wait_for("the service to be ready", || service.is_ready(true)).await;
    let page = get(service.port, "/api/companies?per_page=1").await.unwrap();
    assert_eq!(page.json()["total"], 2);
}
