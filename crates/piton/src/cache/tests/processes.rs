//! Several processes on one Redis.

use test_support::redis::{Redis, Sentinel};

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_make_one_computation_of_two_hundred_misses() {
    let server = Redis::start();
    let (one, other) = (Process::on(&server).await, Process::on(&server).await);
    let slow = Slow::default();
    let asked: Vec<_> = (0..200)
        .map(|n| slow.start_caller(if n % 2 == 0 { &one } else { &other }, "a", n))
        .collect();
    slow.started.notified().await;
    test_support::wait_for("all to have asked", async || {
        let misses = "cache_lookups_total{result=\"miss\"}";
        one.counted(misses) + other.counted(misses) == 200
    })
    .await;
    slow.finish(1);
    for asked in asked {
        asked.await.unwrap().unwrap();
    }
    assert_eq!(slow.runs(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn if_the_computing_process_fails_the_other_takes_over() {
    let server = Redis::start();
    let settings = CacheSettings { wait: Duration::from_secs(3600), ..on(&server) };
    let (one, other) = (Process::start(settings.clone()).await, Process::start(settings).await);
    let slow = Slow::default();
    let first = slow.start_caller(&one, "a", 1);
    slow.started.notified().await;
    let second = slow.start_caller(&other, "a", 2);
    test_support::wait_for("it to wait", async || {
        other.counted("cache_lookups_total{result=\"miss\"}") == 1
    })
    .await;
    assert_eq!(slow.runs(), 1);
    first.abort();
    slow.finish(1);
    test_support::wait_for("the other to take over", async || second.is_finished()).await;
    assert_eq!(second.await.unwrap(), Ok(2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_process_is_waited_for_no_longer_than_configured() {
    let server = Redis::start();
    let wait = Duration::from_millis(300);
    let one = Process::on(&server).await;
    let other = Process::start(CacheSettings { wait, ..on(&server) }).await;
    let slow = Slow::default();
    let _never = slow.start_caller(&one, "a", 1);
    slow.started.notified().await;
    let begin = Instant::now();
    assert_eq!(current_value(&other, "a", 2).await, 2);
    let waited = begin.elapsed();
    assert!(waited >= wait && waited < wait * 10, "{waited:?}");
    // The value was stored all the same.
    assert_eq!(current_value(&other, "a", 3).await, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_value_invalidated_by_another_process_is_neither_served_nor_stored() {
    let server = Redis::start();
    let (one, other) = (Process::on(&server).await, Process::on(&server).await);
    assert_eq!(current_value(&one, "a", 1).await, 1);
    assert_eq!(current_value(&other, "a", 2).await, 1);
    other.invalidate(["slow"]).await;
    assert_eq!(current_value(&one, "a", 3).await, 3);

    let slow = Slow::default();
    one.delete("a").await;
    let before = slow.start_caller(&one, "a", 4);
    slow.started.notified().await;
    other.delete("a").await;
    // In the computing process too, no caller joins the outdated flight.
    assert_eq!(current_value(&one, "a", 5).await, 5);
    slow.finish(1);
    assert_eq!(before.await.unwrap(), Ok(4));
    assert_eq!(current_value(&one, "a", 6).await, 5);
    assert_eq!(current_value(&other, "a", 7).await, 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn services_with_different_namespaces_share_no_values() {
    let server = Redis::start();
    let one = Process::on(&server).await;
    let namespace = Some("other".to_owned());
    let other = Process::start(CacheSettings { namespace, ..on(&server) }).await;
    one.set("a", &1).await;
    other.set("a", &2).await;
    other.clear().await;
    assert_eq!(one.get::<u32>("a").await, Some(1));
    assert_eq!(other.get::<u32>("a").await, None);
    let keys = server.command(&["KEYS", "*"]);
    assert!(
        keys.lines().all(|key| key.starts_with("shop:cache:") || key.starts_with("other:cache:"))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_key_in_redis_but_the_servers_identity_has_a_time_to_live() {
    let server = Redis::start();
    let one = Process::on(&server).await;
    current_value(&one, "a", 1).await;
    one.entry("b").tags(["x"]).set(&1).await;
    for key in server.command(&["KEYS", "*"]).lines().filter(|key| *key != "shop:cache:s") {
        let ttl: i64 = server.command(&["TTL", key]).parse().unwrap();
        assert!(ttl > 0, "{key}: {ttl}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_and_a_number_of_a_database_are_used() {
    let server = Redis::start_with_password("hunter2");
    let settings = CacheSettings { password: Some("hunter2".into()), db: Some(3), ..on(&server) };
    let one = Process::start(settings).await;
    one.wait_until_up().await;
    one.set("a", &1).await;
    assert!(server.command(&["-n", "3", "EXISTS", "shop:cache:d:a"]).ends_with('1'));
}

/// The rights of a user as documented in `docs/cache.md`.
const RIGHTS: &str =
    "+eval +evalsha +script|load +get +getrange +set +del +mget +pttl +pexpire +info +ping +select";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_needs_no_more_rights_than_documented() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/cache.md"))
        .unwrap();
    assert!(page.contains(RIGHTS));
    let server = Redis::start();
    let words = ["ACL", "SETUSER", "shop", "on", ">hunter2", "~shop:cache:*"];
    let words: Vec<&str> = words.into_iter().chain(RIGHTS.split(' ')).collect();
    assert_eq!(server.command(&words), "OK");
    for db in [None, Some(3)] {
        let (username, password) = (Some("shop".to_owned()), Some("hunter2".into()));
        let one = Process::start(CacheSettings { username, password, db, ..on(&server) }).await;
        one.wait_until_up().await;
        one.entry("a").tags(["x"]).set(&1).await;
        assert_eq!(one.get::<u32>("a").await, Some(1));
        one.invalidate(["x"]).await;
        assert_eq!(one.get::<u32>("a").await, None);
        assert_eq!(current_value(&one, "b", 2).await, 2);
        assert_eq!(current_value(&one, "b", 3).await, 2);
        one.clear().await;
        assert_eq!(current_value(&one, "b", 4).await, 4);
        assert_eq!(one.counted("cache_errors_total"), 0, "{db:?}");
        assert!(matches!(one.health().await, Health::Up), "{db:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_node_is_refused_with_the_fix() {
    let server = Redis::start_with(&["--cluster-enabled", "yes"]);
    for settings in [on(&server), CacheSettings { db: Some(3), ..on(&server) }] {
        let one = Process::start(settings).await;
        let Health::Degraded(reason) = one.health().await else { panic!("it cannot be up") };
        assert!(reason.contains("Redis Cluster, which is not supported"), "{reason}");
        assert!(reason.contains("cache.sentinel"), "{reason}");
        // The request succeeds all the same, because the cache is never the only copy.
        assert_eq!(current_value(&one, "a", 1).await, 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password_is_reported_without_the_password() {
    let server = Redis::start_with_password("hunter2");
    let settings = CacheSettings { password: Some("hunter3".into()), ..on(&server) };
    let one = Process::start(settings).await;
    let Health::Degraded(reason) = one.health().await else { panic!("it cannot be up") };
    assert!(reason.contains("authentication") && !reason.contains("hunter"), "{reason}");
    assert!(!format!("{one:?}", one = one.cache).contains("hunter"));
    assert_eq!(current_value(&one, "a", 1).await, 1);
    assert_eq!(current_value(&one, "a", 2).await, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_verifies_the_certificate_of_the_server() {
    let (server, authority) = Redis::start_with_tls();
    let settings = |host: &str, tls, authority: Option<&std::path::PathBuf>| CacheSettings {
        host: host.parse().ok(),
        tls: Some(tls),
        tls_ca: authority.cloned(),
        ..on(&server)
    };
    let up = Process::start(settings("localhost", RedisTls::Verify, Some(&authority))).await;
    up.wait_until_up().await;
    up.set("a", &1).await;
    assert_eq!(up.get::<u32>("a").await, Some(1));
    let anybody = Process::start(settings("127.0.0.1", RedisTls::Require, None)).await;
    anybody.wait_until_up().await;
    for wrong in [
        settings("127.0.0.1", RedisTls::Verify, Some(&authority)),
        settings("localhost", RedisTls::Verify, None),
        settings("localhost", RedisTls::Disable, None),
    ] {
        let refused = Process::start(wrong).await;
        assert!(matches!(refused.health().await, Health::Degraded(_)));
        assert_eq!(current_value(&refused, "a", 5).await, 5);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_promoted_replica_is_found_and_older_values_are_invalid() {
    let mut master = Redis::start();
    let replica = Redis::start_replica_of(&master);
    let sentinel = Sentinel::start(&master);
    test_support::wait_for("the sentinel to know both", async || sentinel.knows_replica()).await;
    let settings =
        CacheSettings { sentinel: vec![sentinel.address().parse().unwrap()], ..settings() };
    let (one, other) = (Process::start(settings.clone()).await, Process::start(settings).await);
    one.wait_until_up().await;
    other.wait_until_up().await;
    assert_eq!(current_value(&one, "a", 1).await, 1);
    let begin = "shop:cache:d:a";
    test_support::wait_for("replication", async || {
        replica.command(&["EXISTS", begin]).ends_with('1')
    })
    .await;

    master.kill();
    // Cannot be delivered, because no server is available.
    one.invalidate(["slow"]).await;
    test_support::wait_for("the failover", async || sentinel.master() == Some(replica.port()))
        .await;
    one.wait_until_up().await;
    assert_eq!(current_value(&one, "a", 2).await, 2);
    other.wait_until_up().await;
    assert_eq!(current_value(&other, "a", 3).await, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_is_refused_as_the_server() {
    let master = Redis::start();
    let replica = Redis::start_replica_of(&master);
    let one = Process::start(on(&replica)).await;
    let Health::Degraded(reason) = one.health().await else { panic!("it cannot be up") };
    assert!(reason.contains("replica"), "{reason}");
    assert_eq!(current_value(&one, "a", 1).await, 1);
}
