//! Migrations: the schema's history, embedded in the program and run when it first connects.
//!
//! Running them belongs to `connect`, not to a deploy script, so that no replica ever serves
//! requests on a schema it does not know. `piton::migrations!()` embeds the folder:
//!
//! ```text
//! migrations/
//!   0001_companies.sql            for every database
//!   0002_search.sqlite.sql        only where the database is SQLite
//!   0002_search.postgres.sql      ... and its counterpart
//! ```
//!
//! What has run is kept in sqlx's own table, `_sqlx_migrations`, so that its command line tool
//! reads it too. All pending migrations run in one transaction: either the schema is up to date
//! afterwards, or it is what it was.

use std::borrow::Cow;

use sqlx::SqlSafeStr;
use sqlx::migrate::{Migrate, MigrateError, Migration, MigrationType};
use tracing::{info, warn};

use super::error::{Error, Kind};

/// The migrations of a service, embedded by [`piton::migrations!()`](crate::migrations!). Give them
/// to the app: `App::new("registry").migrations(piton::migrations!())`.
#[derive(Clone, Copy, Debug)]
pub struct Migrations {
    files: &'static [(&'static str, &'static str)],
    folder: Option<&'static str>,
}

impl Migrations {
    /// Migrations by hand: names of files, such as `0001_users.sql`, and their content.
    #[must_use]
    pub const fn new(files: &'static [(&'static str, &'static str)]) -> Self {
        Self { files, folder: None }
    }

    /// The folder that the files were embedded from, so that a build in development can say when a
    /// new file there is not in it yet.
    #[must_use]
    pub const fn embedded_from(self, folder: &'static str) -> Self {
        Self { folder: Some(folder), ..self }
    }

    /// Names of files that lie in the folder but are not in this build. Reads the folder: blocks.
    pub(super) fn forgotten(&self) -> Vec<String> {
        let Some(Ok(folder)) = self.folder.map(std::fs::read_dir) else {
            return Vec::new();
        };
        folder
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter(|name| {
                name.ends_with(".sql") && self.files.iter().all(|(known, _)| known != name)
            })
            .collect()
    }
}

/// Where sqlx notes which migrations have run.
const TABLE: &str = "_sqlx_migrations";

/// The first line of a file that cannot stand in a transaction, such as one that says
/// `CREATE INDEX CONCURRENTLY`.
const NO_TRANSACTION: &str = "-- no-transaction";

/// Which variants of a migration run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Backend {
    Sqlite,
    Postgres,
}

/// One migration that is to run on a backend.
#[derive(Clone, Debug)]
pub(super) struct File {
    pub name: &'static str,
    pub migration: Migration,
}

/// The files of all `lists` that are for `backend`, in order.
///
/// # Errors
/// [`Kind::Migration`] if a name is not `NNNN_name.sql` or two files have one number.
pub(super) fn collect<'a>(
    lists: impl IntoIterator<Item = &'a Migrations>,
    backend: Backend,
) -> Result<Vec<File>, Error> {
    let mut files = Vec::new();
    for (name, sql) in lists.into_iter().flat_map(|list| list.files) {
        files.extend(parse(name, sql, backend)?);
    }
    files.sort_by_key(|file| file.migration.version);
    for pair in files.windows(2) {
        if pair[0].migration.version == pair[1].migration.version {
            return Err(wrong(format!(
                "{} and {} have the same number",
                pair[0].name, pair[1].name
            )));
        }
    }
    Ok(files)
}

/// `None` if the file is for another backend.
fn parse(name: &'static str, sql: &'static str, backend: Backend) -> Result<Option<File>, Error> {
    let malformed = || {
        wrong(format!(
            "{name}: a migration is named `0001_name.sql`, `0001_name.sqlite.sql` or `0001_name.postgres.sql`"
        ))
    };
    let (number, rest) = name.split_once('_').ok_or_else(malformed)?;
    let version = number.parse::<i64>().ok().filter(|_| number.bytes().all(|b| b.is_ascii_digit()));
    let rest = rest.strip_suffix(".sql").ok_or_else(malformed)?;
    let (description, variant) = match rest.split_once('.') {
        None => (rest, None),
        Some((description, "sqlite")) => (description, Some(Backend::Sqlite)),
        Some((description, "postgres")) => (description, Some(Backend::Postgres)),
        Some(_) => return Err(malformed()),
    };
    let (Some(version), false) = (version, description.is_empty()) else {
        return Err(malformed());
    };
    if variant.is_some_and(|variant| variant != backend) {
        return Ok(None);
    }
    let description = Cow::Owned(description.replace('_', " "));
    let no_tx = sql.lines().next().is_some_and(|line| line.trim() == NO_TRANSACTION);
    let kind = MigrationType::Simple;
    let migration = Migration::new(version, description, kind, sql.into_sql_str(), no_tx);
    Ok(Some(File { name, migration }))
}

/// What the database says has run.
pub(super) struct Applied {
    pub version: i64,
    pub description: String,
    pub checksum: Vec<u8>,
    /// When it ran, as the database writes it.
    pub at: String,
}

/// Compares the program's migrations with what has run, and returns those that have not.
///
/// # Errors
/// [`Kind::Migration`] if a file was changed after it had run, is missing, or is new but comes
/// before one that has run.
pub(super) fn pending<'a>(files: &'a [File], applied: &[Applied]) -> Result<&'a [File], Error> {
    let mut rest = files;
    for done in applied {
        let Some((file, later)) = rest.split_first() else {
            return Err(missing(done));
        };
        match file.migration.version.cmp(&done.version) {
            std::cmp::Ordering::Less => return Err(out_of_order(file, done)),
            std::cmp::Ordering::Greater => return Err(missing(done)),
            std::cmp::Ordering::Equal if *file.migration.checksum != *done.checksum => {
                return Err(changed(file));
            }
            std::cmp::Ordering::Equal => rest = later,
        }
    }
    Ok(rest)
}

fn missing(done: &Applied) -> Error {
    wrong(format!(
        "the database has run {:04} ({}), which is not in this program: is the program older than the database, or was \
         the file deleted?",
        done.version, done.description
    ))
}

fn out_of_order(file: &File, done: &Applied) -> Error {
    wrong(format!(
        "{} has not run, but the later {:04} ({}) has: give the file a number above it",
        file.name, done.version, done.description
    ))
}

fn changed(file: &File) -> Error {
    wrong(format!(
        "{} was changed after it had run: put it back as it was and write what is new into a new file",
        file.name
    ))
}

/// What keeps a service from being ready that is not to migrate by itself.
///
/// # Errors
/// [`Kind::Migration`] if something is pending, with the command that runs it.
pub(super) fn require_none(pending: &[File]) -> Result<(), Error> {
    if pending.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = pending.iter().map(|file| file.name).collect();
    Err(wrong(format!(
        "{} have not run, and db.migrate is off: run them with the verb `migrate up`",
        names.join(", ")
    )))
}

/// A macro cannot see that a file was added to a folder; in development we can.
pub(super) async fn warn_of_forgotten_files(lists: &[Migrations]) {
    let lists = lists.to_vec();
    let look = move || lists.iter().flat_map(Migrations::forgotten).collect::<Vec<_>>();
    for name in tokio::task::spawn_blocking(look).await.unwrap_or_default() {
        warn!(
            "The migration {name} is not in this build: save the file that says `piton::migrations!()` and build again"
        );
    }
}

/// What `_sqlx_migrations` says of one: version, description, checksum, and when as text.
pub(super) type AppliedRow = (i64, String, Vec<u8>, String);

impl From<AppliedRow> for Applied {
    fn from((version, description, checksum, at): AppliedRow) -> Self {
        Self { version, description, checksum, at }
    }
}

/// Runs the files in order, on whichever connection or transaction that is.
///
/// # Errors
/// That of the first that fails, with its name.
pub(super) async fn apply(to: &mut impl Migrate, files: &[File]) -> Result<(), Error> {
    to.ensure_migrations_table(TABLE).await.map_err(|error| failed(TABLE, error))?;
    for file in files {
        to.apply(TABLE, &file.migration).await.map_err(|error| failed(file.name, error))?;
    }
    Ok(())
}

/// Says which have run, and returns their names.
pub(super) fn tell(files: &[File]) -> Vec<&'static str> {
    for file in files {
        info!(migration = file.name, "Ran migration {}", file.name);
    }
    files.iter().map(|file| file.name).collect()
}

/// The error of a migration, by its name.
fn failed(name: &str, error: MigrateError) -> Error {
    let error = match error {
        MigrateError::ExecuteMigration(error, _) | MigrateError::Execute(error) => {
            Error::from(error)
        }
        other => wrong(other.to_string()),
    };
    let kind = if error.kind() == Kind::Unavailable { Kind::Unavailable } else { Kind::Migration };
    error.while_doing(format_args!("migration {name}")).with_kind(kind)
}

pub(super) fn wrong(why: impl Into<String>) -> Error {
    Error::new(Kind::Migration, why).while_doing("migrations")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(files: &[File]) -> Vec<&str> {
        files.iter().map(|file| file.name).collect()
    }

    fn applied(files: &[File]) -> Vec<Applied> {
        let apply = |file: &File| Applied {
            version: file.migration.version,
            description: file.migration.description.to_string(),
            checksum: file.migration.checksum.to_vec(),
            at: String::new(),
        };
        files.iter().map(apply).collect()
    }

    fn files(list: &'static [(&'static str, &'static str)]) -> Vec<File> {
        collect([&Migrations::new(list)], Backend::Sqlite).unwrap()
    }

    #[test]
    fn each_backend_takes_its_variants_in_the_order_of_numbers() {
        let list = Migrations::new(&[
            ("0010_c.sql", ""),
            ("0002_b.postgres.sql", "p"),
            ("0002_b.sqlite.sql", "s"),
            ("0001_a.sql", ""),
        ]);
        assert_eq!(
            names(&collect([&list], Backend::Sqlite).unwrap()),
            ["0001_a.sql", "0002_b.sqlite.sql", "0010_c.sql"]
        );
        assert_eq!(
            names(&collect([&list], Backend::Postgres).unwrap()),
            ["0001_a.sql", "0002_b.postgres.sql", "0010_c.sql"]
        );
    }

    #[test]
    fn names_that_do_not_fit_are_refused() {
        const BAD: [&[(&str, &str)]; 6] = [
            &[("users.sql", "")],
            &[("0001_.sql", "")],
            &[("0001_a.mysql.sql", "")],
            &[("+1_a.sql", "")],
            &[("0001_a.txt", "")],
            &[("_a.sql", "")],
        ];
        for list in BAD {
            let error = collect([&Migrations::new(list)], Backend::Sqlite).unwrap_err();
            assert_eq!(error.kind(), Kind::Migration);
            assert!(error.to_string().contains(list[0].0), "{error}");
        }
    }

    #[test]
    fn two_files_with_one_number_are_refused_across_lists() {
        let (one, two) =
            (Migrations::new(&[("0001_a.sql", "")]), Migrations::new(&[("1_b.sql", "")]));
        let error = collect([&one, &two], Backend::Sqlite).unwrap_err().to_string();
        assert_eq!(error, "migrations: 0001_a.sql and 1_b.sql have the same number");
    }

    #[test]
    fn only_what_has_not_run_is_pending() {
        let all = files(&[("0001_a.sql", "a"), ("0002_b.sql", "b")]);
        assert_eq!(names(pending(&all, &[]).unwrap()), ["0001_a.sql", "0002_b.sql"]);
        assert_eq!(names(pending(&all, &applied(&all[..1])).unwrap()), ["0002_b.sql"]);
        assert!(pending(&all, &applied(&all)).unwrap().is_empty());
    }

    #[test]
    fn changed_missing_and_late_files_are_refused_by_name() {
        let all = files(&[("0001_a.sql", "a"), ("0002_b.sql", "b")]);
        let text =
            |files: &[File], applied: &[Applied]| pending(files, applied).unwrap_err().to_string();
        let edited = files(&[("0001_a.sql", "A"), ("0002_b.sql", "b")]);
        assert!(text(&edited, &applied(&all)).contains("0001_a.sql was changed after it had run"));
        assert!(
            text(&all[..1], &applied(&all))
                .contains("has run 0002 (b), which is not in this program")
        );
        assert!(
            text(&all[1..], &applied(&all))
                .contains("has run 0001 (a), which is not in this program")
        );
        assert!(
            text(&all, &applied(&all[1..]))
                .contains("0001_a.sql has not run, but the later 0002 (b) has")
        );
    }

    #[test]
    fn a_file_that_is_not_in_the_build_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("0001_a.sql"), "").unwrap();
        std::fs::write(folder.path().join("0002_b.sql"), "").unwrap();
        let path: &'static str = folder.path().to_str().unwrap().to_owned().leak();
        let list = Migrations::new(&[("0001_a.sql", "")]).embedded_from(path);
        assert_eq!(list.forgotten(), ["0002_b.sql"]);
    }
}
