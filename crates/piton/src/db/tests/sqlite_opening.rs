//! Tests opening, migrating, closing and losing the file.

use std::time::Duration;

use uuid::Uuid;

use super::*;

/// A SQLite database whose watch runs.
struct Watched {
    shop: Fixture,
    stop: crate::stop_signal::Trigger,
    watch: Option<tokio::task::JoinHandle<()>>,
}

impl Watched {
    async fn new(settings: DbSettings) -> Self {
        let shop = with(settings, &[SHOP]).await;
        let (trigger, stop) = Stop::new();
        let db = shop.db.clone();
        let watch = tokio::spawn(async move { Part::run(&db, stop).await });
        Self { shop, stop: trigger, watch: Some(watch) }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.shop.folder.path().join("data").join(name)
    }

    async fn add(&self, name: &str) -> Result<u64, Error> {
        self.shop.run("INSERT INTO shops VALUES ($1, NULL)", (name,)).await
    }

    async fn names(&self) -> Vec<String> {
        self.shop.all("SELECT name FROM shops ORDER BY name", ()).await.unwrap()
    }

    async fn healthy(&self) {
        test_support::wait_for("the database to be up", || async {
            Part::health(&self.shop.db).await == Health::Up
        })
        .await;
    }

    async fn down(&self) -> String {
        match Part::health(&self.shop.db).await {
            Health::Down(why) => why,
            other => panic!("{other:?}"),
        }
    }

    async fn stop(mut self) -> TempDir {
        self.stop.stop();
        self.watch.take().unwrap().await.unwrap();
        Part::stop(&self.shop.db).await;
        self.shop.folder
    }
}

async fn names_in(file: &Path) -> Vec<String> {
    let settings = DbSettings { path: Some(file.into()), ..DbSettings::default() };
    let db = open(file.parent().unwrap(), &settings, &[SHOP]);
    Part::connect(&db).await.unwrap();
    let names = db.all("SELECT name FROM shops ORDER BY name", ()).await.unwrap();
    Part::stop(&db).await;
    names
}

#[tokio::test]
async fn a_moved_file_accepts_no_writes_until_it_is_back() {
    let db = Watched::new(DbSettings::default()).await;
    db.add("kept").await.unwrap();
    let mut tx = db.shop.begin().await.unwrap();
    tx.run("INSERT INTO shops VALUES ('lost too', NULL)", ()).await.unwrap();
    std::fs::rename(db.path("shop.db"), db.path("moved.db")).unwrap();
    assert_eq!(tx.commit().await.unwrap_err().kind(), Kind::Unavailable);
    let error = db.add("lost").await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable);
    assert!(error.to_string().contains("shop.db was moved or deleted"), "{error}");
    assert!(db.down().await.contains("was moved or deleted"));
    test_support::wait_for("reads to be refused", || async {
        db.shop.one::<i64>("SELECT 1", ()).await.is_err()
    })
    .await;
    assert!(!db.path("shop.db").exists(), "no empty file takes its place");
    std::fs::rename(db.path("moved.db"), db.path("shop.db")).unwrap();
    db.healthy().await;
    db.add("later").await.unwrap();
    assert!(db.names().await.contains(&"kept".to_owned()));
    let folder = db.stop().await;
    let names = names_in(&folder.path().join("data/shop.db")).await;
    assert!(names.contains(&"kept".into()) && names.contains(&"later".into()), "{names:?}");
}

#[tokio::test]
async fn acknowledged_writes_are_in_the_moved_file() {
    let db = Watched::new(DbSettings::default()).await;
    for number in 0..50 {
        db.add(&number.to_string()).await.unwrap();
    }
    // Moved without its log, which still holds all of the writes.
    std::fs::rename(db.path("shop.db"), db.path("moved.db")).unwrap();
    test_support::wait_for("the move to be noticed", || async {
        db.shop.one::<i64>("SELECT 1", ()).await.is_err()
    })
    .await;
    test_support::wait_for("the log to be written back", || async {
        std::fs::metadata(db.path("shop.db-wal")).is_ok_and(|log| log.len() == 0)
    })
    .await;
    assert_eq!(names_in(&db.path("moved.db")).await.len(), 50);
    db.stop().await;
}

#[tokio::test]
async fn a_file_put_in_its_place_is_opened_and_brought_up_to_date() {
    let db = Watched::new(DbSettings::default()).await;
    db.add("before").await.unwrap();
    // A file of an earlier release: the second migration has not run in it.
    let settings = DbSettings { path: Some(db.path("earlier.db")), ..DbSettings::default() };
    let earlier = open(db.shop.folder.path(), &settings, &[FIRST]);
    Part::connect(&earlier).await.unwrap();
    Part::stop(&earlier).await;
    std::fs::rename(db.path("shop.db"), db.path("old.db")).unwrap();
    std::fs::rename(db.path("earlier.db"), db.path("shop.db")).unwrap();
    let error = db.add("astray").await.unwrap_err();
    assert!(error.to_string().contains("was replaced by another file"), "{error}");
    db.healthy().await;
    db.add("after").await.unwrap();
    assert_eq!(db.names().await, ["after"]);
    assert_eq!(items(&db.shop).await, 0);
    assert!(names_in(&db.path("old.db")).await.contains(&"before".to_owned()));

    // A restored copy replaces the file.
    std::fs::rename(db.path("old.db"), db.path("shop.db")).unwrap();
    test_support::wait_for("the restored file", || async {
        let names: Result<Vec<String>, _> = db.shop.all("SELECT name FROM shops", ()).await;
        names.is_ok_and(|names| names.contains(&"before".to_owned()))
    })
    .await;
    db.healthy().await;
    db.stop().await;
}

/// The first of `SHOP`'s migrations.
const FIRST: Migrations = Migrations::new(&[(
    "0001_shops.sqlite.sql",
    "CREATE TABLE shops (name TEXT PRIMARY KEY, city TEXT) STRICT",
)]);

#[tokio::test]
async fn a_file_without_the_services_tables_is_not_taken_for_a_new_database() {
    let db = Watched::new(DbSettings::default()).await;
    db.add("before").await.unwrap();
    std::fs::rename(db.path("shop.db"), db.path("old.db")).unwrap();
    std::fs::write(db.path("shop.db"), "").unwrap();
    test_support::wait_for("the empty file to be refused", || async {
        db.down().await.contains("holds none of this service's tables")
    })
    .await;
    assert!(db.add("astray").await.is_err());
    assert_eq!(std::fs::metadata(db.path("shop.db")).unwrap().len(), 0, "it is left as it is");

    // A valid database of something else.
    let settings = DbSettings { path: Some(db.path("other.db")), ..DbSettings::default() };
    let other = open(db.shop.folder.path(), &settings, &[]);
    Part::connect(&other).await.unwrap();
    other.run("CREATE TABLE shops (name TEXT, city TEXT)", ()).await.unwrap();
    Part::stop(&other).await;
    std::fs::rename(db.path("other.db"), db.path("shop.db")).unwrap();
    test_support::wait_for("the other file to be refused", || async {
        db.down().await.contains("holds none of this service's tables")
    })
    .await;
    assert!(db.add("astray").await.is_err());

    std::fs::rename(db.path("old.db"), db.path("shop.db")).unwrap();
    db.healthy().await;
    assert_eq!(db.names().await, ["before"]);
    db.stop().await;
}

#[tokio::test]
async fn a_log_behind_a_link_is_watched_next_to_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::create_dir(at("real")).unwrap();
    std::os::unix::fs::symlink("real/y.db", at("x.db")).unwrap();
    let db = Watched::new(DbSettings { path: Some(at("x.db")), ..DbSettings::default() }).await;
    for number in 0..50 {
        db.add(&number.to_string()).await.unwrap();
    }
    std::fs::remove_file(at("real/y.db-wal")).unwrap();
    std::fs::remove_file(at("real/y.db-shm")).unwrap();
    assert_eq!(db.add("lost").await.unwrap_err().kind(), Kind::Unavailable);
    test_support::wait_for("a new log", || async { at("real/y.db-wal").exists() }).await;
    db.healthy().await;
    db.add("after").await.unwrap();
    assert!(db.names().await.len() >= 51);
    db.stop().await;
    assert!(names_in(&at("x.db")).await.contains(&"after".to_owned()));
}

#[tokio::test]
async fn a_file_that_became_a_link_is_opened_at_its_new_place() {
    let db = Watched::new(DbSettings::default()).await;
    db.add("before").await.unwrap();
    std::fs::create_dir(db.path("real")).unwrap();
    std::fs::rename(db.path("shop.db"), db.path("real/y.db")).unwrap();
    std::os::unix::fs::symlink("real/y.db", db.path("shop.db")).unwrap();
    test_support::wait_for("a log next to the file", || async {
        db.path("real/y.db-wal").exists()
    })
    .await;
    db.healthy().await;
    db.add("after").await.unwrap();
    assert_eq!(db.names().await, ["after", "before"]);
    assert!(!db.path("shop.db-wal").exists());
    db.stop().await;
}

#[tokio::test]
async fn a_reader_of_the_earlier_file_delays_the_replacement() {
    use sqlx::{Connection, Executor};

    let settings = DbSettings { busy_timeout: Duration::from_millis(50), ..DbSettings::default() };
    let db = Watched::new(settings).await;
    db.add("before").await.unwrap();
    let address = format!("sqlite:{}", db.path("shop.db").display());
    let mut reader = sqlx::SqliteConnection::connect(&address).await.unwrap();
    let backup = format!("VACUUM INTO '{}'", db.path("backup.db").display());
    reader.execute(sqlx::AssertSqlSafe(backup)).await.unwrap();
    db.add("acknowledged").await.unwrap();
    reader.execute("BEGIN").await.unwrap();
    reader.execute("SELECT * FROM shops").await.unwrap();
    std::fs::rename(db.path("shop.db"), db.path("old.db")).unwrap();
    std::fs::rename(db.path("backup.db"), db.path("shop.db")).unwrap();
    test_support::wait_for("the reader to be reported", || async {
        db.down().await.contains("still reads the earlier state")
    })
    .await;
    reader.execute("ROLLBACK").await.unwrap();
    db.healthy().await;
    assert_eq!(db.names().await, ["before"]);
    let folder = db.stop().await;
    reader.close().await.unwrap();
    let names = names_in(&folder.path().join("data/old.db")).await;
    assert_eq!(names, ["acknowledged", "before"]);
}

#[tokio::test]
async fn the_command_migrate_leaves_the_schema_in_the_file_and_its_status_creates_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let db = open(folder.path(), &DbSettings::default(), &[SHOP]);
    assert!(db.applied().await.unwrap().is_empty());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    assert_eq!(db.migrate_now().await.unwrap().len(), 2);
    assert!(!folder.path().join("data/shop.db-wal").exists());
    assert_eq!(db.applied().await.unwrap().len(), 2);
    assert!(!folder.path().join("data/shop.db-wal").exists());
}

#[tokio::test]
async fn a_deleted_file_is_not_created_again_while_the_service_runs() {
    let db = Watched::new(DbSettings::default()).await;
    db.add("kept").await.unwrap();
    std::fs::remove_dir_all(db.path("")).unwrap();
    assert_eq!(db.add("lost").await.unwrap_err().kind(), Kind::Unavailable);
    test_support::wait_for("the deletion to be noticed", || async {
        db.shop.one::<i64>("SELECT 1", ()).await.is_err()
    })
    .await;
    assert!(db.down().await.contains("restart the service to create a new one"));
    assert!(!db.path("").exists());
    db.stop().await;
}

#[tokio::test]
async fn a_deleted_index_of_the_log_is_created_again() {
    let db = Watched::new(DbSettings::default()).await;
    db.add("before").await.unwrap();
    std::fs::remove_file(db.path("shop.db-shm")).unwrap();
    test_support::wait_for("a new index", || async { db.path("shop.db-shm").exists() }).await;
    db.healthy().await;
    db.add("after").await.unwrap();
    assert_eq!(names_in(&db.path("shop.db")).await, ["after", "before"]);
    db.stop().await;
}

#[tokio::test]
async fn an_emptied_file_accepts_no_writes() {
    let db = Watched::new(DbSettings::default()).await;
    db.add("lost").await.unwrap();
    std::fs::File::create(db.path("shop.db")).unwrap();
    assert_eq!(db.add("lost too").await.unwrap_err().kind(), Kind::Unavailable);
    assert!(db.down().await.contains("was emptied"));
    db.stop().await;
}

#[tokio::test]
async fn a_deleted_log_is_written_back_and_created_again() {
    let db = Watched::new(DbSettings::default()).await;
    for number in 0..50 {
        db.add(&number.to_string()).await.unwrap();
    }
    std::fs::remove_file(db.path("shop.db-wal")).unwrap();
    std::fs::remove_file(db.path("shop.db-shm")).unwrap();
    test_support::wait_for("a new log", || async { db.path("shop.db-wal").exists() }).await;
    db.healthy().await;
    db.add("after").await.unwrap();
    // Another process reads only what is durable, as after a crash.
    assert_eq!(names_in(&db.path("shop.db")).await.len(), 51);
    db.stop().await;
}

#[tokio::test]
async fn a_full_database_is_not_ready_until_it_can_be_written() {
    let settings = DbSettings { max_connections: 1, ..DbSettings::default() };
    let db = with(settings, &[SHOP]).await;
    db.run("PRAGMA max_page_count = 8", ()).await.unwrap();
    let text = "x".repeat(100_000);
    let insert = "INSERT INTO shops VALUES ('big', $1)";
    let error = db.run(insert, (&text,)).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable);
    let Health::Down(why) = Part::health(&db.db).await else { panic!("it is full") };
    assert!(why.contains("the last write failed") && why.contains("full"), "{why}");
    let (trigger, stop) = Stop::new();
    let watched = db.db.clone();
    let watch = tokio::spawn(async move { Part::run(&watched, stop).await });
    test_support::wait_for("a write that works", || async {
        Part::health(&db.db).await == Health::Up
    })
    .await;
    trigger.stop();
    watch.await.unwrap();
}

#[tokio::test]
async fn a_damaged_page_is_reported_by_health_once_it_was_read() {
    let db = shop().await;
    db.run("CREATE TABLE big (text TEXT)", ()).await.unwrap();
    for _ in 0..20 {
        db.run("INSERT INTO big VALUES ($1)", ("x".repeat(3000),)).await.unwrap();
    }
    let _: Vec<(i64, i64, i64)> = db.all("PRAGMA wal_checkpoint(TRUNCATE)", ()).await.unwrap();
    let path = db.folder.path().join("data/shop.db");
    let length = usize::try_from(std::fs::metadata(&path).unwrap().len()).unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[length / 2..].fill(0xff);
    std::fs::write(&path, bytes).unwrap();
    // The transaction takes the connection that has cached the pages: the query uses another.
    let _tx = db.begin().await.unwrap();
    let error = db.all::<String>("SELECT text FROM big", ()).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Other);
    let Health::Down(why) = Part::health(&db.db).await else { panic!("it is damaged") };
    assert!(why.contains("shop.db is damaged") && why.contains("malformed"), "{why}");
}

#[tokio::test]
async fn a_wrong_file_or_migration_is_a_permanent_error() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::create_dir(at("folder")).unwrap();
    std::fs::write(at("notes"), "these are notes, not a database\n".repeat(100)).unwrap();
    for (name, why) in [
        ("folder", "is a folder"),
        ("notes", "file is not a database"),
        ("notes/x", "notes is not a folder"),
    ] {
        let settings = DbSettings { path: Some(at(name)), ..DbSettings::default() };
        let error = Part::connect(&open(folder.path(), &settings, &[SHOP])).await.unwrap_err();
        assert!(error.is::<Permanent>() && error.to_string().contains(why), "{error}");
    }
    const BROKEN: Migrations = Migrations::new(&[("0001_bad.sql", "CREATE TABEL x")]);
    let error = Part::connect(&open(folder.path(), &DbSettings::default(), &[BROKEN])).await;
    assert!(error.unwrap_err().is::<Permanent>());
    // Pending migrations are not permanent here, because another process runs them.
    let settings = DbSettings { migrate: false, path: Some(at("new.db")), ..DbSettings::default() };
    let pending = open(folder.path(), &settings, &[SHOP]);
    assert!(!Part::connect(&pending).await.unwrap_err().is::<Permanent>());
}

#[tokio::test]
async fn the_durability_of_commits_is_a_setting() {
    for (setting, pragma) in
        [(Synchronous::Normal, 1), (Synchronous::Full, 2), (Synchronous::Extra, 3)]
    {
        let settings = DbSettings { synchronous: setting, ..DbSettings::default() };
        let db = with(settings, &[SHOP]).await;
        assert_eq!(db.one::<i64>("PRAGMA synchronous", ()).await.unwrap(), Some(pragma));
    }
}

#[tokio::test]
async fn an_older_program_accepts_and_reports_marked_migrations() {
    const ADDS: Migrations = Migrations::new(&[(
        "0003_zip.sql",
        "-- Older programs do not read it.\r\n-- backward-compatible\r\nALTER TABLE shops ADD COLUMN zip TEXT;\r\n",
    )]);
    const DROPS: Migrations =
        Migrations::new(&[("0004_city.sql", "ALTER TABLE shops DROP COLUMN city")]);
    let db = shop().await;
    let connect = |lists: &'static [Migrations], accept_newer| {
        let settings = DbSettings { accept_newer, ..DbSettings::default() };
        let db = open(db.folder.path(), &settings, lists);
        async move { Part::connect(&db).await.map(|()| Part::details(&db)).map_err(|it| it.to_string()) }
    };
    let compatible = AcceptNewer::Compatible;
    assert_eq!(connect(&[SHOP, ADDS], compatible).await.unwrap(), serde_json::Value::Null);
    let details = connect(&[SHOP], compatible).await.unwrap();
    assert_eq!(details["newer_migrations"], serde_json::json!(["0003 (zip)"]));
    assert!(connect(&[SHOP], AcceptNewer::None).await.is_err());
    connect(&[SHOP, ADDS, DROPS], compatible).await.unwrap();
    let refused = connect(&[SHOP], compatible).await.unwrap_err();
    assert!(refused.contains("0004 (city), which is not in this program"), "{refused}");
    connect(&[SHOP], AcceptNewer::Any).await.unwrap();
}

#[tokio::test]
async fn a_mark_is_recorded_though_another_tool_ran_the_migration() {
    const MARKED: Migrations =
        Migrations::new(&[("0003_a.sql", "-- backward-compatible\nSELECT 1")]);
    let db = shop().await;
    let again = || open(db.folder.path(), &DbSettings::default(), &[SHOP, MARKED]);
    Part::connect(&again()).await.unwrap();
    db.run("DROP TABLE _piton_migrations", ()).await.unwrap();
    Part::connect(&again()).await.unwrap();
    let marks: Vec<i64> = db.all("SELECT version FROM _piton_migrations", ()).await.unwrap();
    assert_eq!(marks, [3]);
}

#[tokio::test]
async fn nothing_is_on_disk_before_connect() {
    let folder = tempfile::tempdir().unwrap();
    let db = open(folder.path(), &DbSettings::default(), &[SHOP]);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    Part::connect(&db).await.unwrap();
    assert!(folder.path().join("data/shop.db").exists());
}

#[tokio::test]
async fn the_file_is_opened_with_sensible_pragmas() {
    let db = shop().await;
    let text: String = db.one("PRAGMA journal_mode", ()).await.unwrap().unwrap();
    assert_eq!(text, "wal");
    for (sql, wanted) in [
        ("PRAGMA foreign_keys", 1),
        ("PRAGMA synchronous", 1),
        ("PRAGMA busy_timeout", 5000),
        ("PRAGMA journal_size_limit", 64 * 1024 * 1024),
    ] {
        assert_eq!(db.one::<i64>(sql, ()).await.unwrap(), Some(wanted), "{sql}");
    }
}

#[tokio::test]
async fn data_outlives_a_restart_and_the_log_is_written_back_at_stop() {
    let db = shop().await;
    Part::stop(&db.db).await;
    assert!(!db.folder.path().join("data/shop.db-wal").exists());
    let error = db.run("DELETE FROM shops", ()).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable);
    let again = open(db.folder.path(), &DbSettings::default(), &[SHOP]);
    Part::connect(&again).await.unwrap();
    assert_eq!(again.all::<Shop>("SELECT * FROM shops", ()).await.unwrap().len(), 2);
}

#[tokio::test]
async fn health_and_snapshot_show_the_file() {
    let db = shop().await;
    assert_eq!(Part::health(&db.db).await, Health::Up);
    let shown = Part::snapshot(&db.db);
    assert_eq!(shown["engine"], "sqlite");
    assert!(shown["file"].as_str().unwrap().ends_with("data/shop.db"));
    assert_eq!(
        (shown["max_connections"].as_u64(), shown["migrations"].as_u64()),
        (Some(8), Some(2))
    );
    Part::stop(&db.db).await;
    assert!(matches!(Part::health(&db.db).await, Health::Down(_)));
}

#[tokio::test]
async fn a_file_that_cannot_be_opened_is_named_and_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("data"), "in the way").unwrap();
    let db = open(folder.path(), &DbSettings::default(), &[SHOP]);
    let error = Part::connect(&db).await.unwrap_err().to_string();
    assert!(error.contains("data"), "{error}");
    std::fs::remove_file(folder.path().join("data")).unwrap();
    Part::connect(&db).await.unwrap();
    Part::connect(&db).await.unwrap();
}

#[tokio::test]
async fn a_file_that_is_not_a_database_is_refused_and_unchanged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.txt");
    let text = "these are notes, not a database\n".repeat(100);
    std::fs::write(&path, &text).unwrap();
    let settings = DbSettings { path: Some(path.clone()), ..DbSettings::default() };
    let db = open(folder.path(), &settings, &[SHOP]);
    let error = Part::connect(&db).await.unwrap_err().to_string();
    assert!(error.contains("notes.txt") && error.contains("file is not a database"), "{error}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
}

#[tokio::test]
async fn new_migrations_run_and_old_ones_do_not_run_again() {
    let db = shop().await;
    const MORE: Migrations =
        Migrations::new(&[("0003_more.sqlite.sql", "ALTER TABLE shops ADD COLUMN zip TEXT")]);
    let again = open(db.folder.path(), &DbSettings::default(), &[SHOP, MORE]);
    for _ in 0..2 {
        Part::connect(&again).await.unwrap();
    }
    let zip: Vec<Option<String>> = again.all("SELECT zip FROM shops", ()).await.unwrap();
    assert_eq!(zip.len(), 2);
    let run: Vec<(i64, String, bool)> = again
        .all("SELECT version, description, success FROM _sqlx_migrations ORDER BY version", ())
        .await
        .unwrap();
    assert_eq!(run.last(), Some(&(3, "more".to_owned(), true)));
}

#[tokio::test]
async fn a_migration_that_fails_is_named_and_leaves_nothing_behind() {
    const BROKEN: Migrations = Migrations::new(&[
        ("0003_good.sql", "CREATE TABLE good (a INTEGER)"),
        ("0004_bad.sql", "CREATE TABLE half (a INTEGER); INSERT INTO nowhere VALUES (1)"),
    ]);
    let db = shop().await;
    let broken = open(db.folder.path(), &DbSettings::default(), &[SHOP, BROKEN]);
    let error = Part::connect(&broken).await.unwrap_err();
    assert_eq!(error.to_string(), "migration 0004_bad.sql: no such table: nowhere");
    let tables: Vec<String> =
        db.all("SELECT name FROM sqlite_schema WHERE name IN ('good', 'half')", ()).await.unwrap();
    assert!(tables.is_empty(), "{tables:?}");
    db.run(ADD, ("north", 1)).await.unwrap();
}

#[tokio::test]
async fn a_changed_or_missing_migration_is_refused() {
    const EDITED: Migrations =
        Migrations::new(&[("0001_shops.sqlite.sql", "CREATE TABLE shops (name TEXT)")]);
    let db = shop().await;
    let text = |lists: &'static [Migrations]| {
        let db = open(db.folder.path(), &DbSettings::default(), lists);
        async move { Part::connect(&db).await.unwrap_err().to_string() }
    };
    assert!(text(&[EDITED]).await.contains("0001_shops.sqlite.sql was changed after it had run"));
    assert!(
        text(&[])
            .await
            .contains("has run 0001 (shops), 0002 (items), which are not in this program")
    );
}

#[tokio::test]
async fn rebuilding_a_table_does_not_delete_rows_that_reference_it() {
    const REBUILD: Migrations = Migrations::new(&[
        (
            "0003_visits.sql",
            "CREATE TABLE visits (shop TEXT REFERENCES shops (name) ON DELETE CASCADE); INSERT INTO visits VALUES ('north')",
        ),
        (
            "0004_rebuild.sql",
            "CREATE TABLE shops_new (name TEXT PRIMARY KEY, city TEXT NOT NULL DEFAULT '?') STRICT;
             INSERT INTO shops_new SELECT name, coalesce(city, '?') FROM shops;
             DROP TABLE shops;
             ALTER TABLE shops_new RENAME TO shops;",
        ),
    ]);
    let db = shop().await;
    let again = open(db.folder.path(), &DbSettings::default(), &[SHOP, REBUILD]);
    Part::connect(&again).await.unwrap();
    assert_eq!(again.one::<i64>("SELECT count(*) FROM visits", ()).await.unwrap(), Some(1));
    assert_eq!(
        again.run("INSERT INTO visits VALUES ('west')", ()).await.unwrap_err().kind(),
        Kind::ForeignKey
    );
}

#[tokio::test]
async fn a_migration_that_leaves_dangling_rows_is_refused() {
    const LOSES: Migrations = Migrations::new(&[("0003_loses.sql", "DELETE FROM shops")]);
    let db = shop().await;
    db.run(ADD, ("north", 1)).await.unwrap();
    let again = open(db.folder.path(), &DbSettings::default(), &[SHOP, LOSES]);
    let error = Part::connect(&again).await.unwrap_err().to_string();
    assert_eq!(
        error,
        "migrations: they would leave rows in `items` that reference rows of `shops` that do not exist"
    );
    assert_eq!(db.all::<Shop>("SELECT * FROM shops", ()).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_folder_is_embedded_with_the_variants_for_this_database() {
    let db = with(DbSettings::default(), &[piton::migrations!("src/db/fixtures")]).await;
    assert_eq!(
        db.one::<String>("SELECT name FROM engine", ()).await.unwrap().as_deref(),
        Some("sqlite")
    );
    assert_eq!(
        db.all::<i64>("SELECT version FROM _sqlx_migrations ORDER BY 1", ()).await.unwrap(),
        [1, 2]
    );
}

const CHILD: &str = "PITON_TEST_DB_FOLDER";

#[tokio::test]
#[ignore = "a process that the next test starts"]
async fn child_that_connects() {
    let Some(folder) = std::env::var_os(CHILD) else {
        return;
    };
    let db = open(Path::new(&folder), &DbSettings::default(), &[SHOP]);
    Part::connect(&db).await.unwrap();
    db.run("INSERT INTO shops VALUES ($1, NULL)", (Uuid::new_v4().to_string(),)).await.unwrap();
    Part::stop(&db).await;
}

#[test]
fn processes_that_start_on_one_new_file_at_once_all_succeed() {
    const PROCESSES: usize = 6;
    for _ in 0..3 {
        let folder = tempfile::tempdir().unwrap();
        let start = || {
            std::process::Command::new(std::env::current_exe().unwrap())
                .args([
                    "--exact",
                    concat!(module_path!(), "::child_that_connects").trim_start_matches("piton::"),
                    "--ignored",
                ])
                .env(CHILD, folder.path())
                .output()
                .unwrap()
        };
        std::thread::scope(|scope| {
            let children: Vec<_> = (0..PROCESSES).map(|_| scope.spawn(start)).collect();
            for child in children {
                let output = child.join().unwrap();
                let text = String::from_utf8_lossy(&output.stdout).into_owned();
                assert!(output.status.success() && text.contains("1 passed"), "{text}");
            }
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let shops = runtime.block_on(async {
            let db = open(folder.path(), &DbSettings::default(), &[SHOP]);
            Part::connect(&db).await.unwrap();
            db.one::<i64>("SELECT count(*) FROM shops", ()).await.unwrap()
        });
        assert_eq!(shops, Some(6));
    }
}
