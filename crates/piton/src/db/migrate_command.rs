//! The command `migrate`: runs and lists migrations, and creates a file for the next one.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

use clap::{Arg, ArgAction};

use super::database::Db;
use super::error::{Error, Kind};
use super::migrations::compare::{AppliedMigration, MigrationComparison};
use super::migrations::embedded::MigrationFile;
use super::migrations::folder::{BUILD_SCRIPT_HINT, differences};
use crate::app::{Command, LaunchError, ModuleCommand, print};

inventory::submit! { ModuleCommand(command) }

fn command() -> Command {
    let new = clap::Command::new("new")
        .about("Write an empty file for the next migration into the folder `migrations`")
        .arg(Arg::new("name").value_name("NAME").required(true).help("Such as add_phone"))
        .arg(
            Arg::new("pair")
                .long("pair")
                .action(ArgAction::SetTrue)
                .help("Write two: one for SQLite, one for PostgreSQL"),
        );
    Command::new("migrate", "Bring the database's schema up to date, or show its state")
        .subcommand(clap::Command::new("up").about(
            "Run pending migrations (the service does so by itself, unless db.migrate is off)",
        ))
        .subcommand(
            clap::Command::new("status").about("List every migration: applied, pending, changed"),
        )
        .subcommand(new)
        .needs::<Db>()
        .without_connecting()
        .run(|app, arguments| async move {
            let text = match arguments.subcommand() {
                Some(("up", _)) => up(&app.part_unconnected()).await.map_err(launch_error)?,
                Some(("new", arguments)) => {
                    let name = arguments.get_one::<String>("name").expect("it is required");
                    let db: Db = app.part_unconnected();
                    require_package(Path::new("."), &db)?;
                    let written =
                        new_files(Path::new("migrations"), name, arguments.get_flag("pair"))?;
                    format!("{written}\n{}", build_script(Path::new("."))?)
                }
                _ => return status(&app.part_unconnected()).await,
            };
            print(&format!("{text}\n"))
        })
}

async fn up(db: &Db) -> Result<String, Error> {
    let names = db.migrate_now().await?;
    Ok(match names.len() {
        0 => "No migration is pending: the schema is up to date.".into(),
        _ => format!("Ran {}.", names.join(", ")),
    })
}

/// Gives the command the exit code that the service would have.
fn launch_error(error: Error) -> LaunchError {
    if error.is_permanent() { LaunchError::Permanent(error.into()) } else { error.into() }
}

/// Lists the migrations.
///
/// # Errors
/// Exit code 1 if the build and the folder differ, or if the service would not become ready.
async fn status(db: &Db) -> Result<(), LaunchError> {
    let applied = db.applied().await.map_err(launch_error)?;
    let migrations = db.migrations();
    let mut text = list(migrations.files(), &applied);
    let mut faults = Vec::new();
    match migrations.compare(&applied) {
        Ok(MigrationComparison { pending, newer, .. }) => {
            if !newer.is_empty() {
                let _ =
                    write!(text, "\nNewer than this program, and accepted: {}.", newer.join(", "));
            }
            if !pending.is_empty() && !migrations.run_at_start() {
                faults.push("migrations are pending, and db.migrate is off");
            }
            let _ = match pending.len() {
                0 => write!(text, "\nThe schema is up to date."),
                more if !migrations.run_at_start() => write!(
                    text,
                    "\n{more} to run: `migrate up`. Until then the service will not become ready, as db.migrate is off."
                ),
                more => write!(text, "\n{more} to run: `migrate up`, or start the service."),
            };
        }
        Err(error) => {
            let _ = write!(text, "\nThe service will not become ready: {error}");
            faults.push("the migrations do not fit the database");
        }
    }
    let differences = differences(migrations.lists()).await;
    if !differences.is_empty() {
        let _ = write!(text, "\nThe folder is not what this program was built from:");
        for difference in differences {
            let _ = write!(text, "\n  {difference}");
        }
        let _ = write!(text, "\nBuild again. {BUILD_SCRIPT_HINT}.");
        faults.push("the folder is not what this program was built from");
    }
    print(&format!("{text}\n"))?;
    if faults.is_empty() { Ok(()) } else { Err(LaunchError::Fault(faults.join("; ").into())) }
}

/// Writes the `build.rs` of the package in the working directory, and returns a message for the
/// user. An existing one is left as it is; the message then contains the line that it lacks.
fn build_script(package: &Path) -> Result<String, Error> {
    const LINE: &str = r#"println!("cargo:rerun-if-changed=migrations");"#;
    let manifest = std::fs::read_to_string(package.join("Cargo.toml")).unwrap_or_default();
    let manifest: toml::Table = manifest.parse().unwrap_or_default();
    let build = manifest.get("package").and_then(|package| package.get("build"));
    if build.and_then(toml::Value::as_bool) == Some(false) {
        return Ok(format!(
            "Cargo.toml says `build = false`: cargo will not notice the new file. Give the package a build.rs that says: {LINE}"
        ));
    }
    let name = build.and_then(toml::Value::as_str).unwrap_or("build.rs");
    let path = package.join(name);
    let cannot =
        |error: std::io::Error| Error::new(Kind::Migration, format!("{}: {error}", path.display()));
    let text = format!(
        "//! Builds again when a file is added to `migrations/`: the macro that embeds them cannot see that.\n\n\
         fn main() {{\n    {LINE}\n}}\n"
    );
    match std::fs::OpenOptions::new().write(true).create_new(true).open(&path) {
        Ok(mut file) => {
            file.write_all(text.as_bytes()).map_err(cannot)?;
            Ok(format!("Wrote {name}, by which cargo notices new files in `migrations`."))
        }
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            let existing = std::fs::read_to_string(&path).map_err(cannot)?;
            let notices = notices_migrations(&existing);
            Ok(if notices {
                format!("{name} makes cargo notice new files in `migrations`.")
            } else {
                format!(
                    "Add this line to `main` of {name}, or cargo may not notice the new file: {LINE}"
                )
            })
        }
        Err(error) => Err(cannot(error)),
    }
}

/// Returns whether the build script `text` makes cargo notice new files. Comments do not count.
fn notices_migrations(text: &str) -> bool {
    let mut code = String::new();
    let mut rest = text;
    while let Some((before, comment)) = rest.split_once("/*") {
        code.push_str(before);
        rest = comment.split_once("*/").map_or("", |(_, after)| after);
    }
    code.push_str(rest);
    code.lines().any(|line| {
        let instruction = line.split_once("rerun-if-changed=migrations");
        instruction.is_some_and(|(before, _)| !before.contains("//"))
    })
}

/// Refuses a working directory that is not that of a package, where no build would see the files.
fn require_package(folder: &Path, db: &Db) -> Result<(), Error> {
    let manifest = std::fs::read_to_string(folder.join("Cargo.toml"));
    let why = match manifest {
        Ok(text) if text.parse::<toml::Table>().is_ok_and(|it| it.contains_key("package")) => {
            return Ok(());
        }
        Ok(_) => "the Cargo.toml of the working directory has no [package]",
        Err(_) => "the working directory has no Cargo.toml",
    };
    let folders: Vec<&str> =
        db.migrations().lists().iter().filter_map(|list| list.folder()).collect();
    let fix = if folders.is_empty() {
        "change to the folder of the service's package".to_owned()
    } else {
        format!(
            "this program was built from {}: change to the package that holds it",
            folders.join(", ")
        )
    };
    Err(Error::new(Kind::Migration, format!("{why}, and nothing was written: {fix}")))
}

/// Returns the number of the next migration: above all others, and a timestamp if they are
/// timestamps. The loader reads any number that fits into 64 bits, and runs them in order.
fn next_number(highest: i64, now: chrono::DateTime<chrono::Utc>) -> Result<i64, Error> {
    /// The smallest number of 14 digits, as in `20240101000000`.
    const MIN_TIMESTAMP: i64 = 10_000_000_000_000;
    let next = highest.checked_add(1).ok_or_else(|| {
        Error::new(Kind::Migration, format!("no number is above that of the migration {highest}"))
    })?;
    if highest < MIN_TIMESTAMP {
        return Ok(next);
    }
    let now = now.format("%Y%m%d%H%M%S").to_string();
    Ok(now.parse().map_or(next, |now: i64| now.max(next)))
}

/// Returns one line per migration. Migrations that only the database knows are last.
fn list(files: &[MigrationFile], applied: &[AppliedMigration]) -> String {
    let width = files.iter().map(|file| file.name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for file in files {
        let done = applied.iter().find(|done| done.version == file.migration.version);
        let state = match done {
            None => "pending".to_owned(),
            Some(done) if !file.has_checksum(&done.checksum) => {
                format!("CHANGED since it was applied at {}", done.at)
            }
            Some(done) => format!("applied at {}", done.at),
        };
        let _ = writeln!(text, "{:width$}  {state}", file.name);
    }
    let unknown =
        |done: &&AppliedMigration| files.iter().all(|file| file.migration.version != done.version);
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
            "`{name}` is not a name for a migration: use lower-case letters, digits and `_`, such as add_phone"
        )));
    }
    let cannot = |error: std::io::Error| wrong(format!("{}: {error}", folder.display()));
    std::fs::create_dir_all(folder).map_err(cannot)?;
    let names = std::fs::read_dir(folder).map_err(cannot)?;
    let numbers = names.filter_map(|entry| {
        entry.ok()?.file_name().to_str()?.split_once('_')?.0.parse::<i64>().ok()
    });
    let number = next_number(numbers.max().unwrap_or(0), chrono::Utc::now())?;
    let kinds: &[&str] = if pair { &[".sqlite", ".postgres"] } else { &[""] };
    let mut written = Vec::new();
    for kind in kinds {
        let path = folder.join(format!("{number:04}_{name}{kind}.sql"));
        let text = "-- What changes, and why. Once it has run anywhere, change it by a new file only.\n\
             -- Write `-- backward-compatible` on a line of its own here if the program before this one\n\
             -- works on the schema afterwards: then that program can be brought back.\n";
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
    use crate::db::dialect::Dialect;
    use crate::db::migrations::embedded::{Migrations, files_for};

    #[test]
    fn a_new_file_has_the_next_number() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("migrations");
        new_files(&path, "users", false).unwrap();
        let message = new_files(&path, "add_phone", true).unwrap();
        assert!(message.contains("0002_add_phone.sqlite.sql and "), "{message}");
        assert!(path.join("0001_users.sql").exists());
        assert!(path.join("0002_add_phone.postgres.sql").exists());
        for wrong in ["", "Add Phone", "../x", "a.b"] {
            assert!(new_files(&path, wrong, false).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_new_file_comes_after_those_with_timestamps() {
        let folder = tempfile::tempdir().unwrap();
        let number_after = |existing: &str| {
            std::fs::write(folder.path().join(existing), "").unwrap();
            let message = new_files(folder.path(), "x", false).unwrap();
            let name = message.lines().next().unwrap().rsplit('/').next().unwrap();
            name.split_once('_').unwrap().0.parse::<i64>().unwrap()
        };
        assert!(number_after("20240101000000_a.sql") > 20_260_000_000_000);
        // A clock that is behind the last file.
        assert_eq!(number_after("99991231235959_a.sqlite.sql"), 99_991_231_235_960);
        std::fs::write(folder.path().join("9223372036854775807_a.sql"), "").unwrap();
        assert!(new_files(folder.path(), "x", false).is_err());
        let now = chrono::DateTime::UNIX_EPOCH;
        assert_eq!(next_number(4_294_967_296, now).unwrap(), 4_294_967_297);
    }

    #[test]
    fn a_comment_in_a_build_script_does_not_count() {
        const LINE: &str = r#"println!("cargo:rerun-if-changed=migrations");"#;
        for text in [LINE.to_owned(), format!("{LINE} // new files"), format!("/* x */ {LINE}")] {
            assert!(notices_migrations(&text), "{text}");
        }
        for text in [format!("// {LINE}"), format!("  //{LINE}"), format!("/*\n{LINE}\n*/")] {
            assert!(!notices_migrations(&text), "{text}");
        }
    }

    #[cfg(feature = "sqlite")]
    #[tokio::test]
    async fn a_folder_without_a_package_is_refused() {
        const LIST: Migrations =
            Migrations::new(&[("0001_a.sql", "a")]).embedded_from("/src/shop/migrations");
        let folder = tempfile::tempdir().unwrap();
        let settings = crate::db::DbSettings::default();
        let db = Db::new(&settings, "shop", folder.path(), true, vec![LIST]).unwrap();
        let refused = || require_package(folder.path(), &db).unwrap_err().to_string();
        let manifest = |text: &str| std::fs::write(folder.path().join("Cargo.toml"), text).unwrap();
        assert!(refused().contains("no Cargo.toml"), "{}", refused());
        manifest("[workspace]\nmembers = [\"shop\"]");
        let why = refused();
        assert!(why.contains("no [package]") && why.contains("/src/shop/migrations"), "{why}");
        manifest("[package]\nname = \"shop\"");
        require_package(folder.path(), &db).unwrap();
    }

    #[test]
    fn a_build_script_is_written_and_never_overwritten() {
        let package = tempfile::tempdir().unwrap();
        let path = package.path().join("build.rs");
        let read = || std::fs::read_to_string(&path).unwrap();
        assert!(build_script(package.path()).unwrap().starts_with("Wrote build.rs"));
        assert!(read().contains("cargo:rerun-if-changed=migrations"));
        assert!(build_script(package.path()).unwrap().contains("makes cargo notice"));
        std::fs::write(&path, "fn main() {}").unwrap();
        assert!(build_script(package.path()).unwrap().contains("Add this line"));
        assert_eq!(read(), "fn main() {}");
        std::fs::remove_file(&path).unwrap();
        let manifest =
            |text: &str| std::fs::write(package.path().join("Cargo.toml"), text).unwrap();
        manifest("[package]\nbuild = false");
        assert!(build_script(package.path()).unwrap().contains("build = false"));
        assert!(!path.exists());
        manifest("[package]\nbuild = \"other.rs\"");
        build_script(package.path()).unwrap();
        assert!(package.path().join("other.rs").exists());
    }

    #[test]
    fn the_list_shows_the_state_of_each() {
        const LIST: Migrations =
            Migrations::new(&[("0001_a.sql", "a"), ("0002_b.sql", "b"), ("0003_c.sql", "c")]);
        let files = files_for([&LIST], Dialect::Sqlite).unwrap();
        let done = |version: i64, checksum: Vec<u8>| AppliedMigration {
            version,
            description: "x".into(),
            checksum,
            at: "today".into(),
            backward_compatible: false,
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
