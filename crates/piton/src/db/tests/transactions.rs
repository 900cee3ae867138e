//! Tests of transactions: alone, concurrent, cancelled, and in handlers.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::*;

on_both! {
    async fn a_transaction_is_applied_as_a_whole_or_not_at_all(db) {
        let done: Result<i64, Error> = db
            .transaction(async |tx| {
                tx.run(ADD, ("north", 1)).await?;
                tx.run(ADD, ("south", 2)).await?;
                Ok(tx.one("SELECT count(*) FROM items", ()).await?.unwrap_or_default())
            })
            .await;
        assert_eq!(done.unwrap(), 2);
        let failed: Result<(), Error> = db
            .transaction(async |tx| {
                tx.run(ADD, ("north", 3)).await?;
                tx.run(ADD, ("nowhere", 4)).await?;
                Ok(())
            })
            .await;
        assert_eq!(failed.unwrap_err().kind(), Kind::ForeignKey);
        assert_eq!(items(&db).await, 2);
    }
}

on_both! {
    async fn begin_commit_rollback_and_drop_work(db) {
        let mut tx = db.begin().await.unwrap();
        tx.run(ADD, ("north", 1)).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(items(&db).await, 1);

        let mut tx = db.begin().await.unwrap();
        tx.run(ADD, ("north", 2)).await.unwrap();
        tx.rollback().await.unwrap();
        assert_eq!(items(&db).await, 1);

        let mut tx = db.begin().await.unwrap();
        tx.run(ADD, ("north", 3)).await.unwrap();
        drop(tx);
        assert_eq!(items(&db).await, 1);
        db.run(ADD, ("north", 4)).await.unwrap();
    }
}

on_both! {
    async fn a_cancelled_transaction_is_rolled_back_and_releases_its_connection(db) {
        let (started, has_started) = tokio::sync::oneshot::channel();
        let task = tokio::spawn({
            let db = db.db.clone();
            async move {
                db.transaction(async |tx| {
                    tx.run(ADD, ("north", 1)).await?;
                    started.send(()).ok();
                    std::future::pending::<Result<(), Error>>().await
                })
                .await
            }
        });
        has_started.await.unwrap();
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
        db.run(ADD, ("south", 2)).await.unwrap();
        assert_eq!(db.all::<String>("SELECT shop FROM items", ()).await.unwrap(), ["south"]);
    }
}

on_both! {
    async fn a_panic_rolls_the_transaction_back(db) {
        let task = tokio::spawn({
            let db = db.db.clone();
            async move {
                db.transaction(async |tx| {
                    tx.run(ADD, ("north", 1)).await?;
                    panic!("as a bug would");
                    #[expect(unreachable_code, reason = "it names the error type")]
                    Ok::<(), Error>(())
                })
                .await
            }
        });
        assert!(task.await.unwrap_err().is_panic());
        db.run(ADD, ("south", 2)).await.unwrap();
        assert_eq!(items(&db).await, 1);
    }
}

on_both! {
    async fn after_a_failed_statement_a_transaction_can_only_be_rolled_back(db) {
        let outcome: Result<(), Error> = db
            .transaction(async |tx| {
                tx.run(ADD, ("north", 1)).await?;
                tx.run(ADD, ("nowhere", 1)).await.unwrap_err();
                let error = tx.run(ADD, ("north", 2)).await.unwrap_err();
                assert!(error.to_string().contains("can only be rolled back"), "{error}");
                Ok(())
            })
            .await;
        assert_eq!(outcome.unwrap_err().kind(), Kind::ForeignKey);
        assert_eq!(items(&db).await, 0);
    }
}

on_both! {
    async fn an_error_before_the_database_does_not_fail_the_transaction(db) {
        let mut tx = db.begin().await.unwrap();
        assert_eq!(tx.run(ADD, ("north",)).await.unwrap_err().kind(), Kind::Arity);
        tx.run(ADD, ("north", 1)).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(items(&db).await, 1);
    }
}

#[tokio::test]
async fn a_transaction_that_sqlite_ended_by_itself_breaks_no_connection() {
    let db = with(DbSettings { max_connections: 1, ..DbSettings::default() }, &[SHOP]).await;
    db.run("INSERT INTO shops VALUES ('north', NULL)", ()).await.unwrap();
    let mut tx = db.begin().await.unwrap();
    tx.run(ADD, ("north", 1)).await.unwrap();
    let error =
        tx.run("INSERT OR ROLLBACK INTO shops VALUES ('north', NULL)", ()).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unique);
    assert!(tx.run(ADD, ("north", 2)).await.is_err());
    drop(tx);
    for _ in 0..3 {
        let mut tx = db.begin().await.unwrap();
        tx.run(ADD, ("north", 3)).await.unwrap();
        tx.commit().await.unwrap();
    }
    assert_eq!(items(&db).await, 3);
}

#[tokio::test]
async fn a_deferred_constraint_fails_at_commit() {
    let db = shop().await;
    let mut tx = db.begin().await.unwrap();
    tx.run("PRAGMA defer_foreign_keys = ON", ()).await.unwrap();
    tx.run(ADD, ("nowhere", 1)).await.unwrap();
    assert_eq!(tx.commit().await.unwrap_err().kind(), Kind::ForeignKey);
    assert_eq!(items(&db).await, 0);
    db.run(ADD, ("north", 1)).await.unwrap();
}

on_both! {
    async fn a_read_does_not_wait_for_a_write_and_sees_the_state_before(db) {
        let mut tx = db.begin().await.unwrap();
        tx.run(ADD, ("north", 1)).await.unwrap();
        assert_eq!(items(&db).await, 0);
        tx.commit().await.unwrap();
        assert_eq!(items(&db).await, 1);
    }
}

#[tokio::test]
async fn a_write_during_an_open_transaction_fails_with_the_reason() {
    let short = DbSettings { acquire_timeout: Duration::from_millis(20), ..DbSettings::default() };
    let db = with(short, &[SHOP]).await;
    let _tx = db.begin().await.unwrap();
    let error = db.run("INSERT INTO shops VALUES ('a', NULL)", ()).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable);
    assert!(error.to_string().contains("use `tx`, not `db`"), "{error}");
}

#[tokio::test]
async fn without_a_free_connection_requests_fail_and_health_is_degraded() {
    let one = DbSettings {
        max_connections: 1,
        acquire_timeout: Duration::from_millis(20),
        ..DbSettings::default()
    };
    let db = with(one, &[SHOP]).await;
    let tx = db.begin().await.unwrap();
    let error = db.all::<Shop>("SELECT * FROM shops", ()).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable);
    assert!(matches!(Part::health(&db.db).await, Health::Degraded(_)));
    drop(tx);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_writers_at_once_all_succeed() {
    const WRITERS: usize = 64;
    let db = shop().await;
    let done = Arc::new(AtomicUsize::new(0));
    let tasks = (0..WRITERS).map(|n| {
        let (db, done) = (db.db.clone(), done.clone());
        tokio::spawn(async move {
            db.transaction(async |tx| {
                let count: Option<i64> = tx.one("SELECT count(*) FROM items", ()).await?;
                tx.run(
                    ADD,
                    (if n % 2 == 0 { "north" } else { "south" }, count.unwrap_or_default()),
                )
                .await?;
                Ok::<(), Error>(())
            })
            .await?;
            db.run("UPDATE items SET cents = cents WHERE id = $1", (n,)).await?;
            done.fetch_add(1, Ordering::Relaxed);
            Ok::<(), Error>(())
        })
    });
    for task in futures_util::future::join_all(tasks).await {
        task.unwrap().unwrap();
    }
    assert_eq!(done.load(Ordering::Relaxed), WRITERS);
    // Each transaction saw all those before it.
    let distinct: Option<i64> =
        db.one("SELECT count(DISTINCT cents) FROM items", ()).await.unwrap();
    assert_eq!(distinct, Some(64));
}

/// Compiles, which is the test: axum wants `Send`, and closures borrow from the handler.
mod handlers {
    use super::*;
    use axum::extract::{Path, State};

    async fn with_a_closure(
        State(db): State<Db>,
        Path(name): Path<String>,
    ) -> crate::http::Result<String> {
        let city = name.to_uppercase();
        let added = db
            .transaction(async |tx: &mut Tx| -> crate::http::Result<i64> {
                tx.run("INSERT INTO shops VALUES ($1, $2)", (&name, &city)).await?;
                for cents in [1, 2, 3] {
                    tx.run(ADD, (name.as_str(), cents)).await?;
                }
                let _: u8 = "7".parse()?;
                let count: Option<i64> =
                    tx.one("SELECT count(*) FROM items WHERE shop = $1", (&name,)).await?;
                helper(tx, &name).await?;
                Ok(count.unwrap_or_default())
            })
            .await?;
        Ok(format!("{added}"))
    }

    async fn helper(tx: &mut Tx, name: &str) -> Result<(), Error> {
        tx.run("UPDATE shops SET city = NULL WHERE name = $1", (name,)).await?;
        Ok(())
    }

    async fn with_moves(
        State(db): State<Db>,
        Path(name): Path<String>,
    ) -> crate::http::Result<String> {
        db.transaction(async move |tx| {
            let shops: Vec<Shop> = tx.all("SELECT * FROM shops WHERE name = $1", (name,)).await?;
            Ok(shops.len().to_string())
        })
        .await
    }

    async fn with_begin(
        State(db): State<Db>,
        Path(name): Path<String>,
    ) -> crate::http::Result<String> {
        let mut tx = db.begin().await?;
        tx.run("INSERT INTO shops VALUES ($1, NULL)", (&name,)).await?;
        tx.commit().await?;
        Ok(name)
    }

    /// A repository that is generic over nothing and nested: closures through several calls.
    struct Shops<'a>(&'a Db);

    impl Shops<'_> {
        async fn add(&self, name: &str) -> Result<i64, Error> {
            self.0
                .transaction(async |tx| {
                    tx.run("INSERT INTO shops VALUES ($1, NULL)", (name,)).await?;
                    Ok(tx.one("SELECT count(*) FROM shops", ()).await?.unwrap_or(0))
                })
                .await
        }
    }

    async fn with_a_repository(
        State(db): State<Db>,
        Path(name): Path<String>,
    ) -> crate::http::Result<String> {
        Ok(Shops(&db).add(&name).await?.to_string())
    }

    #[tokio::test]
    async fn futures_of_handlers_are_send_with_closures_too() {
        let db = shop().await;
        let _router: axum::Router = axum::Router::new()
            .route("/a/{name}", axum::routing::post(with_a_closure))
            .route("/b/{name}", axum::routing::post(with_moves))
            .route("/c/{name}", axum::routing::post(with_begin))
            .route("/d/{name}", axum::routing::post(with_a_repository))
            .with_state(db.db.clone());
        let answer =
            tokio::spawn(with_a_closure(State(db.db.clone()), Path("west".into()))).await.unwrap();
        assert_eq!(answer.ok().as_deref(), Some("3"));
        let answer = tokio::spawn(with_a_repository(State(db.db.clone()), Path("east".into())))
            .await
            .unwrap();
        assert_eq!(answer.ok().as_deref(), Some("4"));
    }
}

on_both! {
    async fn hooks_run_after_the_commit_and_only_then(db) {
        let runs = Arc::new(AtomicUsize::new(0));
        let hook = || {
            let runs = Arc::clone(&runs);
            move || {
                runs.fetch_add(1, Ordering::Relaxed);
            }
        };
        let mut tx = db.begin().await.unwrap();
        tx.run(ADD, ("north", 1)).await.unwrap();
        tx.after_commit(hook());
        tx.after_commit(hook());
        assert_eq!(runs.load(Ordering::Relaxed), 0);
        tx.commit().await.unwrap();
        assert_eq!(runs.load(Ordering::Relaxed), 2);

        let mut tx = db.begin().await.unwrap();
        tx.after_commit(hook());
        tx.rollback().await.unwrap();
        let mut tx = db.begin().await.unwrap();
        tx.after_commit(hook());
        drop(tx);
        let mut tx = db.begin().await.unwrap();
        tx.after_commit(hook());
        tx.run(ADD, ("nowhere", 1)).await.unwrap_err();
        tx.commit().await.unwrap_err();
        assert_eq!(runs.load(Ordering::Relaxed), 2);
    }
}
