//! The room's contract, through the door that services use, each test on a file of its own.

use std::path::Path;

use tempfile::TempDir;

use super::*;

mod opening;
mod statements;
mod transactions;
mod types;

const SHOP: Migrations = Migrations::new(&[
    ("0001_shops.sql", "CREATE TABLE shops (name TEXT PRIMARY KEY, city TEXT) STRICT"),
    (
        "0002_items.sql",
        "CREATE TABLE items (
            id INTEGER PRIMARY KEY,
            shop TEXT NOT NULL REFERENCES shops (name),
            cents INTEGER NOT NULL CHECK (cents >= 0)
        ) STRICT;
        CREATE TRIGGER items_stay BEFORE DELETE ON items BEGIN SELECT RAISE(ABORT, 'items are never deleted'); END;",
    ),
]);

struct Fixture {
    db: Db,
    folder: TempDir,
}

impl std::ops::Deref for Fixture {
    type Target = Db;

    fn deref(&self) -> &Db {
        &self.db
    }
}

fn open(folder: &Path, settings: &DbSettings, migrations: &[Migrations]) -> Db {
    Db::sqlite(settings.file("shop", &folder.join("data")), settings, migrations.to_vec()).unwrap()
}

async fn with(settings: DbSettings, migrations: &[Migrations]) -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let db = open(folder.path(), &settings, migrations);
    Part::connect(&db).await.unwrap();
    Fixture { db, folder }
}

async fn shop() -> Fixture {
    let db = with(DbSettings::default(), &[SHOP]).await;
    db.run("INSERT INTO shops VALUES ('north', 'Oslo'), ('south', NULL)", ()).await.unwrap();
    db
}

async fn items(db: &Db) -> i64 {
    db.one("SELECT count(*) FROM items", ()).await.unwrap().unwrap()
}

const ADD: &str = "INSERT INTO items (shop, cents) VALUES ($1, $2)";

#[derive(Debug, PartialEq, FromRow)]
struct Shop {
    name: String,
    city: Option<String>,
}
