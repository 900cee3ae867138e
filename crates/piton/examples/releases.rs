//! One service in three releases, each with one more migration: the second's is backward-compatible,
//! so the first can be brought back; the third's is not. Try
//! `RELEASE=2 cargo run -p piton --example releases --features sqlite`, then the same with `RELEASE=1`.

use piton::db::Migrations;
use piton::prelude::*;

const NOTES: (&str, &str) =
    ("0001_notes.sql", "CREATE TABLE notes (number BIGINT PRIMARY KEY, text TEXT NOT NULL);\n");

/// The first release goes on inserting rows without an author: the column has a default.
const AUTHOR: (&str, &str) = (
    "0002_author.sql",
    "-- backward-compatible\nALTER TABLE notes ADD COLUMN author TEXT NOT NULL DEFAULT 'unknown';\n",
);

/// Earlier releases insert into `text`, which is gone.
const RENAMED: (&str, &str) =
    ("0003_renamed.sql", "ALTER TABLE notes RENAME COLUMN text TO body;\n");

fn release() -> Option<String> {
    std::env::var_os("RELEASE")?.into_string().ok()
}

fn migrations() -> Migrations {
    match release().as_deref() {
        Some("3") => Migrations::new(&[NOTES, AUTHOR, RENAMED]),
        Some("2") => Migrations::new(&[NOTES, AUTHOR]),
        _ => Migrations::new(&[NOTES]),
    }
}

/// Adds a note.
#[post("/notes/{number}")]
async fn add(db: Db, Path(number): Path<i64>) -> Result<StatusCode> {
    let insert = match release().as_deref() {
        Some("3") => "INSERT INTO notes (number, body, author) VALUES ($1, 'text', 'me')",
        Some("2") => "INSERT INTO notes (number, text, author) VALUES ($1, 'text', 'me')",
        _ => "INSERT INTO notes (number, text) VALUES ($1, 'text')",
    };
    db.run(insert, (number,)).await?;
    Ok(StatusCode::CREATED)
}

/// Counts the notes.
#[get("/notes")]
async fn count(db: Db) -> Result<String> {
    let count: Option<i64> = db.one("SELECT count(*) FROM notes", ()).await?;
    Ok(count.unwrap_or_default().to_string())
}

fn main() -> piton::Exit {
    App::new("releases").migrations(migrations()).run()
}
