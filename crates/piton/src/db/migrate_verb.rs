//! The verb `migrate`: what has run, what has not, and a file for the next one.

use std::fmt::Write as _;
use std::path::Path;

use clap::{Arg, ArgAction, Command};

use super::Db;
use super::error::{Error, Kind};
use super::migrations::{Applied, File, pending};
use crate::app::{LaunchError, RoomVerb, Verb};

inventory::submit! { RoomVerb(verb) }

fn verb() -> Verb {
    let new = Command::new("new")
        .about("Write an empty file for the next migration into the folder `migrations`")
        .arg(Arg::new("name").value_name("NAME").required(true).help("Such as add_phone"))
        .arg(
            Arg::new("pair")
                .long("pair")
                .action(ArgAction::SetTrue)
                .help("Write two: one for SQLite, one for PostgreSQL"),
        );
    Verb::new("migrate", "Bring the database's schema up to date, or see how it stands")
        .subcommand(Command::new("up").about(
            "Run what has not run (the service does so by itself, unless db.migrate is off)",
        ))
        .subcommand(Command::new("status").about("List every migration: applied, pending, changed"))
        .subcommand(new)
        .needs::<Db>()
        .unconnected()
        .run(|app, arguments| async move {
            let said = match arguments.subcommand() {
                Some(("up", _)) => up(&app.part_unconnected()).await?,
                Some(("new", arguments)) => {
                    let name = arguments.get_one::<String>("name").expect("it is required");
                    new_files(Path::new("migrations"), name, arguments.get_flag("pair"))?
                }
                _ => status(&app.part_unconnected()).await?,
            };
            println!("{said}");
            Ok::<_, LaunchError>(())
        })
}

async fn up(db: &Db) -> Result<String, Error> {
    let names = db.migrate_now().await?;
    Ok(match names.len() {
        0 => "Nothing to run: the schema is up to date.".into(),
        _ => format!("Ran {}.", names.join(", ")),
    })
}

async fn status(db: &Db) -> Result<String, Error> {
    let applied = db.applied().await?;
    let files = db.files();
    let mut said = list(&files, &applied);
    match pending(&files, &applied) {
        Ok([]) => said.push_str("\nThe schema is up to date."),
        Ok(pending) => {
            let _ = write!(said, "\n{} to run: `migrate up`, or start the service.", pending.len());
        }
        Err(error) => {
            let _ = write!(said, "\nThe service will not become ready: {error}");
        }
    }
    Ok(said)
}

/// One line a migration, those that only the database knows last.
fn list(files: &[File], applied: &[Applied]) -> String {
    let width = files.iter().map(|file| file.name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for file in files {
        let done = applied.iter().find(|done| done.version == file.migration.version);
        let state = match done {
            None => "pending".to_owned(),
            Some(done) if *done.checksum != *file.migration.checksum => {
                format!("CHANGED since it was applied at {}", done.at)
            }
            Some(done) => format!("applied at {}", done.at),
        };
        let _ = writeln!(text, "{:width$}  {state}", file.name);
    }
    let unknown = |done: &&Applied| files.iter().all(|file| file.migration.version != done.version);
    for done in applied.iter().filter(unknown) {
        let _ = writeln!(
            text,
            "{:04} {}  applied at {}, not in this program",
            done.version, done.description, done.at
        );
    }
    text
}

/// Writes the file, or the pair of files, of the next number.
fn new_files(folder: &Path, name: &str, pair: bool) -> Result<String, Error> {
    let wrong = |why: String| Error::new(Kind::Migration, why);
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if name.is_empty() || !name.chars().all(plain) {
        return Err(wrong(format!(
            "`{name}` is no name for a migration: lower-case letters, digits and `_`, such as add_phone"
        )));
    }
    let cannot = |error: std::io::Error| wrong(format!("{}: {error}", folder.display()));
    std::fs::create_dir_all(folder).map_err(cannot)?;
    let names = std::fs::read_dir(folder).map_err(cannot)?;
    let numbers = names.filter_map(|entry| {
        entry.ok()?.file_name().to_str()?.split_once('_')?.0.parse::<u32>().ok()
    });
    let number = numbers.max().unwrap_or(0) + 1;
    let kinds: &[&str] = if pair { &[".sqlite", ".postgres"] } else { &[""] };
    let mut written = Vec::new();
    for kind in kinds {
        let path = folder.join(format!("{number:04}_{name}{kind}.sql"));
        let text =
            "-- What changes, and why. Once it has run anywhere, change it by a new file only.\n";
        std::fs::write(&path, text).map_err(cannot)?;
        written.push(path.display().to_string());
    }
    Ok(format!(
        "Wrote {}.\nFill it in, build (`piton::migrations!()` embeds it) and start the service, or `migrate up`.",
        written.join(" and ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::migrations::{Backend, Migrations, collect};

    #[test]
    fn a_new_file_has_the_next_number() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("migrations");
        new_files(&path, "users", false).unwrap();
        let said = new_files(&path, "add_phone", true).unwrap();
        assert!(said.contains("0002_add_phone.sqlite.sql and "), "{said}");
        assert!(path.join("0001_users.sql").exists());
        assert!(path.join("0002_add_phone.postgres.sql").exists());
        for wrong in ["", "Add Phone", "../x", "a.b"] {
            assert!(new_files(&path, wrong, false).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_list_says_how_each_stands() {
        const LIST: Migrations =
            Migrations::new(&[("0001_a.sql", "a"), ("0002_b.sql", "b"), ("0003_c.sql", "c")]);
        let files = collect([&LIST], Backend::Sqlite).unwrap();
        let done = |version: i64, checksum: Vec<u8>| Applied {
            version,
            description: "x".into(),
            checksum,
            at: "today".into(),
        };
        let applied =
            [done(1, files[0].migration.checksum.to_vec()), done(2, vec![1]), done(9, vec![1])];
        let text = list(&files, &applied);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "0001_a.sql  applied at today");
        assert!(lines[1].starts_with("0002_b.sql  CHANGED"), "{text}");
        assert_eq!(lines[2], "0003_c.sql  pending");
        assert!(lines[3].starts_with("0009 x  applied"), "{text}");
    }
}
