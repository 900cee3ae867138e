//! Redis is killed, frozen, full, set back to what it knew an hour ago.

use test_support::redis::Redis;

use super::*;

/// Waits until the process has noticed that Redis is away.
async fn is_away(process: &Process) {
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
    let asked: Vec<_> = (0..50).map(|number| slow.ask(&one, "a", number)).collect();
    slow.begun.notified().await;
    test_support::wait_for("all to wait", async || {
        one.counted("cache_lookups_total{result=\"unavailable\"}") == 51
    })
    .await;
    slow.end(1);
    for asked in asked {
        asked.await.unwrap().unwrap();
    }
    assert_eq!(slow.runs(), 1, "they still share a computation");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_invalidated_does_not_come_back_with_an_old_snapshot() {
    let mut server = Redis::start();
    let (one, other) = (Process::on(&server).await, Process::on(&server).await);
    assert_eq!(now(&one, "a", 1).await, 1);
    server.save();
    other.invalidate(["slow"]).await;
    assert_eq!(now(&one, "a", 2).await, 2);
    server.kill();
    server.start_again();
    // The old value is there again, as valid as it was.
    assert_eq!(server.command(&["EXISTS", "shop:cache:d:a"]), "1");
    for process in [&one, &other] {
        assert_ne!(now(process, "a", 3).await, 1);
        test_support::wait_for("the greeting", async || process.health().await == Health::Up).await;
    }
    assert_ne!(now(&other, "a", 4).await, 1);
    assert_ne!(now(&Process::on(&server).await.cache, "a", 5).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reconnection_to_the_same_server_forgets_nothing() {
    let server = Redis::start();
    let one = Process::on(&server).await;
    assert_eq!(now(&one, "a", 1).await, 1);
    one.invalidate(["other"]).await;
    let _ = server.command(&["CLIENT", "KILL", "TYPE", "normal"]);
    test_support::wait_for("the value", async || one.get::<u32>("a").await == Some(1)).await;
    let _ = server.command(&["SCRIPT", "FLUSH"]);
    test_support::wait_for("the value", async || one.get::<u32>("a").await == Some(1)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invalidation_that_could_not_be_delivered_is_made_good() {
    let server = Redis::start();
    let quick = CacheSettings { timeout: Duration::from_millis(100), ..on(&server) };
    let one = Process::start(quick).await;
    one.is_up().await;
    let other = Process::on(&server).await;
    assert_eq!(now(&one, "a", 1).await, 1);
    server.freeze();
    assert_eq!(now(&one, "a", 2).await, 2);
    // It is away, so that nothing is sent that it could find when it goes on.
    one.invalidate(["slow"]).await;
    assert_eq!(one.counted("cache_invalidations_total{result=\"undelivered\"}"), 1);
    server.thaw();
    one.is_up().await;
    assert_eq!(now(&one, "a", 3).await, 3);
    other.is_up().await;
    assert_eq!(now(&other, "a", 4).await, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invalidation_is_delivered_though_its_request_is_gone() {
    let server = Redis::start();
    let one = Process::on(&server).await;
    assert_eq!(now(&one, "a", 1).await, 1);
    server.freeze();
    let gone = {
        let cache = one.cache.clone();
        tokio::spawn(async move { cache.invalidate(["slow"]).await })
    };
    test_support::wait_for("the invalidation", async || one.0.local.generation() == 1).await;
    gone.abort();
    server.thaw();
    test_support::wait_for("it to be known", async || now(&one, "a", 2).await == 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_server_costs_its_time_once_and_not_every_request() {
    let server = Redis::start();
    let timeout = Duration::from_millis(300);
    let one = Process::start(CacheSettings { timeout, ..on(&server) }).await;
    one.is_up().await;
    server.freeze();
    let begin = Instant::now();
    assert_eq!(now(&one, "a", 1).await, 1);
    let first = begin.elapsed();
    assert!(first >= timeout && first < timeout * 4, "{first:?}");
    let begin = Instant::now();
    for number in 0..1000 {
        assert_eq!(now(&one, "a", number).await, number);
        assert_eq!(one.get::<u32>("a").await, None);
        one.set("a", &number).await;
    }
    let thousand = begin.elapsed();
    assert!(thousand < timeout, "{thousand:?} for a thousand");
    server.thaw();
    one.is_up().await;
    one.set("a", &7).await;
    assert_eq!(one.get::<u32>("a").await, Some(7));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_version_that_is_evicted_costs_a_computation_and_brings_nothing_back() {
    let server = Redis::start();
    let one = Process::on(&server).await;
    assert_eq!(now(&one, "a", 1).await, 1);
    for gone in ["shop:cache:t:slow", "shop:cache:e"] {
        assert_eq!(server.command(&["DEL", gone]), "1");
        assert_eq!(one.get::<u32>("a").await, None);
        assert_eq!(now(&one, "a", 2).await, 2);
        one.delete("a").await;
    }
    // Also in the middle of a computation.
    let slow = Slow::default();
    let before = slow.ask(&one, "b", 1);
    slow.begun.notified().await;
    assert_eq!(server.command(&["DEL", "shop:cache:t:slow", "shop:cache:d:b"]), "2");
    slow.end(1);
    assert_eq!(before.await.unwrap(), Ok(1));
    assert_eq!(now(&one, "b", 2).await, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_throws_out_what_is_used_least_never_brings_anything_back() {
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
async fn a_full_server_keeps_nothing_and_forgets_what_it_is_told_to() {
    let server = Redis::start_with(&["--maxmemory-policy", "noeviction"]);
    let one = Process::on(&server).await;
    assert_eq!(now(&one, "a", 1).await, 1);
    assert_eq!(server.command(&["CONFIG", "SET", "maxmemory", "1"]), "OK");
    assert_eq!(now(&one, "a", 2).await, 1, "it is still there");
    assert_eq!(now(&one, "b", 3).await, 3);
    one.set("a", &4).await;
    assert_eq!(one.get::<u32>("a").await, None, "what was before is gone");
    let Health::Degraded(why) = one.health().await else { panic!("it refuses values") };
    assert!(why.contains("refuses values") && why.contains("OOM"), "{why}");
    assert_eq!(server.command(&["CONFIG", "SET", "maxmemory", "0"]), "OK");
    assert_eq!(now(&one, "b", 5).await, 5);
    assert_eq!(now(&one, "b", 6).await, 5);
    assert_eq!(one.health().await, Health::Up);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_of_ours_that_holds_something_else_is_a_miss() {
    let server = Redis::start();
    let one = Process::on(&server).await;
    assert_eq!(server.command(&["SET", "shop:cache:d:a", "rubbish"]), "OK");
    assert_eq!(one.get::<u32>("a").await, None);
    assert_eq!(now(&one, "a", 1).await, 1);
    assert_eq!(now(&one, "a", 2).await, 1);
    assert_eq!(server.command(&["LPUSH", "shop:cache:d:b", "rubbish"]), "1");
    assert_eq!(now(&one, "b", 1).await, 1);
    assert_eq!(one.health().await, Health::Up);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_loss_of_the_server_shows_and_so_does_its_return() {
    let mut server = Redis::start();
    let one = Process::on(&server).await;
    assert_eq!(one.counted("cache_redis_up"), 1);
    server.stop();
    is_away(&one).await;
    assert_eq!(one.counted("cache_redis_up"), 0);
    assert_eq!(one.snapshot()["up"], false);
    server.start_again();
    one.is_up().await;
    assert_eq!(one.counted("cache_redis_up"), 1);
}
