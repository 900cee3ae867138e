//! Outages: Redis is killed, paused, full, or restored from an old snapshot.

use test_support::redis::Redis;

use super::*;

/// Waits until the process has noticed that Redis is unavailable.
async fn wait_until_unavailable(process: &Process) {
    test_support::wait_for("the loss", async || {
        matches!(process.health().await, Health::Degraded(_))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_server_everything_is_computed_and_nothing_fails() {
    let server = Redis::start();
    let settings = on(&server);
    drop(server);
    let one = Process::start(settings).await;
    let Health::Degraded(reason) = one.health().await else { panic!("it cannot be up") };
    assert!(reason.contains("refused"), "{reason}");
    one.set("a", &1).await;
    assert_eq!(one.get::<u32>("a").await, None);
    one.invalidate(["slow"]).await;
    let slow = Slow::default();
    let asked: Vec<_> = (0..50).map(|number| slow.start_caller(&one, "a", number)).collect();
    slow.started.notified().await;
    test_support::wait_for("all to wait", async || {
        one.counted("cache_lookups_total{result=\"unavailable\"}") == 51
    })
    .await;
    slow.finish(1);
    for asked in asked {
        asked.await.unwrap().unwrap();
    }
    assert_eq!(slow.runs(), 1, "they still share a computation");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_snapshot_does_not_revive_an_invalidated_value() {
    let mut server = Redis::start();
    let (one, other) = (Process::on(&server).await, Process::on(&server).await);
    assert_eq!(current_value(&one, "a", 1).await, 1);
    server.save();
    other.invalidate(["slow"]).await;
    assert_eq!(current_value(&one, "a", 2).await, 2);
    server.kill();
    server.start_again();
    // The old value is restored with its version, and so looks valid.
    assert_eq!(server.command(&["EXISTS", "shop:cache:d:a"]), "1");
    for process in [&one, &other] {
        assert_ne!(current_value(process, "a", 3).await, 1);
        test_support::wait_for("the handshake", async || process.health().await == Health::Up)
            .await;
    }
    assert_ne!(current_value(&other, "a", 4).await, 1);
    assert_ne!(current_value(&Process::on(&server).await.cache, "a", 5).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reconnection_to_the_same_server_invalidates_nothing() {
    let server = Redis::start();
    let one = Process::on(&server).await;
    assert_eq!(current_value(&one, "a", 1).await, 1);
    one.invalidate(["other"]).await;
    let _ = server.command(&["CLIENT", "KILL", "TYPE", "normal"]);
    test_support::wait_for("the value", async || one.get::<u32>("a").await == Some(1)).await;
    let _ = server.command(&["SCRIPT", "FLUSH"]);
    test_support::wait_for("the value", async || one.get::<u32>("a").await == Some(1)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_undelivered_invalidation_is_made_up_for() {
    let server = Redis::start();
    let quick = CacheSettings { timeout: Duration::from_millis(100), ..on(&server) };
    let one = Process::start(quick).await;
    one.wait_until_up().await;
    let other = Process::on(&server).await;
    assert_eq!(current_value(&one, "a", 1).await, 1);
    server.freeze();
    assert_eq!(current_value(&one, "a", 2).await, 2);
    // Unavailable, so that no command is queued that the server could execute when it resumes.
    one.invalidate(["slow"]).await;
    assert_eq!(one.counted("cache_invalidations_total{result=\"undelivered\"}"), 1);
    server.thaw();
    one.wait_until_up().await;
    assert_eq!(current_value(&one, "a", 3).await, 3);
    other.wait_until_up().await;
    assert_eq!(current_value(&other, "a", 4).await, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invalidation_is_delivered_after_its_request_was_cancelled() {
    let server = Redis::start();
    let one = Process::on(&server).await;
    assert_eq!(current_value(&one, "a", 1).await, 1);
    server.freeze();
    let gone = {
        let cache = one.cache.clone();
        tokio::spawn(async move { cache.invalidate(["slow"]).await })
    };
    test_support::wait_for("the invalidation", async || one.0.local.generation() == 1).await;
    gone.abort();
    server.thaw();
    test_support::wait_for("it to be known", async || current_value(&one, "a", 2).await == 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hanging_server_costs_the_timeout_once_and_not_on_every_request() {
    let server = Redis::start();
    let timeout = Duration::from_millis(300);
    let one = Process::start(CacheSettings { timeout, ..on(&server) }).await;
    one.wait_until_up().await;
    server.freeze();
    let begin = Instant::now();
    assert_eq!(current_value(&one, "a", 1).await, 1);
    let first = begin.elapsed();
    assert!(first >= timeout && first < timeout * 4, "{first:?}");
    let begin = Instant::now();
    for number in 0..1000 {
        assert_eq!(current_value(&one, "a", number).await, number);
        assert_eq!(one.get::<u32>("a").await, None);
        one.set("a", &number).await;
    }
    let thousand = begin.elapsed();
    // A timeout for each would be 300 s.
    assert!(thousand < timeout * 10, "{thousand:?} for a thousand");
    server.thaw();
    one.wait_until_up().await;
    one.set("a", &7).await;
    assert_eq!(one.get::<u32>("a").await, Some(7));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_evicted_tag_version_costs_a_computation_and_revives_no_value() {
    let server = Redis::start();
    let one = Process::on(&server).await;
    assert_eq!(current_value(&one, "a", 1).await, 1);
    for gone in ["shop:cache:t:slow", "shop:cache:e"] {
        assert_eq!(server.command(&["DEL", gone]), "1");
        assert_eq!(one.get::<u32>("a").await, None);
        assert_eq!(current_value(&one, "a", 2).await, 2);
        one.delete("a").await;
    }
    // Also while a value is computed.
    let slow = Slow::default();
    let before = slow.start_caller(&one, "b", 1);
    slow.started.notified().await;
    assert_eq!(server.command(&["DEL", "shop:cache:t:slow", "shop:cache:d:b"]), "2");
    slow.finish(1);
    assert_eq!(before.await.unwrap(), Ok(1));
    assert_eq!(current_value(&one, "b", 2).await, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_evicts_entries_never_serves_an_invalidated_value() {
    let server = Redis::start_with(&["--maxmemory", "3mb", "--maxmemory-policy", "allkeys-random"]);
    let one = Process::on(&server).await;
    let filling = "x".repeat(10_000);
    for round in 0..300_u32 {
        let key = format!("key:{}", round % 7);
        one.entry(format!("filling:{round}")).set(&filling).await;
        let tag = format!("tag:{}", round % 7);
        one.invalidate([tag.clone()]).await;
        let value = one.entry(key).tags([tag]).get_or_insert(|| async { round }).await;
        assert_eq!(value, round);
    }
    let info = server.command(&["INFO", "stats"]);
    assert!(!info.contains("evicted_keys:0\r"), "{info}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_server_stores_nothing_and_still_invalidates() {
    let server = Redis::start_with(&["--maxmemory-policy", "noeviction"]);
    let one = Process::on(&server).await;
    assert_eq!(current_value(&one, "a", 1).await, 1);
    assert_eq!(server.command(&["CONFIG", "SET", "maxmemory", "1"]), "OK");
    assert_eq!(current_value(&one, "a", 2).await, 1, "it is still there");
    assert_eq!(current_value(&one, "b", 3).await, 3);
    one.set("a", &4).await;
    assert_eq!(one.get::<u32>("a").await, None, "what was before is gone");
    let Health::Degraded(why) = one.health().await else { panic!("it refuses values") };
    assert!(why.contains("refuses values") && why.contains("OOM"), "{why}");
    assert_eq!(server.command(&["CONFIG", "SET", "maxmemory", "0"]), "OK");
    assert_eq!(current_value(&one, "b", 5).await, 5);
    assert_eq!(current_value(&one, "b", 6).await, 5);
    assert_eq!(one.health().await, Health::Up);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_with_a_foreign_value_is_a_miss() {
    let server = Redis::start();
    let one = Process::on(&server).await;
    assert_eq!(server.command(&["SET", "shop:cache:d:a", "rubbish"]), "OK");
    assert_eq!(one.get::<u32>("a").await, None);
    assert_eq!(current_value(&one, "a", 1).await, 1);
    assert_eq!(current_value(&one, "a", 2).await, 1);
    assert_eq!(server.command(&["LPUSH", "shop:cache:d:b", "rubbish"]), "1");
    assert_eq!(current_value(&one, "b", 1).await, 1);
    assert_eq!(one.health().await, Health::Up);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_loss_of_the_server_and_its_return_are_reported() {
    let mut server = Redis::start();
    let one = Process::on(&server).await;
    assert_eq!(one.counted("cache_redis_up"), 1);
    server.stop();
    wait_until_unavailable(&one).await;
    assert_eq!(one.counted("cache_redis_up"), 0);
    assert_eq!(one.snapshot()["up"], false);
    server.start_again();
    one.wait_until_up().await;
    assert_eq!(one.counted("cache_redis_up"), 1);
}
