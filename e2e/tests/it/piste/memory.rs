//! Tests piste with little memory: in a small container, and with clients that try to make it hold
//! more.

use serde_json::json;
use test_support::cgroup::Cgroup;
use test_support::moto::{Boto3, Moto};
use test_support::postgres::database;
use test_support::service::Service;
use test_support::stalled_clients::send_unfinished_bodies;

use super::{Deployment, get, post, signup};
use crate::memory::BESIDE;

const MIB: u64 = 1 << 20;

#[tokio::test]
async fn four_hundred_unfinished_logins_stay_within_the_budget() {
    let piste = Deployment::new(&database())
        .set("http.memory_budget=64MiB")
        .set("http.timeout=6s")
        // Limits hashes to one at a time, because they have a budget of their own that is not
        // tested here.
        .set("password.memory_budget=64MiB");
    let service = piste.start().await;
    let login = json!({ "email": "ada@example.org", "password": "wrong" });
    assert_eq!(post(piste.port, "/user/login", &login).await.status, 401);
    let before = service.peak_memory();
    let flood = tokio::spawn(send_unfinished_bodies(piste.port, "/user/login", 400, 2 << 20));
    let mut logins = 0;
    while !flood.is_finished() {
        assert_eq!(get(piste.port, "/user/get", &[]).await.status, 200);
        assert_eq!(post(piste.port, "/user/login", &login).await.status, 401);
        logins += 1;
    }
    let fate = flood.await.unwrap();
    let grown = service.peak_memory().saturating_sub(before);
    assert!(grown < 64 * MIB + BESIDE, "{} MiB, {fate:?}", grown / MIB);
    assert!(fate.refused > 200 && fate.lost == 0 && logins > 2, "{fate:?}, {logins} logins");
}

/// Starts piste in a container of 64 MB. `None` if this machine does not let tests make one.
fn in_a_small_container(piste: &Deployment) -> Option<(Service, Cgroup)> {
    let group = Cgroup::with_memory(64 * MIB)?;
    let log = piste.log.as_deref();
    let service =
        Service::spawn_in(&group, "piste", piste.port, &piste.arguments(), &piste.variables(), log);
    Some((service, group))
}

#[tokio::test]
async fn a_container_that_holds_no_hash_is_refused_with_the_numbers_and_the_fix() {
    let folder = tempfile::tempdir().unwrap();
    let mut piste = Deployment::new(&database());
    piste.log = Some(folder.path().join("log"));
    let Some((service, _group)) = in_a_small_container(&piste) else {
        return eprintln!("no control group can be made here: not tested");
    };
    assert_eq!(service.ended().await.code(), Some(2));
    let log = std::fs::read_to_string(folder.path().join("log")).unwrap();
    for part in
        ["password.profile", "one hash needs 64MiB", "64MiB in all", "memory_cost_kib=19456"]
    {
        assert!(log.contains(part), "`{part}` is missing in {log}");
    }
}

#[tokio::test]
async fn signups_are_served_in_a_container_of_64_mb() {
    let moto = Moto::start();
    let mut boto3 = Boto3::of(&moto);
    boto3.ask(&json!({ "op": "verify", "address": "gnar@example.com" }));
    boto3.ask(&json!({ "op": "create", "queue": "gnar-queue" }));
    let piste = Deployment::new(&database())
        .amazon(&moto.url())
        .with("GNAR_ACTIVATION_FROM", "gnar@example.com")
        .with("GNAR_ARGON2_MEMORY_COST", "19456")
        .set("http.timeout=10s");
    let Some((service, group)) = in_a_small_container(&piste) else {
        return eprintln!("no control group can be made here: not tested");
    };
    service.ready().await;
    let mut signups = tokio::task::JoinSet::new();
    for number in 0..24 {
        let port = piste.port;
        signups
            .spawn(async move { signup(port, &format!("user{number}@example.org")).await.status });
    }
    let statuses = signups.join_all().await;
    assert!(statuses.iter().all(|status| matches!(status, 200 | 503)), "{statuses:?}");
    assert!(statuses.contains(&200), "{statuses:?}");
    // The kernel has not killed the process, so it still answers.
    assert_eq!(get(piste.port, "/user/get", &[]).await.status, 200);
    let fate = send_unfinished_bodies(piste.port, "/user/login", 40, 2 << 20).await;
    assert!(fate.refused > 20 && fate.lost == 0, "{fate:?}");
    assert_eq!(get(piste.port, "/user/get", &[]).await.status, 200);
    drop((service, group));
}
