//! Tests with a server that is reachable and cannot do its work: read-only, full, or refusing
//! connections.

use std::time::Duration;

use test_support::postgres::Postgres;
use tokio::task::JoinHandle;

use super::postgres_server::wait;
use super::*;
use crate::db::SessionTarget;
use crate::db::postgres::server_config::ServerConfig;
use crate::stop_signal::Trigger;

/// The watch of a database, running as in the app.
struct Watch(Trigger, JoinHandle<()>);

impl Watch {
    fn over(db: &Db) -> Self {
        let (trigger, stop) = Stop::new();
        let db = db.clone();
        Self(trigger, tokio::spawn(async move { Part::run(&db, stop).await }))
    }

    async fn end(self) {
        self.0.stop();
        self.1.await.unwrap();
    }
}

/// Makes new sessions of the database read-only, or writable.
async fn set_read_only(root: &Db, name: &str, read_only: bool) {
    let pool = root.postgres_pool().unwrap();
    let sql = format!("ALTER DATABASE {name} SET default_transaction_read_only = {read_only}");
    let sql = format!("SET transaction_read_only = off; {sql}");
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(pool).await.unwrap();
}

fn name(settings: &DbSettings) -> String {
    ServerConfig::from_settings(settings).unwrap().unwrap().database
}

async fn is_down_as(db: &Db, words: &str) -> bool {
    matches!(Part::health(db).await, Health::Down(why) if why.contains(words))
}

#[tokio::test(flavor = "multi_thread")]
async fn read_only_sessions_are_discarded_once_new_ones_can_write() {
    let settings = on_a_server();
    let (root, name) = (with(settings.clone(), &[SHOP]).await, name(&settings));
    root.run(FILL, ()).await.unwrap();
    set_read_only(&root, &name, true).await;
    let db = with(settings, &[SHOP]).await;
    let watch = Watch::over(&db);
    wait(async || is_down_as(&db, "read-only").await).await;
    // Reads still work, and each write reports the reason of its failure.
    assert_eq!(db.all::<Shop>("SELECT * FROM shops", ()).await.unwrap().len(), 2);
    let error = db.run(ADD, ("north", 1)).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable, "{error}");
    assert!(error.to_string().contains("25006"), "{error}");
    let mut tx = db.begin().await.unwrap();
    assert!(tx.run(ADD, ("north", 1)).await.is_err());
    tx.rollback().await.unwrap();

    // Existing sessions stay read-only: only new ones can write.
    set_read_only(&root, &name, false).await;
    wait(async || Part::health(&db.db).await == Health::Up).await;
    for _ in 0..20 {
        db.run(ADD, ("north", 1)).await.unwrap();
    }
    watch.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_on_an_old_session_replaces_all_old_sessions() {
    let settings = on_a_server();
    let (root, name) = (with(settings.clone(), &[SHOP]).await, name(&settings));
    root.run(FILL, ()).await.unwrap();
    // Simulates a failover behind one name: old sessions belong to the old server, new ones to the
    // new one.
    set_read_only(&root, &name, true).await;
    let only_reads = DbSettings { target_session_attrs: Some(SessionTarget::Any), ..settings };
    let db = with(only_reads, &[SHOP]).await;
    let watch = Watch::over(&db);
    let held = futures_util::future::join_all((0..6).map(|_| db.begin())).await;
    drop(held);
    set_read_only(&root, &name, false).await;
    let mut refused = 0;
    wait(async || db.run(ADD, ("north", 1)).await.is_ok()).await;
    tokio::time::timeout(Duration::from_secs(5), async {
        for _ in 0..20 {
            refused += u32::from(db.run(ADD, ("north", 1)).await.is_err());
        }
    })
    .await
    .unwrap();
    assert!(refused <= 1, "{refused}");
    watch.end().await;
}

#[tokio::test]
async fn a_service_that_only_reads_is_ready_on_a_server_that_only_reads() {
    let settings = on_a_server();
    let root = with(settings.clone(), &[SHOP]).await;
    set_read_only(&root, &name(&settings), true).await;
    for target in [SessionTarget::Any, SessionTarget::ReadOnly] {
        let db =
            with(DbSettings { target_session_attrs: Some(target), ..settings.clone() }, &[SHOP])
                .await;
        assert_eq!(Part::health(&db.db).await, Health::Up);
        assert_eq!(items(&db).await, 0);
    }
    for target in [SessionTarget::ReadWrite, SessionTarget::Standby] {
        let settings = DbSettings { target_session_attrs: Some(target), ..settings.clone() };
        let folder = tempfile::tempdir().unwrap();
        let error = Part::connect(&open(folder.path(), &settings, &[])).await.unwrap_err();
        assert!(error.to_string().contains(" is "), "{error}");
    }
}

#[tokio::test]
async fn a_full_disk_is_reported_until_a_write_succeeds() {
    let db = shop_on_a_server().await;
    let fail = "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100'; END $$";
    db.run(fail, ()).await.unwrap();
    db.run("CREATE TRIGGER fail BEFORE INSERT ON items EXECUTE FUNCTION fail()", ()).await.unwrap();
    let error = db.run(ADD, ("north", 1)).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable, "{error}");
    assert!(is_down_as(&db, "disk").await);
    db.run("DROP TRIGGER fail ON items", ()).await.unwrap();
    db.run(ADD, ("north", 1)).await.unwrap();
    assert_eq!(Part::health(&db.db).await, Health::Up);
    // Checks the same for a transaction that fails and one that succeeds.
    db.run("CREATE TRIGGER fail BEFORE INSERT ON items EXECUTE FUNCTION fail()", ()).await.unwrap();
    let failed = db.transaction(async |tx: &mut Tx| tx.run(ADD, ("north", 1)).await).await;
    assert!(failed.is_err() && is_down_as(&db, "disk").await);
    db.run("DROP TRIGGER fail ON items", ()).await.unwrap();
    db.transaction(async |tx: &mut Tx| tx.run(ADD, ("north", 1)).await).await.unwrap();
    assert_eq!(Part::health(&db.db).await, Health::Up);
}

#[tokio::test]
async fn a_server_that_refuses_connections_is_reported_with_the_setting() {
    let server = Postgres::start_with_passwords();
    server.execute("CREATE ROLE me LOGIN PASSWORD 'right'");
    let port = server.port();
    for (address, words, setting) in [
        (
            format!("postgres://me:wrong@127.0.0.1:{port}/postgres"),
            "password of the user `me`",
            "db.password",
        ),
        (
            format!("postgres://me@127.0.0.1:{port}/postgres"),
            "password of the user `me`",
            "db.password",
        ),
        (format!("postgres://nobody:x@127.0.0.1:{port}/postgres"), "`nobody`", "db.user"),
        (
            format!("postgres://me:right@127.0.0.1:{port}/nowhere"),
            "no such database",
            "db.database",
        ),
        (format!("postgres://me:right@127.0.0.1:{port}/postgres?sslmode=require"), "TLS", "db.tls"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let error = Part::connect(&open(folder.path(), &at(&address), &[])).await.unwrap_err();
        let text = error.to_string();
        assert!(text.contains(words) && text.contains(setting), "{text}");
        assert!(!text.contains("connect to") && !text.contains("wrong"), "{text}");
        assert!(error.is::<crate::part::Refused>(), "{text}");
    }
    let right = at(&format!("postgres://me:right@127.0.0.1:{port}/postgres"));
    let folder = tempfile::tempdir().unwrap();
    Part::connect(&open(folder.path(), &right, &[])).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_password_is_reported_until_it_is_restored() {
    let server = Postgres::start_with_passwords();
    server.execute("CREATE ROLE me LOGIN PASSWORD 'right'");
    let url = format!("postgres://me:right@127.0.0.1:{}/postgres", server.port());
    let db = with(DbSettings { max_connections: 2, ..at(&url) }, &[]).await;
    let watch = Watch::over(&db);
    let tx = db.begin().await.unwrap();
    server.execute("ALTER ROLE me PASSWORD 'other'");
    let error = db.one::<i64>("SELECT 1", ()).await.unwrap_err();
    assert!(error.to_string().contains("password"), "{error}");
    // The existing connection goes on, and the health names the fault.
    wait(async || matches!(Part::health(&db.db).await, Health::Degraded(why) if why.contains("password"))).await;
    tx.rollback().await.unwrap();
    wait(async || db.one::<i64>("SELECT 1", ()).await.is_ok()).await;
    server.execute("ALTER ROLE me PASSWORD 'right'");
    wait(async || Part::health(&db.db).await == Health::Up).await;
    watch.end().await;
}

#[tokio::test]
async fn a_server_without_postgres_is_distinguished_from_an_unreachable_one() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let served = tokio::spawn(async move {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        while let Ok((mut socket, _)) = listener.accept().await {
            let _ = socket.read(&mut [0; 64]).await;
            let _ = socket.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let settings = at(&format!("postgres://me@127.0.0.1:{port}/x"));
    let error = Part::connect(&open(folder.path(), &settings, &[])).await.unwrap_err();
    assert!(error.to_string().contains("does not speak PostgreSQL"), "{error}");
    served.abort();
}

#[tokio::test]
async fn several_hosts_are_tried_in_turn_for_one_that_can_write() {
    let (unreachable, locked, good) = (test_support::free_port(), on_a_server(), on_a_server());
    let root = with(locked.clone(), &[SHOP]).await;
    set_read_only(&root, &name(&locked), true).await;
    let endpoint = |settings: &DbSettings| {
        let server = ServerConfig::from_settings(settings).unwrap().unwrap();
        (server.endpoints[0].1, server.database)
    };
    // One server plays all hosts, because roles can be set per database.
    let (port, locked) = endpoint(&locked);
    let (_, good) = endpoint(&good);
    let of = |hosts: &str, database: &str, more: &str| {
        at(&format!("postgres://postgres@{hosts}/{database}{more}"))
    };
    let two = format!("127.0.0.1:{unreachable},127.0.0.1:{port}");
    let db = with(of(&two, &good, ""), &[SHOP]).await;
    db.run(FILL, ()).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let error =
        Part::connect(&open(folder.path(), &of(&two, &locked, ""), &[SHOP])).await.unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("read-write")
            && text.contains("read-only")
            && text.contains(&unreachable.to_string()),
        "{text}"
    );
    for target in ["any", "read-only", "primary", "prefer-standby"] {
        let more = format!("?target_session_attrs={target}");
        assert_eq!(items(&with(of(&two, &locked, &more), &[SHOP]).await.db).await, 0);
    }
}

/// A proxy that can stop forwarding without closing a connection, as a frozen host does.
struct Freezer {
    port: u16,
    frozen: tokio::sync::watch::Sender<bool>,
}

impl Freezer {
    async fn before(server_port: u16) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let frozen = tokio::sync::watch::Sender::new(false);
        let receiver = frozen.subscribe();
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let mut receiver = receiver.clone();
                tokio::spawn(async move {
                    let address = ("127.0.0.1", server_port);
                    let mut server = tokio::net::TcpStream::connect(address).await.unwrap();
                    let freezes = async { receiver.wait_for(|frozen| *frozen).await.is_ok() };
                    let is_frozen = tokio::select! {
                        biased;
                        is_frozen = freezes => is_frozen,
                        _ = tokio::io::copy_bidirectional(&mut client, &mut server) => false,
                    };
                    if is_frozen {
                        std::future::pending::<()>().await;
                    }
                });
            }
        });
        Self { port, frozen }
    }

    fn freeze(&self) {
        self.frozen.send_replace(true);
    }
}

/// Settings for two hosts, the first of which can be frozen.
async fn behind_a_freezer() -> (Freezer, DbSettings) {
    let url = test_support::postgres::database();
    let (endpoint, database) =
        url.strip_prefix("postgres://postgres@").unwrap().split_once('/').unwrap();
    let port = endpoint.rsplit_once(':').unwrap().1.parse().unwrap();
    let freezer = Freezer::before(port).await;
    let own = freezer.port;
    let url = format!("postgres://postgres@127.0.0.1:{own},127.0.0.1:{port}/{database}");
    (freezer, DbSettings { max_connections: 3, ..at(&url) })
}

/// A statement that is running when it is cancelled.
const SLEEP: &str = "SELECT pg_sleep(10)";

/// Maximum time of a switch to another host.
const MAX_SWITCH: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_host_is_replaced_without_any_request() {
    let (freezer, settings) = behind_a_freezer().await;
    let db = with(settings, &[SHOP]).await;
    let watch = Watch::over(&db);
    db.run(FILL, ()).await.unwrap();
    assert_eq!(Part::health(&db.db).await, Health::Up);
    // Health checks alone, as a balancer sends them.
    freezer.freeze();
    let begin = std::time::Instant::now();
    assert_ne!(Part::health(&db.db).await, Health::Up);
    wait(async || Part::health(&db.db).await == Health::Up).await;
    assert!(begin.elapsed() < MAX_SWITCH, "{:?}", begin.elapsed());
    watch.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_host_is_replaced_although_statements_wait_on_every_connection() {
    let (freezer, settings) = behind_a_freezer().await;
    let db = with(settings, &[SHOP]).await;
    let watch = Watch::over(&db);
    db.run(FILL, ()).await.unwrap();
    drop(futures_util::future::join_all((0..3).map(|_| db.begin())).await);
    let mut tx = db.begin().await.unwrap();
    freezer.freeze();
    let begin = std::time::Instant::now();
    let in_transaction = async { tx.run(ADD, ("north", 1)).await };
    let statements = (0..6).map(|_| db.run(ADD, ("north", 1)));
    let outcome =
        futures_util::future::join(in_transaction, futures_util::future::join_all(statements));
    let (in_transaction, _) = outcome.await;
    assert_eq!(in_transaction.unwrap_err().kind(), Kind::Unavailable);
    db.run(ADD, ("north", 1)).await.unwrap();
    assert!(begin.elapsed() < MAX_SWITCH, "{:?}", begin.elapsed());
    watch.end().await;
}

/// Runs a statement, which has to end within [`MAX_SWITCH`].
async fn serve_soon(db: &Db) {
    let added = tokio::time::timeout(MAX_SWITCH, db.run(ADD, ("north", 1))).await;
    added.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn transactions_dropped_on_a_frozen_host_keep_no_place_in_the_pool() {
    let (freezer, settings) = behind_a_freezer().await;
    let db = with(settings, &[SHOP]).await;
    let watch = Watch::over(&db);
    db.run(FILL, ()).await.unwrap();
    let open = futures_util::future::try_join_all((0..3).map(|_| db.begin())).await.unwrap();
    freezer.freeze();
    drop(open);
    serve_soon(&db).await;
    watch.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_cancelled_on_a_frozen_host_keep_no_place_in_the_pool() {
    let (freezer, settings) = behind_a_freezer().await;
    let db = with(settings.clone(), &[SHOP]).await;
    let observer = with(settings, &[SHOP]).await;
    let watch = Watch::over(&db);
    db.run(FILL, ()).await.unwrap();
    let statements = futures_util::future::join_all((0..3).map(|_| db.run(SLEEP, ())));
    let mut statements = Box::pin(statements);
    let sleeping = async || {
        let count = "SELECT count(*) FROM pg_stat_activity
            WHERE datname = current_database() AND query = $1 AND state = 'active'";
        observer.one::<i64>(count, (SLEEP,)).await.unwrap() == Some(3)
    };
    tokio::select! {
        ended = &mut statements => panic!("{ended:?}"),
        () = wait(sleeping) => {}
    }
    freezer.freeze();
    drop(statements);
    serve_soon(&db).await;
    watch.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_transaction_on_a_frozen_host_fails_once_another_is_in_use() {
    let (freezer, settings) = behind_a_freezer().await;
    let db = with(settings, &[SHOP]).await;
    let watch = Watch::over(&db);
    db.run(FILL, ()).await.unwrap();
    let mut tx = db.begin().await.unwrap();
    freezer.freeze();
    wait(async || db.run(ADD, ("north", 1)).await.is_ok()).await;
    let late = tokio::time::timeout(MAX_SWITCH, tx.run(ADD, ("north", 1))).await.unwrap();
    assert_eq!(late.unwrap_err().kind(), Kind::Unavailable);
    watch.end().await;
}
