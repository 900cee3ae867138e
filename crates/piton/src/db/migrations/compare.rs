//! Compares the program's migrations with those that have run in the database.

use super::embedded::MigrationFile;
use super::error::mismatch;
use crate::db::error::{Error, Kind};
use crate::db::setting_enums::AcceptNewer;

/// A migration that has run, as recorded in the database.
pub(in crate::db) struct AppliedMigration {
    pub version: i64,
    pub description: String,
    pub checksum: Vec<u8>,
    /// The time when it ran, as the database writes it.
    pub at: String,
    /// Set if it is recorded as backward-compatible.
    pub backward_compatible: bool,
}

impl AppliedMigration {
    fn label(&self) -> String {
        format!("{:04} ({})", self.version, self.description)
    }
}

/// A program's migrations compared with those that its database has run.
#[derive(Debug)]
pub(in crate::db) struct MigrationComparison<'a> {
    /// Files that have not run.
    pub pending: &'a [MigrationFile],
    /// Labels of migrations that have run, that the program does not have, and that it accepts.
    pub newer: Vec<String>,
    /// Files that have run without a record of their mark, as when sqlx's command line tool ran
    /// them.
    pub unrecorded: Vec<&'a MigrationFile>,
}

impl MigrationComparison<'_> {
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
pub(in crate::db) fn compare<'a>(
    files: &'a [MigrationFile],
    applied: &[AppliedMigration],
    accept: AcceptNewer,
) -> Result<MigrationComparison<'a>, Error> {
    let mut pending = files;
    let mut unrecorded = Vec::new();
    for (index, done) in applied.iter().enumerate() {
        let Some((file, later)) = pending.split_first() else {
            let newer = accept_newer(&applied[index..], accept)?;
            return Ok(MigrationComparison { pending, newer, unrecorded });
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
    Ok(MigrationComparison { pending, newer: Vec::new(), unrecorded })
}

/// Returns the labels of `newer`, all of which come after the program's last migration.
fn accept_newer(newer: &[AppliedMigration], accept: AcceptNewer) -> Result<Vec<String>, Error> {
    let accepted = |done: &&AppliedMigration| match accept {
        AcceptNewer::Any => true,
        AcceptNewer::Compatible => done.backward_compatible,
        AcceptNewer::None => false,
    };
    let refused: Vec<String> =
        newer.iter().filter(|done| !accepted(done)).map(AppliedMigration::label).collect();
    if refused.is_empty() {
        return Ok(newer.iter().map(AppliedMigration::label).collect());
    }
    let reason = match accept {
        AcceptNewer::None => "and db.accept_newer is `none`",
        _ => "and not marked `-- backward-compatible`",
    };
    let are = if refused.len() == 1 { "is" } else { "are" };
    Err(mismatch(format!(
        "the database has run {}, which {are} not in this program (newer, or the file was deleted) \
         {reason}: start a newer program, or set db.accept_newer to `any` if this one works with the \
         schema as it is",
        refused.join(", ")
    )))
}

fn missing(done: &AppliedMigration) -> Error {
    mismatch(format!(
        "the database has run {}, which is not in this program although a later one is: put the file back",
        done.label()
    ))
}

fn out_of_order(file: &MigrationFile, done: &AppliedMigration) -> Error {
    mismatch(format!(
        "{} has not run, but the later {} has: give the file a number above it",
        file.name,
        done.label()
    ))
}

fn changed(file: &MigrationFile) -> Error {
    mismatch(format!(
        "{} was changed after it had run: restore it, and put the change into a new file",
        file.name
    ))
}

/// A row of `_sqlx_migrations` (version, description, checksum, time as text) and its mark.
pub(in crate::db) type AppliedRow = (i64, String, Vec<u8>, String, bool);

impl From<AppliedRow> for AppliedMigration {
    fn from((version, description, checksum, at, backward_compatible): AppliedRow) -> Self {
        Self { version, description, checksum, at, backward_compatible }
    }
}

/// Refuses pending migrations, for a service that does not run them itself. The error is not
/// permanent, because another process runs them.
///
/// # Errors
/// [`Kind::Migration`] if something is pending, with the command that runs it.
pub(in crate::db) fn require_none(pending: &[MigrationFile]) -> Result<(), Error> {
    if pending.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = pending.iter().map(|file| file.name).collect();
    let why = format!(
        "{} have not run, and db.migrate is off: run them with the command `migrate up`",
        names.join(", ")
    );
    Err(Error::new(Kind::Migration, why).while_doing("migrations"))
}
