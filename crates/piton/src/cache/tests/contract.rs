//! Values are stored, read and invalidated.

use super::*;

on_both_stores! {
    async fn a_set_value_is_cached_until_it_is_deleted(cache) {
        assert_eq!(cache.get::<u32>("a").await, None);
        cache.set("a", &7).await;
        assert_eq!(cache.get::<u32>("a").await, Some(7));
        cache.set("a", &8).await;
        assert_eq!(cache.get::<u32>("a").await, Some(8));
        cache.delete("a").await;
        assert_eq!(cache.get::<u32>("a").await, None);
        assert_eq!(cache.counted("cache_lookups_total{result=\"hit\"}"), 2);
    }

    async fn a_cached_value_is_not_computed(cache) {
        let slow = Slow::default();
        slow.finish(1);
        assert_eq!(slow.start_caller(&cache, "a", 1).await.unwrap(), Ok(1));
        assert_eq!(slow.start_caller(&cache, "a", 2).await.unwrap(), Ok(1));
        assert_eq!(slow.runs(), 1);
    }

    async fn a_value_of_another_type_counts_as_absent(cache) {
        cache.set("a", &"text").await;
        assert_eq!(cache.get::<u32>("a").await, None);
        assert_eq!(cache.get::<String>("a").await.as_deref(), Some("text"));
        assert_eq!(current_value(&cache, "a", 5).await, 5);
        assert_eq!(current_value(&cache, "a", 6).await, 5);
        assert!(cache.counted("cache_unreadable_total") >= 1);
    }

    async fn a_value_expires_after_its_time_to_live(cache) {
        cache.entry("a").ttl(Duration::from_millis(50)).set(&1).await;
        cache.entry("b").ttl(Duration::from_secs(60)).set(&1).await;
        test_support::wait_for("the end of a value", async || cache.get::<u32>("a").await.is_none()).await;
        assert_eq!(cache.get::<u32>("b").await, Some(1));
    }

    async fn a_tag_invalidates_its_values_and_no_others(cache) {
        cache.entry("a").tags(["x", "y"]).set(&1).await;
        cache.entry("b").tags(["y"]).set(&2).await;
        cache.entry("c").set(&3).await;
        cache.invalidate(["x", "z"]).await;
        assert_eq!(cache.get::<u32>("a").await, None);
        assert_eq!(cache.get::<u32>("b").await, Some(2));
        assert_eq!(cache.get::<u32>("c").await, Some(3));
        cache.entry("a").tags(["x"]).set(&4).await;
        assert_eq!(cache.get::<u32>("a").await, Some(4));
        assert_eq!(cache.counted("cache_lookups_total{result=\"stale\"}"), 1);
    }

    async fn everything_can_be_cleared(cache) {
        cache.entry("a").tags(["x"]).set(&1).await;
        cache.set("b", &2).await;
        cache.clear().await;
        assert_eq!(cache.get::<u32>("a").await, None);
        assert_eq!(cache.get::<u32>("b").await, None);
        cache.set("b", &3).await;
        assert_eq!(cache.get::<u32>("b").await, Some(3));
    }

    async fn a_value_stored_without_a_tag_is_not_taken_for_one_with_it(cache) {
        cache.entry("a").set(&1).await;
        assert_eq!(current_value(&cache, "a", 2).await, 2);
        cache.invalidate(["slow"]).await;
        assert_eq!(current_value(&cache, "a", 3).await, 3);
    }

    async fn a_value_that_is_too_large_is_not_stored_and_removes_the_previous_one(cache) {
        cache.set("a", &"small").await;
        let large = "x".repeat(65 * 1024);
        cache.set("a", &large).await;
        assert_eq!(cache.get::<String>("a").await, None);
        let computed = cache.entry("b").get_or_insert(|| async { large.clone() }).await;
        assert_eq!(computed.len(), large.len());
        assert_eq!(cache.get::<String>("b").await, None);
        assert_eq!(cache.counted("cache_stores_total{result=\"too_large\"}"), 2);
    }

    async fn keys_and_tags_may_be_any_text(cache) {
        for key in ["", " ", "a\nb", "ü{}\"'\\/", "e", "t:x", "\u{0}"] {
            cache.entry(key).tags([key]).set(&key).await;
            assert_eq!(cache.get::<String>(key).await.as_deref(), Some(key), "{key:?}");
            let text = cache.entry(key).tags([key]).get_or_insert(|| async { "computed".to_owned() });
            assert_eq!(text.await, key, "{key:?}");
            cache.invalidate([key]).await;
            assert_eq!(cache.get::<String>(key).await, None, "{key:?}");
        }
    }

    async fn a_value_that_does_not_serialize_is_computed_and_not_stored(cache) {
        let of = || async { std::collections::HashMap::from([((1, 2), 3)]) };
        for _ in 0..2 {
            let text = cache.entry("a").get_or_insert(of).await;
            assert_eq!(text.len(), 1);
        }
        assert_eq!(cache.counted("cache_lookups_total{result=\"miss\"}"), 2);
    }
}

#[tokio::test]
async fn where_no_app_runs_everything_is_computed() {
    for value in [1, 2] {
        assert_eq!(entry("a").get_or_insert(|| async { value }).await, value);
    }
    entry("a").set(&1).await;
    assert_eq!(entry("a").get::<u32>().await, None);
}

#[tokio::test]
async fn memory_is_bounded_in_number_and_in_size() {
    let few = Process::start(CacheSettings { max_entries: 10, ..settings() }).await;
    for number in 0..1000 {
        few.set(&number.to_string(), &number).await;
    }
    let (entries, _) = size(&few);
    assert!(entries <= 10 && few.counted("cache_evictions_total") >= 900, "{entries}");
    let small = CacheSettings { max_size: Some(crate::config::ByteSize::kib(100)), ..settings() };
    let small = Process::start(small).await;
    for number in 0..100 {
        small.set(&number.to_string(), &"x".repeat(10_000)).await;
    }
    let (entries, bytes) = size(&small);
    assert!(entries <= 10 && bytes <= 100 * 1024, "{entries} of {bytes}");
}

fn size(cache: &Cache) -> (u64, u64) {
    let shown = cache.snapshot();
    (shown["entries"].as_u64().unwrap(), shown["bytes"].as_u64().unwrap())
}
