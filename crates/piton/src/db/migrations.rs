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
//! Migrations that have run are recorded in sqlx's own table, `_sqlx_migrations`, so that its
//! command line tool reads it too. Next to it, `_piton_migrations` tells programs that do not have
//! a file whether they work with its schema. All pending migrations run in one transaction: the
//! schema is either brought up to date, or left as it was.

use std::borrow::Cow;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use sqlx::migrate::{Migrate, MigrateError, Migration, MigrationType};
use sqlx::{AssertSqlSafe, SqlSafeStr};
use tracing::{info, warn};

use super::error::{Error, Kind};
use super::settings::AcceptNewer;

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

    /// Returns the folder that the files were embedded from, if it is known.
    pub(super) fn folder(&self) -> Option<&'static str> {
        self.folder
    }

    /// Compares the folder with the embedded files, and describes each difference. Reads the
    /// folder: blocks. Returns nothing if the folder does not exist, as in production.
    pub(super) fn differences(&self) -> Vec<String> {
        let Some(folder) = self.folder.map(Path::new) else { return Vec::new() };
        let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
        let mut names: Vec<String> = entries
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter(|name| name.ends_with(".sql") && !name.starts_with('.'))
            .collect();
        names.sort();
        // A relative folder is resolved from the working directory, which may be another project's.
        let embedded = |name: &String| self.files.iter().find(|(known, _)| known == name);
        if folder.is_relative() && !names.iter().any(|name| embedded(name).is_some()) {
            return Vec::new();
        }
        let mut differences = Vec::new();
        for name in &names {
            match (embedded(name), std::fs::read_to_string(folder.join(name))) {
                (None, _) => differences.push(format!("{name} is not in this build")),
                (Some((_, text)), Ok(now)) if normalized(&now) != normalized(text) => {
                    differences.push(format!("{name} was edited since this build"));
                }
                _ => {}
            }
        }
        for (name, _) in self.files.iter().filter(|(known, _)| names.iter().all(|it| it != known)) {
            differences.push(format!("{name} is in this build, and no longer in the folder"));
        }
        differences
    }
}

/// Where sqlx notes which migrations have run.
const TABLE: &str = "_sqlx_migrations";

/// Marks in the first comment lines of a migration's file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Marks {
    /// `-- no-transaction`: the migration cannot run in a transaction, such as
    /// `CREATE INDEX CONCURRENTLY`.
    no_transaction: bool,
    /// `-- backward-compatible`: programs that do not have this migration work with its schema.
    backward_compatible: bool,
}

impl Marks {
    fn of(sql: &str) -> Self {
        let mut marks = Self::default();
        let comments =
            sql.lines().map(str::trim).take_while(|line| line.is_empty() || line.starts_with("--"));
        for comment in comments {
            let word = comment
                .trim_start_matches('-')
                .trim()
                .trim_end_matches('.')
                .replace([' ', '_'], "-");
            match word.to_ascii_lowercase().as_str() {
                "no-transaction" => marks.no_transaction = true,
                // One spelling is documented, and the others are accepted: a typing error would
                // otherwise be noticed at the next rollback, when the file cannot be changed any
                // more.
                "backward-compatible" | "backwards-compatible" | "compatible" => {
                    marks.backward_compatible = true;
                }
                _ => {}
            }
        }
        marks
    }
}

const BYTE_ORDER_MARK: char = '\u{feff}';

/// Returns the text with `\n` at the ends of lines and without a byte order mark. A checkout on Windows
/// changes both, and neither changes the migration.
fn normalized(sql: &str) -> Cow<'_, str> {
    let text = sql.strip_prefix(BYTE_ORDER_MARK).unwrap_or(sql);
    if text.contains("\r\n") { Cow::Owned(text.replace("\r\n", "\n")) } else { Cow::Borrowed(text) }
}

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
    /// The migration, with the text and checksum of the normalized file.
    pub migration: Migration,
    /// The text as embedded.
    embedded: &'static str,
    backward_compatible: bool,
}

impl File {
    /// Returns whether `checksum` is that of this file, with any line endings.
    pub fn has_checksum(&self, checksum: &[u8]) -> bool {
        if *self.migration.checksum == *checksum {
            return true;
        }
        let unix = self.migration.sql.as_str();
        let windows = unix.replace('\n', "\r\n");
        let with_mark = |text: &str| format!("{BYTE_ORDER_MARK}{text}");
        [with_mark(unix), with_mark(&windows), windows, self.embedded.to_owned()]
            .into_iter()
            .any(|text| *checksum_of(text) == *checksum)
    }
}

/// Returns the checksum that sqlx computes for a migration.
fn checksum_of(text: String) -> Cow<'static, [u8]> {
    let text = AssertSqlSafe(text).into_sql_str();
    Migration::new(0, Cow::Borrowed(""), MigrationType::Simple, text, false).checksum
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
    let text = match normalized(sql) {
        Cow::Borrowed(text) => text.into_sql_str(),
        // The text is safe, because it is a literal of the program with other line endings.
        Cow::Owned(text) => AssertSqlSafe(text).into_sql_str(),
    };
    let Marks { no_transaction, backward_compatible } = Marks::of(text.as_str());
    let kind = MigrationType::Simple;
    let migration = Migration::new(version, description, kind, text, no_transaction);
    Ok(Some(File { name, migration, embedded: sql, backward_compatible }))
}

/// A migration that has run, as recorded in the database.
pub(super) struct Applied {
    pub version: i64,
    pub description: String,
    pub checksum: Vec<u8>,
    /// When it ran, as the database writes it.
    pub at: String,
    /// Set if it is recorded as backward-compatible.
    pub backward_compatible: bool,
}

impl Applied {
    fn label(&self) -> String {
        format!("{:04} ({})", self.version, self.description)
    }
}

/// A program's migrations compared with those that its database has run.
#[derive(Debug)]
pub(super) struct Comparison<'a> {
    /// Files that have not run.
    pub pending: &'a [File],
    /// Labels of migrations that have run, that the program does not have, and that it accepts.
    pub newer: Vec<String>,
    /// Files that have run without a record of their mark, as when sqlx's command line tool ran
    /// them.
    pub unrecorded: Vec<&'a File>,
}

impl Comparison<'_> {
    /// Returns whether there is nothing to write to the database.
    pub fn is_complete(&self) -> bool {
        self.pending.is_empty() && self.unrecorded.is_empty()
    }
}

/// Compares the program's migrations with those that have run.
///
/// # Errors
/// [`Kind::Migration`] if a file was changed after it had run, is missing, or is new but sorts
/// before one that has run; or if the database has run newer migrations that `accept` refuses.
pub(super) fn compare<'a>(
    files: &'a [File],
    applied: &[Applied],
    accept: AcceptNewer,
) -> Result<Comparison<'a>, Error> {
    let mut pending = files;
    let mut unrecorded = Vec::new();
    for (index, done) in applied.iter().enumerate() {
        let Some((file, later)) = pending.split_first() else {
            let newer = accept_newer(&applied[index..], accept)?;
            return Ok(Comparison { pending, newer, unrecorded });
        };
        match file.migration.version.cmp(&done.version) {
            std::cmp::Ordering::Less => return Err(out_of_order(file, done)),
            std::cmp::Ordering::Greater => return Err(missing(done)),
            std::cmp::Ordering::Equal if !file.has_checksum(&done.checksum) => {
                return Err(changed(file));
            }
            std::cmp::Ordering::Equal => pending = later,
        }
        if file.backward_compatible && !done.backward_compatible {
            unrecorded.push(file);
        }
    }
    Ok(Comparison { pending, newer: Vec::new(), unrecorded })
}

/// Returns the labels of `newer`, all of which come after the program's last migration.
fn accept_newer(newer: &[Applied], accept: AcceptNewer) -> Result<Vec<String>, Error> {
    let accepted = |done: &&Applied| match accept {
        AcceptNewer::Any => true,
        AcceptNewer::Compatible => done.backward_compatible,
        AcceptNewer::None => false,
    };
    let refused: Vec<String> =
        newer.iter().filter(|done| !accepted(done)).map(Applied::label).collect();
    if refused.is_empty() {
        return Ok(newer.iter().map(Applied::label).collect());
    }
    let reason = match accept {
        AcceptNewer::None => "and db.accept_newer is `none`",
        _ => "and not marked `-- backward-compatible`",
    };
    let are = if refused.len() == 1 { "is" } else { "are" };
    Err(wrong(format!(
        "the database has run {}, which {are} not in this program (newer, or the file was deleted) \
         {reason}: start a newer program, or set db.accept_newer to `any` if this one works with the \
         schema as it is",
        refused.join(", ")
    )))
}

fn missing(done: &Applied) -> Error {
    wrong(format!(
        "the database has run {}, which is not in this program although a later one is: put the file back",
        done.label()
    ))
}

fn out_of_order(file: &File, done: &Applied) -> Error {
    wrong(format!(
        "{} has not run, but the later {} has: give the file a number above it",
        file.name,
        done.label()
    ))
}

fn changed(file: &File) -> Error {
    wrong(format!(
        "{} was changed after it had run: put it back as it was and write what is new into a new file",
        file.name
    ))
}

/// Refuses pending migrations, for a service that does not run them itself. The error is not
/// permanent, because another process runs them.
///
/// # Errors
/// [`Kind::Migration`] if something is pending, with the command that runs it.
pub(super) fn require_none(pending: &[File]) -> Result<(), Error> {
    if pending.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = pending.iter().map(|file| file.name).collect();
    let why = format!(
        "{} have not run, and db.migrate is off: run them with the verb `migrate up`",
        names.join(", ")
    );
    Err(Error::new(Kind::Migration, why).while_doing("migrations"))
}

/// Returns the differences between the folders of `lists` and the embedded files.
pub(super) async fn differences(lists: &[Migrations]) -> Vec<String> {
    let lists = lists.to_vec();
    let look = move || lists.iter().flat_map(Migrations::differences).collect();
    tokio::task::spawn_blocking(look).await.unwrap_or_default()
}

/// Warns of differences, because a macro cannot see that a file was added to a folder.
pub(super) async fn warn_of_differences(lists: &[Migrations]) {
    for difference in differences(lists).await {
        warn!("The migration {difference}: build again. {BUILD_SCRIPT_HINT}");
    }
}

/// Explains how to make cargo notice new files.
pub(super) const BUILD_SCRIPT_HINT: &str = "A `build.rs` with `println!(\"cargo:rerun-if-changed=migrations\");` makes cargo notice new files";

/// The migrations that the database has run and the program does not have.
#[derive(Default)]
pub(super) struct Newer(Mutex<Vec<String>>);

impl Newer {
    /// Remembers and logs newer migrations.
    pub fn note(&self, newer: Vec<String>) {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if *noted != newer && !newer.is_empty() {
            warn!(
                "The database has run migrations that are newer than this program, and are accepted: {}",
                newer.join(", ")
            );
        }
        *noted = newer;
    }

    /// Returns the newer migrations for the health report.
    pub fn details(&self) -> serde_json::Value {
        let newer = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if newer.is_empty() {
            return serde_json::Value::Null;
        }
        serde_json::json!({ "newer_migrations": *newer })
    }
}

/// Creates the table of marks, for which sqlx's table has no column. It is created with the first
/// migration that has a mark, and read by programs older than that migration.
pub(super) const CREATE_MARKS: &str = "CREATE TABLE IF NOT EXISTS _piton_migrations \
     (version BIGINT PRIMARY KEY, backward_compatible BOOLEAN NOT NULL)";

/// Records the mark of one migration, `$1`.
pub(super) const RECORD_MARK: &str = "INSERT INTO _piton_migrations (version, backward_compatible) \
     VALUES ($1, TRUE) ON CONFLICT (version) DO UPDATE SET backward_compatible = TRUE";

/// Returns the versions of the files whose mark is to be recorded.
pub(super) fn marked<'a>(files: impl IntoIterator<Item = &'a File>) -> Vec<i64> {
    files
        .into_iter()
        .filter(|file| file.backward_compatible)
        .map(|file| file.migration.version)
        .collect()
}

/// A row of `_sqlx_migrations` (version, description, checksum, time as text) and its mark.
pub(super) type AppliedRow = (i64, String, Vec<u8>, String, bool);

impl From<AppliedRow> for Applied {
    fn from((version, description, checksum, at, backward_compatible): AppliedRow) -> Self {
        Self { version, description, checksum, at, backward_compatible }
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
    let error = error.while_doing(format_args!("migration {name}"));
    // A lock, a full disk or a stopping server may pass, so the next attempt may succeed.
    if error.kind() == Kind::Unavailable {
        return error;
    }
    error.with_kind(Kind::Migration).permanent()
}

/// Creates the error of a permanent disagreement between program and database.
pub(super) fn wrong(why: impl Into<String>) -> Error {
    Error::new(Kind::Migration, why).while_doing("migrations").permanent()
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
            backward_compatible: file.backward_compatible,
        };
        files.iter().map(apply).collect()
    }

    fn pending<'a>(files: &'a [File], applied: &[Applied]) -> Result<&'a [File], Error> {
        compare(files, applied, AcceptNewer::Compatible).map(|comparison| comparison.pending)
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
    fn newer_migrations_are_accepted_where_they_are_marked() {
        let all = files(&[
            ("0001_a.sql", "a"),
            ("0002_b.sql", "-- Adds a column.\n-- backward-compatible\nb"),
            ("0003_c.sql", "-- backward-compatible\nc"),
            ("0004_d.sql", "d"),
        ]);
        let done = applied(&all);
        let newer = |program: &[File], done: &[Applied], accept| {
            compare(program, done, accept).map(|it| it.newer).map_err(|error| error.to_string())
        };
        let compatible = AcceptNewer::Compatible;
        assert_eq!(newer(&all[..1], &done[..3], compatible).unwrap(), ["0002 (b)", "0003 (c)"]);
        let refused = newer(&all[..1], &done, compatible).unwrap_err();
        assert!(
            refused.contains("has run 0004 (d), which") && refused.contains("not marked"),
            "{refused}"
        );
        assert_eq!(newer(&all[..1], &done, AcceptNewer::Any).unwrap().len(), 3);
        assert!(newer(&all[..1], &done[..2], AcceptNewer::None).is_err());
        // A migration that is missing in the middle was deleted, so it is not a newer one.
        assert!(newer(&all[2..], &done[1..], AcceptNewer::Any).is_err());
    }

    #[test]
    fn marks_are_read_from_the_first_comments_alone() {
        let marks = |sql| {
            let Marks { no_transaction, backward_compatible } = Marks::of(&normalized(sql));
            (no_transaction, backward_compatible)
        };
        assert_eq!(marks("-- no-transaction\nVACUUM"), (true, false));
        assert_eq!(marks("\u{feff}-- no-transaction\r\nVACUUM"), (true, false));
        assert_eq!(marks("-- why\n\n-- backward-compatible\n-- no-transaction\nx"), (true, true));
        assert_eq!(marks("--backwards compatible.\nx"), (false, true));
        assert_eq!(marks("SELECT 1;\n-- backward-compatible"), (false, false));
        assert_eq!(marks("-- this is not backward-compatible\nx"), (false, false));
    }

    #[test]
    fn a_checkout_with_other_line_endings_is_the_same_migration() {
        const FORMS: [&str; 4] = ["a\nb\n", "a\r\nb\r\n", "\u{feff}a\nb\n", "\u{feff}a\r\nb\r\n"];
        for ran in FORMS {
            // Older programs recorded checksums of files that were not normalized.
            let mut done = applied(&files(&[("0001_a.sql", "x")]));
            done[0].checksum = checksum_of(ran.to_owned()).into_owned();
            for embedded in FORMS {
                let list: &'static [_] = vec![("0001_a.sql", embedded)].leak();
                let program = files(list);
                assert!(pending(&program, &done).unwrap().is_empty(), "{ran:?} {embedded:?}");
                assert_eq!(program[0].migration.sql.as_str(), "a\nb\n");
            }
        }
        let edited = files(&[("0001_a.sql", "a\nc\n")]);
        assert!(!edited[0].has_checksum(&checksum_of("a\r\nb\r\n".into())));
    }

    #[test]
    fn a_mark_that_is_not_recorded_is_noticed() {
        let all = files(&[("0001_a.sql", "-- backward-compatible\na")]);
        let mut done = applied(&all);
        assert!(compare(&all, &done, AcceptNewer::None).unwrap().is_complete());
        done[0].backward_compatible = false;
        let comparison = compare(&all, &done, AcceptNewer::None).unwrap();
        assert_eq!(marked(comparison.unrecorded.iter().copied()), [1]);
    }

    #[test]
    fn a_folder_that_differs_from_the_build_is_described() {
        let folder = tempfile::tempdir().unwrap();
        let path: &'static str = folder.path().to_str().unwrap().to_owned().leak();
        let list =
            Migrations::new(&[("0001_a.sql", "a\n"), ("0002_b.sql", "b"), ("0003_c.sql", "")])
                .embedded_from(path);
        let write =
            |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write("0001_a.sql", "a\r\n");
        write("0002_b.sql", "B");
        write("0004_d.sql", "");
        write("notes.txt", "");
        assert_eq!(
            list.differences(),
            [
                "0002_b.sql was edited since this build",
                "0004_d.sql is not in this build",
                "0003_c.sql is in this build, and no longer in the folder",
            ]
        );
        assert!(Migrations::new(&[]).embedded_from("/nowhere/at/all").differences().is_empty());
    }
}
