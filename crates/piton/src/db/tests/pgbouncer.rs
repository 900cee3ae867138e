//! Tests PostgreSQL behind PgBouncer, as Debian packages it. The tests of `on_both!` run behind it
//! as well.

use std::time::Duration;

use test_support::pgbouncer::PgBouncer;

use super::*;

fn set(url: &str, pgbouncer: PgBouncerMode) -> DbSettings {
    DbSettings { pgbouncer, ..at(url) }
}

use crate::db::PgBouncer as PgBouncerMode;

/// Runs many requests at once, on fewer server sessions than connections.
async fn run_concurrent_work(db: &Db) {
    let one = |number: i64| async move {
        for _ in 0..5 {
            db.run(ADD, ("north", number)).await.unwrap();
            let found: Option<i64> = db
                .one("SELECT cents FROM items WHERE cents = $1 LIMIT 1", (number,))
                .await
                .unwrap();
            assert_eq!(found, Some(number));
            let mut tx = db.begin().await.unwrap();
            tx.run("UPDATE shops SET city = $1 WHERE name = $2", ("Bergen", "south"))
                .await
                .unwrap();
            tx.rollback().await.unwrap();
            drop(db.begin().await.unwrap());
            let error = db.one::<i64>("SELECT 1 / $1::bigint", (0,)).await.unwrap_err();
            assert_eq!(error.kind(), Kind::Type, "{error}");
        }
    };
    futures_util::future::join_all((1..=8).map(one)).await;
    assert_eq!(items(db).await, 40);
    let kept: Vec<String> = db.all("SELECT name FROM pg_prepared_statements", ()).await.unwrap();
    let own = usize::from(kept.len() == 1);
    assert!(kept.len() <= own, "{kept:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pooler_is_detected_and_concurrent_work_is_not_mixed_up() {
    for more in ["", "ignore_startup_parameters = extra_float_digits, options"] {
        let pooler = PgBouncer::start(&test_support::postgres::database(), "transaction", more);
        let db = with(at(pooler.url()), &[SHOP]).await;
        db.run(FILL, ()).await.unwrap();
        run_concurrent_work(&db).await;
        assert_eq!(Part::health(&db.db).await, Health::Up);
    }
}

#[tokio::test]
async fn the_limit_of_a_statement_holds_behind_a_pooler() {
    for (pool_mode, mode) in [
        ("transaction", PgBouncerMode::Auto),
        ("transaction", PgBouncerMode::Transaction),
        ("session", PgBouncerMode::Session),
        ("session", PgBouncerMode::Auto),
    ] {
        let pooler = PgBouncer::start(&test_support::postgres::database(), pool_mode, "");
        let limit = Duration::from_millis(50);
        let settings = DbSettings { statement_timeout: limit, ..set(pooler.url(), mode) };
        let db = with(settings, &[SHOP]).await;
        let error = db.run("SELECT pg_sleep(10)", ()).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Unavailable, "{error}");
        let mut tx = db.begin().await.unwrap();
        let error = tx.run("SELECT pg_sleep(10)", ()).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Unavailable, "{error}");
        tx.rollback().await.unwrap();
        assert_eq!(items(&db).await, 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pooler_that_keeps_sessions_is_used_as_a_server() {
    let pooler = PgBouncer::start(&test_support::postgres::database(), "session", "");
    let db = with(set(pooler.url(), PgBouncerMode::Session), &[SHOP]).await;
    db.run(FILL, ()).await.unwrap();
    for _ in 0..3 {
        db.run(ADD, ("north", 1)).await.unwrap();
    }
    assert_eq!(items(&db).await, 3);
}

#[tokio::test]
async fn a_pooler_that_the_setting_excludes_is_refused_by_name() {
    let pooler = PgBouncer::start(&test_support::postgres::database(), "transaction", "");
    let folder = tempfile::tempdir().unwrap();
    let settings = set(pooler.url(), PgBouncerMode::Off);
    let error = Part::connect(&open(folder.path(), &settings, &[])).await.unwrap_err();
    assert!(
        error.to_string().contains("pooler") && error.to_string().contains("db.pgbouncer"),
        "{error}"
    );
    let url = format!("{}?options=-c%20search_path%3Dpublic", pooler.url());
    let error = Part::connect(&open(folder.path(), &at(&url), &[])).await.unwrap_err();
    assert!(error.to_string().contains("`options`"), "{error}");
}

#[tokio::test]
async fn one_of_several_replicas_behind_a_pooler_migrates() {
    let pooler = PgBouncer::start(&test_support::postgres::database(), "transaction", "");
    let folder = tempfile::tempdir().unwrap();
    let settings = at(pooler.url());
    let replicas: Vec<Db> = (0..5).map(|_| open(folder.path(), &settings, &[SHOP])).collect();
    for connected in futures_util::future::join_all(replicas.iter().map(Part::connect)).await {
        connected.unwrap();
    }
    assert_eq!(items(&replicas[4]).await, 0);
    const OUTSIDE: Migrations = Migrations::new(&[(
        "0003_index.postgres.sql",
        "-- no-transaction\nCREATE INDEX CONCURRENTLY shops_by_city ON shops (city)",
    )]);
    let db = open(folder.path(), &settings, &[SHOP, OUTSIDE]);
    let error = Part::connect(&db).await.unwrap_err().to_string();
    assert!(error.contains("0003_index") && error.contains("db.host"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pooler_without_a_free_session_does_not_keep_the_existing_ones_from_working() {
    let more = "default_pool_size = 1";
    let pooler = PgBouncer::start(&test_support::postgres::database(), "session", more);
    let settings = DbSettings {
        max_connections: 4,
        connect_timeout: Duration::from_millis(300),
        acquire_timeout: Duration::from_millis(200),
        ..set(pooler.url(), PgBouncerMode::Session)
    };
    let db = with(settings, &[]).await;
    let (trigger, stop) = Stop::new();
    let watch = tokio::spawn({
        let db = db.db.clone();
        async move { Part::run(&db, stop).await }
    });
    // The only session of the pooler: no other connection can come about.
    let tx = db.begin().await.unwrap();
    assert!(db.one::<i64>("SELECT 1", ()).await.is_err());
    tx.rollback().await.unwrap();
    super::postgres_server::wait(async || {
        matches!(Part::health(&db.db).await, Health::Degraded(why) if why.contains("no further"))
    })
    .await;
    // The watch itself may use the session for a moment.
    super::postgres_server::wait(async || db.one::<i64>("SELECT 1", ()).await.is_ok()).await;
    trigger.stop();
    watch.await.unwrap();
}

#[tokio::test]
async fn a_pooler_in_another_mode_than_declared_is_refused_at_once() {
    let ignore = "ignore_startup_parameters = extra_float_digits, options";
    for (pool_mode, more, mode) in [
        ("transaction", "", PgBouncerMode::Session),
        ("transaction", "server_round_robin = 0", PgBouncerMode::Session),
        ("transaction", ignore, PgBouncerMode::Off),
    ] {
        let pooler = PgBouncer::start(&test_support::postgres::database(), pool_mode, more);
        let folder = tempfile::tempdir().unwrap();
        let db = open(folder.path(), &set(pooler.url(), mode), &[]);
        let error = Part::connect(&db).await.unwrap_err();
        assert!(error.is::<crate::part::Refused>(), "{error}");
        let text = error.to_string();
        assert!(text.contains("db.pgbouncer") && text.contains("`transaction`"), "{text}");
    }
}
