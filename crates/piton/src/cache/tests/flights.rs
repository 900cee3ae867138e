//! One computes for all, and nobody gets what an invalidation has made old.

use super::*;

on_both! {
    async fn a_hundred_misses_are_one_computation(cache) {
        let slow = Slow::default();
        let asked: Vec<_> = (0..100).map(|number| slow.ask(&cache, "a", number)).collect();
        slow.begun.notified().await;
        test_support::wait_for("all to be aboard", async || {
            cache.counted("cache_lookups_total{result=\"miss\"}") == 100
        })
        .await;
        slow.end(1);
        let mut values = Vec::new();
        for asked in asked {
            values.push(asked.await.unwrap().unwrap());
        }
        assert!(values.iter().all(|value| *value == values[0]));
        assert_eq!(slow.runs(), 1);
        assert_eq!(cache.0.flights.count(), 0);
    }

    async fn if_the_one_who_computes_is_cancelled_the_next_takes_over(cache) {
        let slow = Slow::default();
        let first = slow.ask(&cache, "a", 1);
        slow.begun.notified().await;
        let others: Vec<_> = (2..5).map(|number| slow.ask(&cache, "a", number)).collect();
        test_support::wait_for("all to wait", async || {
            cache.counted("cache_lookups_total{result=\"miss\"}") == 4
        })
        .await;
        first.abort();
        slow.begun.notified().await;
        slow.end(1);
        for other in others {
            assert!((2..5).contains(&other.await.unwrap().unwrap()));
        }
        assert_eq!(slow.runs(), 2);
        assert_eq!(cache.0.flights.count(), 0);
    }

    async fn if_the_one_who_computes_panics_the_next_takes_over(cache) {
        let slow = Slow::default();
        let entry = cache.entry("a").tags(["slow"]);
        let (begun, go_on) = (slow.begun.clone(), slow.go_on.clone());
        let first = tokio::spawn(async move {
            let compute = || async {
                begun.notify_one();
                let _go_on = go_on.acquire().await;
                panic!("on purpose");
            };
            entry.get_or_insert::<u32, _, _>(compute).await
        });
        slow.begun.notified().await;
        let second = slow.ask(&cache, "a", 2);
        test_support::wait_for("it to wait", async || {
            cache.counted("cache_lookups_total{result=\"miss\"}") == 2
        })
        .await;
        slow.end(1);
        assert!(first.await.unwrap_err().is_panic());
        slow.begun.notified().await;
        slow.end(1);
        assert_eq!(second.await.unwrap(), Ok(2));
    }

    async fn an_error_is_the_ones_who_ran_into_it_and_is_not_kept(cache) {
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

    async fn who_has_waited_through_two_failures_waits_no_longer(cache) {
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
            slow.begun.notified().await;
            test_support::wait_for("the others to wait", async || {
                cache.0.flights.waiter_count("a") == aboard
            })
            .await;
            slow.end(1);
        }
        // All that are left compute at the same time.
        test_support::wait_for("all to compute", async || slow.runs() == 10).await;
        slow.end(8);
        let misses = cache.counted("cache_lookups_total{result=\"miss\"}");
        assert_eq!(misses, 10, "each has looked once");
        for one in all {
            assert_eq!(one.await.unwrap(), Err("failed".to_owned()));
        }
    }

    async fn a_value_that_is_too_large_is_handed_to_those_who_wait(cache) {
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
                cache.counted("cache_lookups_total{result=\"miss\"}") == 10
            })
            .await;
            go_on.notify_one();
        };
        let (values, ()) = tokio::join!(futures_util::future::join_all(asked), go);
        assert!(values.iter().all(|value| value.len() == 100_000));
        assert_eq!(runs.load(Ordering::SeqCst), 1);
    }

    async fn what_began_before_an_invalidation_is_not_served_after_it(cache) {
        for how in 0..4 {
            let slow = Slow::default();
            let before = slow.ask(&cache, "a", 1);
            slow.begun.notified().await;
            match how {
                0 => cache.invalidate(["slow"]).await,
                1 => cache.delete("a").await,
                2 => cache.clear().await,
                _ => cache.invalidate(["other", "slow"]).await,
            }
            // Who comes now does not wait for what is old, and does not get it.
            assert_eq!(now(&cache, "a", 2).await, 2, "{how}");
            slow.end(1);
            assert_eq!(before.await.unwrap(), Ok(1));
            assert_eq!(now(&cache, "a", 3).await, 2, "{how}");
            cache.delete("a").await;
        }
        assert_eq!(cache.counted("cache_stores_total{result=\"outdated\"}"), 4);
    }

    async fn what_is_invalidated_meanwhile_is_not_even_kept(cache) {
        let slow = Slow::default();
        let before = slow.ask(&cache, "a", 1);
        slow.begun.notified().await;
        cache.invalidate(["slow"]).await;
        slow.end(1);
        assert_eq!(before.await.unwrap(), Ok(1));
        assert_eq!(cache.counted("cache_stores_total{result=\"outdated\"}"), 1);
    }

    async fn what_is_set_outlasts_what_is_being_computed(cache) {
        let slow = Slow::default();
        let before = slow.ask(&cache, "a", 1);
        slow.begun.notified().await;
        cache.entry("a").tags(["slow"]).set(&2).await;
        slow.end(1);
        assert_eq!(before.await.unwrap(), Ok(1));
        assert_eq!(now(&cache, "a", 3).await, 2);
    }
}
