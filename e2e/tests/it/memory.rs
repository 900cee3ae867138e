//! Tests the registry with clients that try to make it hold more memory than there is.

use serde_json::{Value, json};
use test_support::http_client::{Connection, get};
use test_support::service::{Service, run};
use test_support::stalled_clients::{leave_responses_unread, send_unfinished_bodies};
use test_support::{cnpj, free_port, wait_for};

const MIB: u64 = 1 << 20;

/// The memory that the process may take in addition to the budget, in bytes: the buffers of 400
/// connections (64 KiB each), and what its allocator does not return to the system.
pub const BESIDE: u64 = 96 * MIB;

#[tokio::test]
async fn four_hundred_unfinished_bodies_stay_within_the_budget() {
    let settings = ["--set", "http.memory_budget=64MiB", "--set", "http.timeout=6s"];
    let service = Service::start("registry", free_port(), &settings).await;
    let port = service.port;
    assert_eq!(get(port, "/api/companies").await.unwrap().status, 200);
    let before = service.peak_memory();
    let flood = tokio::spawn(send_unfinished_bodies(port, "/api/companies", 400, 2 << 20));
    wait_for("refusals", || async {
        let metrics = get(port, "/metrics").await.unwrap();
        let text = String::from_utf8_lossy(&metrics.body).into_owned();
        text.lines().any(|line| {
            line.strip_prefix("http_server_memory_refused_requests_total ")
                .is_some_and(|count| count != "0")
        })
    })
    .await;
    // Other clients are still served, even with bodies.
    assert_eq!(get(port, "/api/companies").await.unwrap().status, 200);
    let mut connection = Connection::open(port).await.unwrap();
    let answer = connection.request("POST", "/api/companies", &super::company(1)).await.unwrap();
    assert_eq!(answer.status, 201);
    let fate = flood.await.unwrap();
    let grown = service.peak_memory() - before;
    assert!(grown < 64 * MIB + BESIDE, "{} MiB, {fate:?}", grown / MIB);
    assert!(fate.refused > 200 && fate.lost == 0, "{fate:?}");
    // The budget is released when the flood ends.
    let answer = connection.request("POST", "/api/companies", &super::company(2)).await.unwrap();
    assert_eq!(answer.status, 201);
}

/// Returns a company of nearly the maximum size, some 90 KB; `revision` makes it differ.
fn large(revision: usize) -> Value {
    let partners: Vec<Value> = (0..100)
        .map(|number| json!({ "name": format!("{revision:04} {number:02} {}", "é".repeat(180)) }))
        .collect();
    json!({ "name": format!("Revision {revision}"), "state": "SP", "partners": partners })
}

#[tokio::test]
async fn a_page_of_large_entries_is_cut_and_thirty_that_nobody_reads_stay_within_the_budget() {
    const REVISIONS: usize = 120;
    let service = Service::start("registry", free_port(), &[]).await;
    let port = service.port;
    let mut connection = Connection::open(port).await.unwrap();
    let registered =
        connection.request("POST", "/api/companies", &super::company(1)).await.unwrap();
    assert_eq!(registered.status, 201);
    let company = format!("/api/companies/{}", cnpj(1));
    for revision in 2..=REVISIONS {
        let body = large(revision).to_string();
        let changed = connection.request("PUT", &company, &body).await.unwrap();
        assert_eq!(changed.status, 200);
    }
    let before = service.peak_memory();

    // Following the links yields each change once, in pages of a limited size.
    let (mut query, mut seen) = ("per_page=1000".to_owned(), Vec::new());
    let mut pages = 0;
    loop {
        let answer =
            connection.request("GET", &format!("{company}/history?{query}"), "").await.unwrap();
        assert_eq!((answer.status, answer.header("x-total-count")), (200, "120"));
        assert!(answer.body.len() < 2 << 20, "{}", answer.body.len());
        let entries = answer.json();
        seen.extend(entries.as_array().unwrap().iter().map(|entry| entry["revision"].as_u64()));
        pages += 1;
        let next = answer.header("link").split(", ").find(|link| link.ends_with("rel=\"next\""));
        let Some(next) = next else { break };
        query = next.trim_start_matches("<?").split('>').next().unwrap().to_owned();
    }
    assert!((2..=12).contains(&pages), "{pages}");
    assert!(seen.iter().map(|it| it.unwrap()).eq((1..=REVISIONS as u64).rev()), "{seen:?}");

    let paths = (0..30).map(|index| format!("{company}/history?per_page={}", 1000 - index));
    let unread = leave_responses_unread(port, paths).await.unwrap();
    for _ in 0..20 {
        assert_eq!(get(port, "/api/companies?per_page=1").await.unwrap().status, 200);
    }
    let grown = service.peak_memory() - before;
    assert!(grown < 150 * MIB, "{} MiB", grown / MIB);
    drop(unread);
}

#[tokio::test]
async fn a_budget_that_holds_no_body_is_refused_at_the_start() {
    for (setting, part) in [
        ("http.memory_budget=1MiB", "http.body_limit (2MiB) would never fit"),
        ("http.memory_budget=1TiB", "more than there is"),
    ] {
        let output = run("registry", &["--set", setting], &[]).await;
        let message = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{message}");
        assert!(message.contains(part) && message.contains("http.memory_budget="), "{message}");
    }
}
