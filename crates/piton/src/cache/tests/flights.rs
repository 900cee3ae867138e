//! Single flight: one caller computes for all, and none gets an invalidated value.

use super::*;

on_both_stores! {
    async fn a_hundred_misses_are_one_computation(cache) {
        let slow = Slow::default();
        let asked: Vec<_> = (0..100).map(|number| slow.start_caller(&cache, "a", number)).collect();
        slow.started.notified().await;
        test_support::wait_for("all to be aboard", async || {
            // Counted as a waiter, not as a miss: one that has counted its miss may join too late.
            cache.0.flights.waiter_count("a") == 100
        })
        .await;
        slow.finish(1);
        let mut values = Vec::new();
        for asked in asked {
            values.push(asked.await.unwrap().unwrap());
        }
        assert!(values.iter().all(|value| *value == values[0]));
        assert_eq!(slow.runs(), 1);
        assert_eq!(cache.0.flights.count(), 0);
    }

    async fn if_the_leader_is_cancelled_the_next_waiter_takes_over(cache) {
        let slow = Slow::default();
        let first = slow.start_caller(&cache, "a", 1);
        slow.started.notified().await;
        let others: Vec<_> = (2..5).map(|number| slow.start_caller(&cache, "a", number)).collect();
        test_support::wait_for("all to wait", async || {
            // Counted as a waiter, not as a miss: one that has counted its miss may join too late.
            cache.0.flights.waiter_count("a") == 4
        })
        .await;
        first.abort();
        slow.started.notified().await;
        slow.finish(1);
        for other in others {
            assert!((2..5).contains(&other.await.unwrap().unwrap()));
        }
        assert_eq!(slow.runs(), 2);
        assert_eq!(cache.0.flights.count(), 0);
    }

    async fn if_the_leader_panics_the_next_waiter_takes_over(cache) {
        let slow = Slow::default();
        let entry = cache.entry("a").tags(["slow"]);
        let (begun, go_on) = (slow.started.clone(), slow.go_on.clone());
        let first = tokio::spawn(async move {
            let compute = || async {
                begun.notify_one();
                let _go_on = go_on.acquire().await;
                panic!("on purpose");
            };
            entry.get_or_insert::<u32, _, _>(compute).await
        });
        slow.started.notified().await;
        let second = slow.start_caller(&cache, "a", 2);
        test_support::wait_for("it to wait", async || {
            // Counted as a waiter, not as a miss: one that has counted its miss may join too late.
            cache.0.flights.waiter_count("a") == 2
        })
        .await;
        slow.finish(1);
        assert!(first.await.unwrap_err().is_panic());
        slow.started.notified().await;
        slow.finish(1);
        assert_eq!(second.await.unwrap(), Ok(2));
    }

    async fn an_error_goes_to_its_caller_alone_and_is_not_cached(cache) {
        let runs = AtomicU32::new(0);
        let failing = || async {
            let run = runs.fetch_add(1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            Err::<u32, _>(run)
        };
        let asked = (0..20).map(|_| cache.entry("a").get_or_insert_with(failing));
        let mut errors: Vec<_> = futures_util::future::join_all(asked)
            .await
            .into_iter()
            .map(Result::unwrap_err)
            .collect();
        errors.sort_unstable();
        assert_eq!(errors, (0..20).collect::<Vec<_>>());
        assert_eq!(cache.entry("a").get_or_insert(|| async { 5 }).await, 5);
        assert_eq!(cache.0.flights.count(), 0);
    }

    async fn a_caller_that_saw_two_failures_computes_without_waiting(cache) {
        let slow = Slow::default();
        let fail = |slow: &Slow| {
            let (slow, entry) = (slow.clone(), cache.entry("a").tags(["slow"]));
            tokio::spawn(async move {
                let failed = || async { slow.compute(0).await.and(Err::<u32, _>("failed".to_owned())) };
                entry.get_or_insert_with(failed).await
            })
        };
        let all: Vec<_> = (0..10).map(|_| fail(&slow)).collect();
        for aboard in [10, 9] {
            slow.started.notified().await;
            test_support::wait_for("the others to wait", async || {
                cache.0.flights.waiter_count("a") == aboard
            })
            .await;
            slow.finish(1);
        }
        // All remaining callers compute at the same time, because they wait no longer.
        test_support::wait_for("all to compute", async || slow.runs() == 10).await;
        slow.finish(8);
        let misses = cache.counted("cache_lookups_total{result=\"miss\"}");
        assert_eq!(misses, 10, "each has looked once");
        for one in all {
            assert_eq!(one.await.unwrap(), Err("failed".to_owned()));
        }
    }

    async fn a_value_that_is_too_large_is_still_shared_with_waiters(cache) {
        let (runs, begun, go_on) = (AtomicU32::new(0), Notify::new(), Notify::new());
        let large = || async {
            runs.fetch_add(1, Ordering::SeqCst);
            begun.notify_one();
            go_on.notified().await;
            "x".repeat(100_000)
        };
        let asked = (0..10).map(|_| cache.entry("a").get_or_insert(large));
        let go = async {
            begun.notified().await;
            test_support::wait_for("all to wait", async || {
                // Counted as a waiter, not as a miss: one that has counted its miss may join too late.
            cache.0.flights.waiter_count("a") == 10
            })
            .await;
            go_on.notify_one();
        };
        let (values, ()) = tokio::join!(futures_util::future::join_all(asked), go);
        assert!(values.iter().all(|value| value.len() == 100_000));
        assert_eq!(runs.load(Ordering::SeqCst), 1);
    }

    async fn a_computation_from_before_an_invalidation_is_not_served_after_it(cache) {
        for how in 0..4 {
            let slow = Slow::default();
            let before = slow.start_caller(&cache, "a", 1);
            slow.started.notified().await;
            match how {
                0 => cache.invalidate(["slow"]).await,
                1 => cache.delete("a").await,
                2 => cache.clear().await,
                _ => cache.invalidate(["other", "slow"]).await,
            }
            // A caller that comes now does not join the outdated flight.
            assert_eq!(current_value(&cache, "a", 2).await, 2, "{how}");
            slow.finish(1);
            assert_eq!(before.await.unwrap(), Ok(1));
            assert_eq!(current_value(&cache, "a", 3).await, 2, "{how}");
            cache.delete("a").await;
        }
        assert_eq!(cache.counted("cache_stores_total{result=\"outdated\"}"), 4);
    }

    async fn a_value_invalidated_while_computed_is_not_stored(cache) {
        let slow = Slow::default();
        let before = slow.start_caller(&cache, "a", 1);
        slow.started.notified().await;
        cache.invalidate(["slow"]).await;
        slow.finish(1);
        assert_eq!(before.await.unwrap(), Ok(1));
        assert_eq!(cache.counted("cache_stores_total{result=\"outdated\"}"), 1);
    }

    async fn a_set_value_is_not_replaced_by_an_older_computation(cache) {
        let slow = Slow::default();
        let before = slow.start_caller(&cache, "a", 1);
        slow.started.notified().await;
        cache.entry("a").tags(["slow"]).set(&2).await;
        slow.finish(1);
        assert_eq!(before.await.unwrap(), Ok(1));
        assert_eq!(current_value(&cache, "a", 3).await, 2);
    }
}
