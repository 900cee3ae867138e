//! Tests of PostgreSQL alone: its types, its errors, replicas that start at once, a server that becomes
//! unreachable and comes back.

use std::time::{Duration, Instant};

use test_support::postgres::Postgres;

use super::*;

async fn empty() -> Fixture {
    with(on_a_server(), &[]).await
}

#[tokio::test]
async fn a_parameter_is_encoded_for_the_type_of_its_place() {
    let db = empty().await;
    db.run("CREATE TYPE mood AS ENUM ('sad', 'glad')", ()).await.unwrap();
    db.run("CREATE DOMAIN zip AS varchar(5)", ()).await.unwrap();
    db.run(
        "CREATE TABLE t (a smallint, b integer, c numeric, d mood, e zip, f timestamptz, g real)",
        (),
    )
    .await
    .unwrap();
    let at: chrono::DateTime<chrono::Utc> = "2026-11-21T01:02:03Z".parse().unwrap();
    db.run(
        "INSERT INTO t VALUES ($1, $2, $3, $4, $5, $6, $7)",
        (1, 2, 3, "glad", "12345", at, 1.5),
    )
    .await
    .unwrap();
    let found: Option<(i64, i64, f64, String, String)> = db
        .one("SELECT a, b, c, d, e FROM t WHERE a = $1 AND d = $2 AND e = $3", (1, "glad", "12345"))
        .await
        .unwrap();
    assert_eq!(found, Some((1, 2, 3.0, "glad".into(), "12345".into())));
    let repeated: Option<String> = db.one("SELECT repeat('x', $1)", (3,)).await.unwrap();
    assert_eq!(repeated.as_deref(), Some("xxx"));
    let none: Vec<i64> = db.all("SELECT a FROM t WHERE b = $1", (None::<i64>,)).await.unwrap();
    assert!(none.is_empty());
    let sum: Option<i64> = db.one("SELECT sum(b::bigint) FROM t", ()).await.unwrap();
    assert_eq!(sum, Some(2));
}

#[tokio::test]
async fn a_connection_that_knew_an_older_schema_is_replaced() {
    let db = with(DbSettings { max_connections: 2, ..on_a_server() }, &[]).await;
    db.run("CREATE TABLE t (a integer)", ()).await.unwrap();
    let [one, other] = [db.begin().await.unwrap(), db.begin().await.unwrap()];
    for mut tx in [one, other] {
        tx.all::<i64>("SELECT * FROM t", ()).await.unwrap();
        tx.commit().await.unwrap();
    }
    db.run("ALTER TABLE t ALTER a TYPE text", ()).await.unwrap();
    // The server refuses a stale statement before it runs it, so it is sent again without an error.
    for _ in 0..6 {
        db.all::<String>("SELECT * FROM t", ()).await.unwrap();
    }
}

#[tokio::test]
async fn a_transaction_that_knew_an_older_schema_does_not_poison_the_pool() {
    for language in LANGUAGES {
        let db = with(DbSettings { max_connections: 2, ..on_a_server() }, &[]).await;
        speak(&db, language).await;
        db.run("CREATE TABLE t (a integer)", ()).await.unwrap();
        let [one, other] = [db.begin().await.unwrap(), db.begin().await.unwrap()];
        for mut tx in [one, other] {
            tx.all::<i64>("SELECT * FROM t", ()).await.unwrap();
            tx.commit().await.unwrap();
        }
        db.run("ALTER TABLE t ADD b integer", ()).await.unwrap();
        let mut refused = 0;
        for _ in 0..6 {
            let mut tx = db.begin().await.unwrap();
            if let Err(error) = tx.all::<(i64, i64)>("SELECT * FROM t", ()).await {
                assert_eq!(error.kind(), Kind::Unavailable, "{language}: {error}");
                refused += 1;
            }
            tx.rollback().await.unwrap();
        }
        assert!(refused <= 1, "{language}: {refused}");
        db.all::<(i64, i64)>("SELECT * FROM t", ()).await.unwrap();
    }
}

/// Languages of `lc_messages`, each with quotes of its own.
const LANGUAGES: [&str; 3] = ["C", "de_DE.UTF-8", "fr_FR.UTF-8"];

/// Sets the language of all further sessions, and ends ours.
async fn speak(db: &Db, language: &str) {
    let name: String = db.one("SELECT current_database()", ()).await.unwrap().unwrap();
    let pool = db.postgres_pool().unwrap();
    let sql = format!("ALTER DATABASE {name} SET lc_messages = '{language}'");
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(pool).await.unwrap();
    while let Some(connection) = pool.try_acquire() {
        connection.close().await.unwrap();
    }
    let spoken: String = db.one("SHOW lc_messages", ()).await.unwrap().unwrap();
    assert_eq!(spoken, language);
}

#[tokio::test]
async fn a_value_that_does_not_fit_its_type_is_refused_with_its_number() {
    let db = empty().await;
    db.run("CREATE TABLE t (a smallint, b inet, c timestamptz)", ()).await.unwrap();
    let error = db.run("INSERT INTO t (a) VALUES ($1)", (70_000,)).await.unwrap_err();
    assert_eq!(error.to_string(), "parameter $1: out of the range of `smallint`");
    let error = db.run("INSERT INTO t (b) VALUES ($1)", ("10.0.0.1",)).await.unwrap_err();
    assert!(error.to_string().contains("write `$n::text::inet`"), "{error}");
    db.run("INSERT INTO t (b) VALUES ($1::text::inet)", ("10.0.0.1",)).await.unwrap();
    let error = db.all::<String>("SELECT b FROM t", ()).await.unwrap_err();
    assert!(error.to_string().contains("`inet` is not in the table of types"), "{error}");
    let naive = "2026-11-21T01:02:03".parse::<chrono::NaiveDateTime>().unwrap();
    let error = db.run("INSERT INTO t (c) VALUES ($1)", (naive,)).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Type);
    let error = db.run("INSERT INTO t (a) VALUES (?)", (1,)).await.unwrap_err();
    assert!(error.to_string().contains("write `$1`"), "{error}");
}

#[tokio::test]
async fn constraints_are_distinguished_and_named() {
    let db = shop_on_a_server().await;
    let kind = |sql: &'static str| {
        let db = &db;
        async move {
            let error = db.run(sql, ()).await.unwrap_err();
            (error.kind(), error.constraint().unwrap_or_default().to_owned())
        }
    };
    assert_eq!(
        kind("INSERT INTO shops VALUES ('north', NULL)").await,
        (Kind::Unique, "shops_pkey".into())
    );
    assert_eq!(
        kind("INSERT INTO items (shop, cents) VALUES ('west', 1)").await,
        (Kind::ForeignKey, "items_shop_fkey".into())
    );
    assert_eq!(
        kind("INSERT INTO items (shop, cents) VALUES ('north', -1)").await,
        (Kind::Check, "items_cents_check".into())
    );
    assert_eq!(
        kind("INSERT INTO items (shop, cents) VALUES (NULL, 1)").await,
        (Kind::NotNull, "items.shop".into())
    );
    assert_eq!(kind("SELEKT 1").await.0, Kind::Statement);
    assert_eq!(kind("SELECT * FROM nowhere").await.0, Kind::Statement);
    assert_eq!(kind("SELECT 1/0").await.0, Kind::Type);
    assert_eq!(kind("BEGIN").await.0, Kind::Statement);
    let short = DbSettings { statement_timeout: Duration::from_millis(20), ..on_a_server() };
    let db = with(short, &[]).await;
    let error = db.run("SELECT pg_sleep(10)", ()).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable);
}

#[tokio::test]
async fn an_error_never_holds_a_parameter_in_any_language() {
    for language in LANGUAGES {
        errors_hold_no_parameter(language).await;
    }
}

async fn errors_hold_no_parameter(language: &str) {
    let db = shop_on_a_server().await;
    speak(&db, language).await;
    db.run("CREATE TABLE small (a smallint, b varchar(3), c date)", ()).await.unwrap();
    db.run("INSERT INTO shops VALUES ('hunter2', NULL)", ()).await.unwrap();
    let secret = "hunter2";
    let errors = [
        db.run("INSERT INTO shops VALUES ($1, NULL)", (secret,)).await.unwrap_err(),
        db.run(ADD, (format!("{secret}-nowhere"), 1)).await.unwrap_err(),
        db.one::<i64>("SELECT $1::text::bigint", (secret,)).await.unwrap_err(),
        db.one::<i64>("SELECT count(*) FROM items WHERE id = $1", (secret,)).await.unwrap_err(),
        db.one::<String>("SELECT $1::text::json ->> 'a'", (secret,)).await.unwrap_err(),
        db.one::<String>("SELECT $1::text::timestamptz::text", (secret,)).await.unwrap_err(),
        db.one::<String>("SELECT regexp_replace('a', $1, '')", ("hunter2(",)).await.unwrap_err(),
        db.one::<i64>("SELECT $1::text", (secret,)).await.unwrap_err(),
        db.one::<i64>("SELECT count(*) FROM pg_class WHERE oid = $1::text::regclass", (secret,))
            .await
            .unwrap_err(),
        db.one::<String>("SELECT current_setting($1)", (secret,)).await.unwrap_err(),
        db.one::<i64>("SELECT nextval($1::text)", (secret,)).await.unwrap_err(),
        db.one::<String>("SELECT $1::text::regrole::text", (secret,)).await.unwrap_err(),
        db.one::<String>("SELECT pg_read_file($1)", (secret,)).await.unwrap_err(),
        db.one::<String>("SELECT $1::text::uuid::text", (secret,)).await.unwrap_err(),
        db.one::<String>("SELECT $1::text::date::text", (secret,)).await.unwrap_err(),
        db.one::<String>("SELECT ('{' || $1 || '}')::text::int[]::text", (secret,))
            .await
            .unwrap_err(),
        db.one::<String>("SELECT '1'::text::xml::text || xmlparse(document $1)::text", (secret,))
            .await
            .unwrap_err(),
        db.one::<String>("SELECT to_char(now(), 'x') || to_number($1, '9')::text", (secret,))
            .await
            .unwrap_err(),
    ];
    for error in errors {
        let source = std::error::Error::source(&error).map(ToString::to_string);
        let all = format!("{error} {error:?} {source:?}");
        assert!(!all.contains("hunter2"), "{language}: {all}");
    }
    // Text that names only the program's own items is kept.
    let error = db.run("INSERT INTO shops VALUES ('north', NULL)", ()).await.unwrap_err();
    assert!(error.to_string().contains("shops_pkey"), "{language}: {error}");
    let error = db.one::<i64>("SELECT a FROM nowhere WHERE a = $1", (1,)).await.unwrap_err();
    assert!(error.to_string().contains("nowhere"), "{language}: {error}");
}

#[tokio::test]
async fn a_deferred_constraint_fails_at_commit() {
    let db = shop_on_a_server().await;
    db.run("ALTER TABLE items ALTER CONSTRAINT items_shop_fkey DEFERRABLE INITIALLY DEFERRED", ())
        .await
        .unwrap();
    let mut tx = db.begin().await.unwrap();
    tx.run(ADD, ("nowhere", 1)).await.unwrap();
    assert_eq!(tx.commit().await.unwrap_err().kind(), Kind::ForeignKey);
    assert_eq!(items(&db).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_ten_replicas_that_start_at_once_migrates() {
    const SLOW: Migrations = Migrations::new(&[
        (
            "0003_slow.postgres.sql",
            "SELECT pg_sleep(0.2); CREATE TABLE once (a integer); INSERT INTO once VALUES (1)",
        ),
        (
            "0004_index.postgres.sql",
            "-- no-transaction\nCREATE INDEX CONCURRENTLY shops_by_city ON shops (city)",
        ),
        ("0005_more.postgres.sql", "INSERT INTO once VALUES (2)"),
    ]);
    let settings = on_a_server();
    let folder = tempfile::tempdir().unwrap();
    let replicas = (0..10).map(|_| open(folder.path(), &settings, &[SHOP, SLOW]));
    let replicas: Vec<Db> = replicas.collect();
    for connected in futures_util::future::join_all(replicas.iter().map(Part::connect)).await {
        connected.unwrap();
    }
    assert_eq!(replicas[0].all::<i64>("SELECT a FROM once ORDER BY a", ()).await.unwrap(), [1, 2]);
    let run: Vec<i64> =
        replicas[9].all("SELECT version FROM _sqlx_migrations ORDER BY 1", ()).await.unwrap();
    assert_eq!(run, [1, 2, 3, 4, 5]);
}

#[tokio::test]
async fn a_migration_that_fails_is_named_and_leaves_nothing_behind() {
    const BROKEN: Migrations = Migrations::new(&[
        ("0003_good.sql", "CREATE TABLE good (a INTEGER)"),
        ("0004_bad.sql", "CREATE TABLE half (a INTEGER); INSERT INTO nowhere VALUES (1)"),
    ]);
    let settings = on_a_server();
    let folder = tempfile::tempdir().unwrap();
    Part::connect(&open(folder.path(), &settings, &[SHOP])).await.unwrap();
    let broken = open(folder.path(), &settings, &[SHOP, BROKEN]);
    let error = Part::connect(&broken).await.unwrap_err().to_string();
    assert_eq!(error, "migration 0004_bad.sql: relation \"nowhere\" does not exist");
    let none: bool = open(folder.path(), &settings, &[])
        .one("SELECT to_regclass('good') IS NULL AND to_regclass('half') IS NULL", ())
        .await
        .unwrap()
        .unwrap();
    assert!(none);
}

#[tokio::test]
async fn migrations_wait_for_the_command_if_the_setting_is_off() {
    let settings = DbSettings { migrate: false, ..on_a_server() };
    let folder = tempfile::tempdir().unwrap();
    let db = open(folder.path(), &settings, &[SHOP]);
    let error = Part::connect(&db).await.unwrap_err().to_string();
    assert!(error.contains("`migrate up`") && error.contains("0001_shops.postgres.sql"), "{error}");
    assert_eq!(db.migrate_now().await.unwrap().len(), 2);
    assert_eq!(db.migrate_now().await.unwrap().len(), 0);
    Part::connect(&db).await.unwrap();
    assert_eq!(db.applied().await.unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreachable_server_is_reported_at_once_and_reconnected() {
    let mut server = Postgres::start();
    let url = crate::config::Setting::parse(&server.create_database().into()).unwrap();
    let settings = DbSettings { url: Some(url), ..DbSettings::default() };
    let db = with(settings, &[SHOP]).await;
    let (trigger, stop) = Stop::new();
    let watch = tokio::spawn({
        let db = db.db.clone();
        async move { Part::run(&db, stop).await }
    });
    db.run(FILL, ()).await.unwrap();
    assert_eq!(Part::health(&db.db).await, Health::Up);

    server.stop();
    // The first request may have to detect it; later ones fail within moments.
    let error = db.run(ADD, ("north", 1)).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable, "{error}");
    wait(async || matches!(Part::health(&db.db).await, Health::Down(_))).await;
    let begin = Instant::now();
    for _ in 0..20 {
        let error = db.all::<Shop>("SELECT * FROM shops", ()).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Unavailable, "{error}");
        assert!(error.to_string().contains("connect to postgres at 127.0.0.1:"), "{error}");
    }
    assert!(begin.elapsed() < Duration::from_secs(1), "{:?}", begin.elapsed());

    server.start_again();
    wait(async || db.all::<Shop>("SELECT * FROM shops", ()).await.is_ok()).await;
    assert_eq!(Part::health(&db.db).await, Health::Up);
    let mut tx = db.begin().await.unwrap();
    tx.run(ADD, ("north", 1)).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(items(&db).await, 1);
    trigger.stop();
    watch.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_free_connections_is_not_unreachable() {
    let server = Postgres::start();
    let url = server.create_database();
    let settings = |url: &str, max_connections| DbSettings {
        url: Some(crate::config::Setting::parse(&url.into()).unwrap()),
        max_connections,
        acquire_timeout: Duration::from_millis(100),
        ..DbSettings::default()
    };
    let root = with(settings(&url, 1), &[]).await;
    root.run("CREATE ROLE me LOGIN CONNECTION LIMIT 2", ()).await.unwrap();
    let db = with(settings(&url.replace("postgres@", "me@"), 4), &[]).await;
    let (trigger, stop) = Stop::new();
    let watch = tokio::spawn({
        let db = db.db.clone();
        async move { Part::run(&db, stop).await }
    });
    let mut held = vec![db.begin().await.unwrap(), db.begin().await.unwrap()];
    for _ in 0..3 {
        let error = db.one::<i64>("SELECT 1", ()).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Unavailable, "{error}");
        assert!(matches!(Part::health(&db.db).await, Health::Degraded(_)));
    }
    held.pop().unwrap().rollback().await.unwrap();
    wait(async || db.one::<i64>("SELECT 1", ()).await.is_ok()).await;
    trigger.stop();
    watch.await.unwrap();
}

pub(super) async fn wait(condition: impl AsyncFn() -> bool) {
    let begin = Instant::now();
    while !condition().await {
        assert!(begin.elapsed() < Duration::from_secs(20), "waited in vain");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn connections_that_broke_while_idle_cost_no_request() {
    let mut server = Postgres::start();
    let url = crate::config::Setting::parse(&server.create_database().into()).unwrap();
    let settings = DbSettings { url: Some(url), ..DbSettings::default() };
    let db = with(settings, &[]).await;
    let held = futures_util::future::join_all((0..4).map(|_| db.begin())).await;
    drop(held);
    server.stop();
    server.start_again();
    tokio::time::sleep(Duration::from_millis(1100)).await;
    for _ in 0..4 {
        assert_eq!(db.one::<i64>("SELECT 1", ()).await.unwrap(), Some(1));
    }
}

#[tokio::test]
async fn a_server_is_trusted_only_with_a_signed_certificate() {
    let (server, authority) = Postgres::start_with_tls();
    let at = |host: &str, tls: Tls, authority: Option<&Path>| DbSettings {
        host: Some(format!("{host}:{}", server.port())),
        user: Some("postgres".into()),
        database: Some("postgres".into()),
        tls: Some(tls),
        tls_ca: authority.map(Path::to_owned),
        ..DbSettings::default()
    };
    let encrypted = async |settings: DbSettings| {
        let db = with(settings, &[]).await;
        let sql = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
        db.one::<bool>(sql, ()).await.unwrap().unwrap()
    };
    assert!(encrypted(at("localhost", Tls::Prefer, None)).await);
    assert!(encrypted(at("localhost", Tls::Require, None)).await);
    assert!(encrypted(at("localhost", Tls::VerifyFull, Some(&authority))).await);
    assert!(!encrypted(at("localhost", Tls::Disable, None)).await);
    for settings in
        [at("localhost", Tls::VerifyCa, None), at("127.0.0.1", Tls::VerifyFull, Some(&authority))]
    {
        let folder = tempfile::tempdir().unwrap();
        let error = Part::connect(&open(folder.path(), &settings, &[])).await.unwrap_err();
        assert!(error.to_string().contains("certificate"), "{error}");
    }
}

#[tokio::test]
async fn a_wrong_password_is_reported_without_its_text() {
    let settings = DbSettings {
        host: Some("127.0.0.1:1".into()),
        user: Some("me".into()),
        password: Some("hunter2".into()),
        database: Some("x".into()),
        ..DbSettings::default()
    };
    let folder = tempfile::tempdir().unwrap();
    let db = open(folder.path(), &settings, &[]);
    let error = Part::connect(&db).await.unwrap_err().to_string();
    assert!(error.starts_with("connect to postgres at 127.0.0.1:1/x: "), "{error}");
    assert!(!format!("{error} {db:?}").contains("hunter2"));
}

#[tokio::test]
async fn a_plan_is_returned_and_the_statement_is_not_run() {
    let db = shop_on_a_server().await;
    let plan = db.explain("DELETE FROM shops WHERE name = $1", ("north",)).await.unwrap();
    assert!(plan[0].contains("Delete on shops"), "{plan:?}");
    assert_eq!(db.all::<Shop>("SELECT * FROM shops", ()).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_zero_byte_in_text_is_the_clients_fault() {
    let db = empty().await;
    db.run("CREATE TABLE t (a text, b jsonb)", ()).await.unwrap();
    let text = db.run("INSERT INTO t (a) VALUES ($1)", ("a\0b",)).await.unwrap_err();
    let json = AsJson(serde_json::json!({ "name": "a\0b" }));
    let json = db.run("INSERT INTO t (b) VALUES ($1)", (json,)).await.unwrap_err();
    let asked = db.all::<String>("SELECT a FROM t WHERE a = $1", ("\0",)).await.unwrap_err();
    for error in [text, json, asked] {
        assert_eq!(error.kind(), Kind::Character, "{error}");
        let answer = crate::Error::from(error);
        assert_eq!(answer.status(), crate::StatusCode::UNPROCESSABLE_ENTITY);
    }
    let all: Vec<i64> = db.all("SELECT 1::bigint FROM t", ()).await.unwrap();
    assert_eq!(all, [0; 0]);
}

#[tokio::test]
async fn the_text_of_a_raised_error_is_kept_only_with_the_default_code() {
    let db = empty().await;
    let raise = |code: &str| -> &'static str {
        let sql = format!(
            "DO $$ BEGIN RAISE EXCEPTION 'value %', 'hunter2' USING ERRCODE = '{code}'; END $$"
        );
        sql.leak()
    };
    for code in ["check_violation", "40001", "57014", "unique_violation", "42501", "P0003"] {
        let error = db.run(raise(code), ()).await.unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{code}: {error}");
    }
    let error = db.run(raise("P0001"), ()).await.unwrap_err();
    assert!(error.to_string().contains("value hunter2"), "{error}");
}

#[test]
fn a_transaction_dropped_outside_of_a_runtime_frees_its_place() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (db, tx) = runtime.block_on(async {
        let db = with(DbSettings { max_connections: 1, ..on_a_server() }, &[SHOP]).await;
        let mut tx = db.begin().await.unwrap();
        tx.run(FILL, ()).await.unwrap();
        (db, tx)
    });
    drop(tx);
    runtime.block_on(async {
        let shops = db.one::<i64>("SELECT count(*) FROM shops", ()).await.unwrap();
        assert_eq!(shops, Some(0), "it is rolled back");
        drop(db);
    });
}
