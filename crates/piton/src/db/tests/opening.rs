//! Opening the file, migrating it, closing it.

use uuid::Uuid;

use super::*;

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
async fn what_is_no_database_is_refused_and_left_alone() {
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
        text(&[]).await.contains("the database has run 0001 (shops), which is not in this program")
    );
}

#[tokio::test]
async fn rebuilding_a_table_does_not_delete_what_points_to_it() {
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
        "migrations: they would leave rows in `items` that point to rows of `shops` that do not exist"
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
