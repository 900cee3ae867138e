//! Migration files, embedded in the program: their names, marks and checksums.

use std::borrow::Cow;
use std::path::Path;

use sqlx::migrate::{Migration, MigrationType};
use sqlx::{AssertSqlSafe, SqlSafeStr};

use super::error::mismatch;
use crate::db::dialect::Dialect;
use crate::db::error::Error;

/// A list of migrations, embedded by [`piton::migrations!()`](crate::migrations!). Pass it to the
/// app: `App::new("registry").migrations(piton::migrations!())`.
#[derive(Clone, Copy, Debug)]
pub struct Migrations {
    files: &'static [(&'static str, &'static str)],
    folder: Option<&'static str>,
}

impl Migrations {
    /// Creates a list from file names, such as `0001_users.sql`, and the files' contents.
    #[must_use]
    pub const fn new(files: &'static [(&'static str, &'static str)]) -> Self {
        Self { files, folder: None }
    }

    /// Sets the folder that the files were embedded from, so that a service in development can warn
    /// of files there that are not in the build yet.
    #[must_use]
    pub const fn embedded_from(self, folder: &'static str) -> Self {
        Self { folder: Some(folder), ..self }
    }

    /// Returns the folder that the files were embedded from, if it is known.
    pub(in crate::db) fn folder(&self) -> Option<&'static str> {
        self.folder
    }

    /// Compares the folder with the embedded files, and describes each difference. Reads the
    /// folder: blocks. Returns nothing if the folder does not exist, as in production.
    pub(in crate::db) fn differences(&self) -> Vec<String> {
        let Some(folder) = self.folder.map(Path::new) else { return Vec::new() };
        let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
        let mut names: Vec<String> = entries
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter(|name| name.ends_with(".sql") && !name.starts_with('.'))
            .collect();
        names.sort();
        // A relative folder without any of the files is ignored, because it is resolved from the
        // working directory, which may be another project's.
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

/// Marks in the first comment lines of a migration's file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct MigrationMarks {
    /// `-- no-transaction`: the migration cannot run in a transaction, such as
    /// `CREATE INDEX CONCURRENTLY`.
    pub no_transaction: bool,
    /// `-- backward-compatible`: programs that do not have this migration work with its schema.
    pub backward_compatible: bool,
}

impl MigrationMarks {
    pub fn of(sql: &str) -> Self {
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

/// Returns the text with `\n` at the ends of lines and without a byte order mark, because a checkout
/// on Windows changes both, and neither changes the migration.
pub(super) fn normalized(sql: &str) -> Cow<'_, str> {
    let text = sql.strip_prefix(BYTE_ORDER_MARK).unwrap_or(sql);
    if text.contains("\r\n") { Cow::Owned(text.replace("\r\n", "\n")) } else { Cow::Borrowed(text) }
}

/// A migration file for one of the databases.
#[derive(Clone, Debug)]
pub(in crate::db) struct MigrationFile {
    pub name: &'static str,
    /// The migration, with the text and checksum of the normalized file.
    pub migration: Migration,
    /// The text as embedded.
    embedded: &'static str,
    pub backward_compatible: bool,
}

impl MigrationFile {
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
pub(super) fn checksum_of(text: String) -> Cow<'static, [u8]> {
    let text = AssertSqlSafe(text).into_sql_str();
    Migration::new(0, Cow::Borrowed(""), MigrationType::Simple, text, false).checksum
}

/// Returns the files of all `lists` that are for `dialect`, in order.
///
/// # Errors
/// [`Kind::Migration`](crate::db::Kind::Migration) if a name is not `NNNN_name.sql` or two files have one number.
pub(in crate::db) fn files_for<'a>(
    lists: impl IntoIterator<Item = &'a Migrations>,
    dialect: Dialect,
) -> Result<Vec<MigrationFile>, Error> {
    let mut files = Vec::new();
    for (name, sql) in lists.into_iter().flat_map(|list| list.files) {
        files.extend(parse(name, sql, dialect)?);
    }
    files.sort_by_key(|file| file.migration.version);
    for pair in files.windows(2) {
        if pair[0].migration.version == pair[1].migration.version {
            return Err(mismatch(format!(
                "{} and {} have the same number",
                pair[0].name, pair[1].name
            )));
        }
    }
    Ok(files)
}

/// Returns `None` if the file is for another database.
fn parse(
    name: &'static str,
    sql: &'static str,
    dialect: Dialect,
) -> Result<Option<MigrationFile>, Error> {
    let malformed = || {
        mismatch(format!(
            "{name}: a migration is named `0001_name.sql`, `0001_name.sqlite.sql` or `0001_name.postgres.sql`"
        ))
    };
    let (number, rest) = name.split_once('_').ok_or_else(malformed)?;
    let version = number.parse::<i64>().ok().filter(|_| number.bytes().all(|b| b.is_ascii_digit()));
    let rest = rest.strip_suffix(".sql").ok_or_else(malformed)?;
    let (description, variant) = match rest.split_once('.') {
        None => (rest, None),
        Some((description, "sqlite")) => (description, Some(Dialect::Sqlite)),
        Some((description, "postgres")) => (description, Some(Dialect::Postgres)),
        Some(_) => return Err(malformed()),
    };
    let (Some(version), false) = (version, description.is_empty()) else {
        return Err(malformed());
    };
    if variant.is_some_and(|variant| variant != dialect) {
        return Ok(None);
    }
    let description = Cow::Owned(description.replace('_', " "));
    let text = match normalized(sql) {
        Cow::Borrowed(text) => text.into_sql_str(),
        // Safe, because the text is a literal of the program with other line endings.
        Cow::Owned(text) => AssertSqlSafe(text).into_sql_str(),
    };
    let MigrationMarks { no_transaction, backward_compatible } = MigrationMarks::of(text.as_str());
    let kind = MigrationType::Simple;
    let migration = Migration::new(version, description, kind, text, no_transaction);
    Ok(Some(MigrationFile { name, migration, embedded: sql, backward_compatible }))
}
